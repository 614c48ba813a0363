"""The results table and metrics.json."""

import json

import numpy as np

from transplant.evaluation.evaluate import evaluate_predictions
from transplant.evaluation.report import difference_with_interval, results_table, write_metrics


def test_table_of_two_rows():
    interval = {"macro_f1": {"low": 0.41, "high": 0.6}}
    rows = [
        ("random weights", {"macro_f1": 0.5, "f1": {"A": 0.4, "N": 0.6}, "intervals": interval}),
        ("pretrained", {"macro_f1": 0.75, "f1": {"A": 0.7, "N": 0.8, "~": None}}),
    ]
    assert results_table(rows).split("\n") == [
        "                            macro-F1      A      N  ~",
        "random weights  0.500 [0.410, 0.600]  0.400  0.600  -",
        "pretrained                     0.750  0.700  0.800  -",
    ]


def test_accuracy_stands_last_where_a_row_has_it():
    rows = [
        ("a", {"macro_f1": 0.5, "f1": {"A": 0.4, "N": 0.6}, "accuracy": 0.75, "positive_class": None}),
        ("b", {"macro_f1": 0.75, "f1": {"A": 0.7, "N": 0.8}}),
    ]
    assert results_table(rows).split("\n") == [
        "   macro-F1      A      N  accuracy",
        "a     0.500  0.400  0.600     0.750",
        "b     0.750  0.700  0.800         -",
    ]


def test_two_classes_show_the_ranking_of_the_positive_one():
    scores = {"roc_auc": 0.85, "pr_auc": 0.5, "min_precision_recall": 0.48, "accuracy": 0.9, "macro_f1": 0.7}
    scores |= {"positive_class": "died", "f1": {"survived": 0.95, "died": 0.45}}
    intervals = {"roc_auc": {"low": 0.8, "high": 0.9}, "pr_auc": {"low": 0.4, "high": 0.6}}
    rows = [
        ("logistic", scores | {"intervals": intervals}),
        ("one class", scores | dict.fromkeys(("roc_auc", "pr_auc", "min_precision_recall")) | {"intervals": None}),
    ]
    assert results_table(rows).split("\n") == [
        "positive: died                 AUROC                 AUPRC  min(+P, Se)  accuracy  macro-F1",
        "logistic        0.850 [0.800, 0.900]  0.500 [0.400, 0.600]        0.480     0.900     0.700",
        "one class                          -                     -            -     0.900     0.700",
    ]
    # Rows of unlike classes have no ranking in common.
    other = [rows[0], ("other", {"macro_f1": 0.5, "f1": {"A": 0.5}})]
    assert results_table(other).split("\n")[0].split() == ["macro-F1", "survived", "died", "A", "accuracy"]


def test_a_difference_has_its_sign_and_one_that_is_not_known_a_dash():
    assert difference_with_interval({"difference": -0.0625, "low": -0.5, "high": 0.375}) == "-0.062 [-0.500, +0.375]"
    assert difference_with_interval(None) == "-"


def test_lines_have_equal_width():
    rng = np.random.default_rng(0)
    metrics = evaluate_predictions(
        rng.integers(4, size=40), rng.dirichlet(np.ones(4), size=40), list("ANO~"), draws=100
    )
    lines = results_table([("a", metrics), ("a longer name", metrics)]).split("\n")
    assert len(lines) == 3 and len({len(line) for line in lines}) == 1


def test_metrics_file_keeps_full_precision_and_is_strict_json(tmp_path):
    value = {"a": np.float64(1 / 3), "b": [np.int64(2), float("nan")], "c": np.array([1.0, np.inf]), "d": None, 1: "~"}
    write_metrics(tmp_path / "metrics.json", value)

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    text = (tmp_path / "metrics.json").read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=refuse) == {
        "a": 1 / 3,
        "b": [2, None],
        "c": [1.0, None],
        "d": None,
        "1": "~",
    }


def test_evaluation_survives_the_file(tmp_path):
    metrics = evaluate_predictions([0, 1, 1, 0], [[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [0.6, 0.4]], ["a", "b"], draws=50)
    write_metrics(tmp_path / "metrics.json", metrics)
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics

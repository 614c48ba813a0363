"""The table of runs: means and deviations by hand, text, Markdown and JSON."""

import json
import statistics

import pytest

from transplant.errors import DataError
from transplant.evaluation.metrics import classification_metrics
from transplant.evaluation.run_table import SPREAD_NOTE, markdown_run_table, mean_and_std, run_rows, run_table
from transplant.evaluation.training_cost import cost_to_epoch


def run(macro, epochs=None, minutes=None):
    metrics = {"macro_f1": macro, "f1": {"A": macro - 0.1, "N": macro + 0.1, "O": macro, "~": macro}}
    costs = {} if epochs is None else {"epochs_to_best": epochs, "cpu_minutes_to_best": minutes}
    return metrics | {"challenge_f1": macro} | costs


ROWS = [
    ("random weights", [run(0.5, 10, 1.0), run(0.6, 13, 4.0), run(0.7, 16, 7.0)]),
    ("pre|trained", [run(0.8, 4, 2.5)]),
    ("length only", [{"macro_f1": 0.25, "f1": {"A": 0.0, "N": 0.5}}]),
]


def test_mean_and_std_divide_by_one_less():
    values = [0.731, 0.75, 0.712, 0.69]
    summary = mean_and_std(values)
    assert summary["mean"] == pytest.approx(statistics.mean(values))
    assert summary["std"] == pytest.approx(statistics.stdev(values))
    assert (summary["min"], summary["max"], summary["n"]) == (0.69, 0.75, 4)
    assert mean_and_std([0.5])["std"] is None
    for bad in ([], [0.5, float("nan")]):
        with pytest.raises(DataError, match="one finite number"):
            mean_and_std(bad)


def test_text_table():
    assert run_table(ROWS).split("\n") == [
        "                      macro-F1               N               A               O               ~"
        "      N/A/O mean  epochs to best  CPU min to best  runs",
        "random weights  0.600 +- 0.100  0.700 +- 0.100  0.500 +- 0.100  0.600 +- 0.100  0.600 +- 0.100"
        "  0.600 +- 0.100     13.0 +- 3.0       4.0 +- 3.0     3",
        "pre|trained              0.800           0.900           0.700           0.800           0.800"
        "           0.800             4.0              2.5     1",
        "length only              0.250           0.500           0.000               -               -"
        "               -               -                -     1",
        SPREAD_NOTE,
    ]


def test_markdown_table():
    lines = markdown_run_table(ROWS).split("\n")
    assert lines[0] == "|  | macro-F1 | N | A | O | ~ | N/A/O mean | epochs to best | CPU min to best | runs |"
    assert lines[1] == "| --- |" + " ---: |" * 9
    assert lines[2].startswith("| random weights | 0.600 ± 0.100 | 0.700 ± 0.100 |")
    assert lines[3].startswith("| pre\\|trained | 0.800 | 0.900 |")
    assert lines[5:] == ["", SPREAD_NOTE.replace("+-", "±")]
    assert "ddof=1" in lines[-1]
    assert all(line.replace("\\|", "").count("|") == 11 for line in lines[:5])


def test_columns_that_no_row_has_are_left_out_and_other_classes_keep_their_order():
    rows = [("one", [{"macro_f1": 0.5, "f1": {"pvc": 0.4, "normal": 0.6}}])]
    assert run_table(rows).split("\n")[0].split() == ["macro-F1", "pvc", "normal", "runs"]


def ranked(auroc, auprc, minimum, accuracy):
    metrics = {"roc_auc": auroc, "pr_auc": auprc, "min_precision_recall": minimum, "accuracy": accuracy}
    return metrics | {"macro_f1": 0.6, "f1": {"survived": 0.9, "died": 0.3}, "positive_class": "died"}


def test_two_classes_show_ranking_and_accuracy():
    runs = [ranked(0.8, 0.4, 0.4, 0.9), ranked(0.9, 0.5, 0.6, 0.8)]
    header, line, _ = run_table([("a", runs)]).split("\n")
    assert header.split() == [
        *("AUROC", "AUPRC", "min(+P,", "Se)", "macro-F1", "F1", "survived", "F1", "died", "accuracy", "runs")
    ]
    # The deviation of two numbers is their difference over the square root of two.
    assert [cell.strip() for cell in line.split("  ") if cell] == [
        *("a", "0.850 +- 0.071", "0.450 +- 0.071", "0.500 +- 0.141", "0.600 +- 0.000"),
        *("0.900 +- 0.000", "0.300 +- 0.000", "0.850 +- 0.071", "2"),
    ]


def test_runs_on_one_class_are_left_out_of_the_ranking_and_counted():
    runs = [ranked(0.8, 0.4, 0.4, 0.9), ranked(None, None, None, 0.8), ranked(0.9, 0.5, 0.6, 0.8)]
    (summary,) = run_rows([("a", runs)])
    assert (summary["roc_auc"]["n"], summary["accuracy"]["n"], summary["runs"]) == (2, 3, 3)
    assert "0.850 +- 0.071 (2 of 3)" in run_table([("a", runs)])
    (summary,) = run_rows([("a", runs[1:2])])
    assert summary["roc_auc"] is None


def test_areas_of_runs_that_name_no_positive_class_are_not_shown():
    old = {"macro_f1": 0.6, "f1": {"survived": 0.9, "died": 0.3}, "roc_auc": 0.8, "pr_auc": 0.9}
    (summary,) = run_rows([("a", [old])])
    assert summary["pr_auc"] is None and "AUPRC" not in run_table([("a", [old])])


def test_rows_survive_json():
    rows = run_rows(ROWS)
    assert json.loads(json.dumps(rows)) == rows
    first = rows[0]
    assert (first["name"], first["runs"], first["spread"]) == ("random weights", 3, SPREAD_NOTE)
    assert list(first["f1"]) == ["N", "A", "O", "~"]
    assert first["f1"]["A"]["mean"] == pytest.approx(0.5) and first["epochs_to_best"]["mean"] == 13
    assert rows[2]["challenge_f1"] is None and rows[2]["cpu_minutes_to_best"] is None


def test_metrics_and_costs_of_a_run_are_a_run():
    import pandas as pd

    metrics = classification_metrics([0, 1, 2, 3], [[0.7, 0.1, 0.1, 0.1]] * 4, "ANO~")
    cost = cost_to_epoch(pd.DataFrame({"epoch": [1], "cpu_seconds": [90.0]}), 1)
    (row,) = run_rows([("a", [metrics | cost])])
    assert row["macro_f1"]["mean"] == pytest.approx(0.1)  # A: 2 * 1 / (1 + 4); of the others nothing
    assert row["challenge_f1"]["mean"] == pytest.approx(0.4 / 3)
    assert row["cpu_minutes_to_best"]["mean"] == 1.5


def test_unlike_runs_are_refused():
    with pytest.raises(DataError, match="a: a row is made of one run or more"):
        run_rows([("a", [])])
    with pytest.raises(DataError, match="same classes"):
        run_rows([("a", [run(0.5), {"macro_f1": 0.5, "f1": {"A": 0.5}}])])
    with pytest.raises(DataError, match="epochs_to_best of 1 of 2 runs"):
        run_rows([("a", [run(0.5), run(0.5, 3, 1.0)])])

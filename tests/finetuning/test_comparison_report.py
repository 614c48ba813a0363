"""The report of a comparison, on runs whose predictions are made up."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from finetuning.comparison_report import write_report
from finetuning.pooling import held_out, with_class_offsets, with_temperature
from finetuning.rows import expand_rows
from finetuning.runs import inner_folds, list_runs, single_folds
from finetuning.starts import Start
from finetuning.variants import Variant
from transplant.datasets.labelled_set import LabelledSet
from transplant.evaluation.predictions import write_predictions
from transplant.training.splits import stratified_folds

FOLDS = 4


def make_up(data, parts, job, seeds=(1,)):
    """Return the runs of two rows, the second better, with all files that a report reads."""
    starts = [Start("weak", share=0.0), Start("strong", share=1.0)]
    rows = expand_rows(starts, ["resnet18"], [Variant("best", "best")], [1.0])
    held = [test for _, test in stratified_folds(data.y, data.group_ids, FOLDS, 0)]
    runs = list_runs(rows, seeds, parts, job)
    for number, run in enumerate(runs):
        run.folder.mkdir(parents=True)
        rng = np.random.default_rng(number)
        tested = np.concatenate([held[fold] for fold in run.folds])
        for name in ("test", "val", "test_flipped", "test_mains"):
            members = tested if name != "val" else np.setdiff1d(np.arange(len(data)), tested)
            scores = rng.normal(size=(len(members), len(data.classes)))
            scores[np.arange(len(members)), data.y[members]] += 0.5 if run.row.name == "weak" else 3
            scores[:, 2:3] += 6.0 * (name == "val")  # all are called the third class, in validation alone
            probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
            names, labels = data.record_ids[members].tolist(), np.eye(len(data.classes))[data.y[members]]
            write_predictions(run.folder / f"{name}_predictions.csv", names, labels, probabilities, data.classes)
        found = {"macro_f1": 0.1 * number, "f1": dict.fromkeys(data.classes, 0.1 * number), "accuracy": 0.5}
        if len(data.classes) == 2:
            found |= {"positive_class": data.classes[1], "roc_auc": 0.5 + 0.02 * number, "pr_auc": 0.3}
            found["min_precision_recall"] = None if number == 0 else 0.25
        (run.folder / "metrics.json").write_text(json.dumps({"best_epoch": 2, "test": found}))
        pd.DataFrame({"epoch": [1, 2], "f1": [0.1, 0.2 + 0.01 * number]}).to_csv(
            run.folder / "history.csv", index=False
        )
        pd.DataFrame({"epoch": [1, 2], "cpu_seconds": [30.0, 60.0]}).to_csv(run.folder / "timing.csv", index=False)
    return runs, held


def write_and_read(runs, data, job, held=()):
    """Write a report and return its comparison.json."""
    write_report(runs, data, {}, job, lambda line: None, held)
    return json.loads((job / "comparison.json").read_text())


@pytest.fixture(scope="module")
def data(small_set):
    return LabelledSet.load(small_set)


@pytest.fixture(scope="module")
def four_classes(data, tmp_path_factory):
    """The folder of a report on four classes, with a control, and the lines that were logged."""
    folder, lines = tmp_path_factory.mktemp("four"), []
    runs, _ = make_up(data, single_folds(FOLDS), folder)
    control = np.tile(np.eye(4)[1], (len(data), 1))
    write_report(runs, data, {"length only": control}, folder, lines.append, design=["4 folds of something"])
    return folder, lines


def test_a_page_with_all_tables_and_figures(data, four_classes):
    folder, lines = four_classes
    report = json.loads((folder / "comparison.json").read_text())
    page = (folder / "comparison.md").read_text()
    assert report["compared_to"] == "weak"
    # What stands in the tables is scikit-learn's macro-F1 of the pooled predictions.
    pooled = pd.read_csv(folder / "strong_predictions.csv")
    assert pooled["record_name"].tolist() == data.record_ids.tolist()
    guess = pooled[[f"prob_{label}" for label in data.classes]].to_numpy().argmax(axis=1)
    expected = f1_score(data.y, guess, average="macro")
    assert report["metrics"]["strong"]["macro_f1"] == pytest.approx(expected)
    interval = report["metrics"]["strong"]["intervals"]["macro_f1"]
    assert f"| strong | {expected:.3f} [{interval['low']:.3f}, {interval['high']:.3f}] |" in page
    assert report["pairs"]["strong"]["weak"] == report["differences"]["strong"]["macro_f1"]
    assert report["pairs"]["length only"].keys() == {"weak", "strong"}
    assert report["choices"] == [] and "inner folds" not in page
    assert "1.5" in page  # CPU minutes to the best epoch
    for figure in (
        "comparison",
        "epochs",
        "confusion_weak",
        "reliability_weak",
        "reliability_strong",
        "pretraining_share",
    ):
        assert f"![{figure}.png]({figure}.png)" in page and (folder / f"{figure}.png").stat().st_size > 1000
    assert any("strong against weak" in line and "better" in line for line in lines)
    # The page says what was run, and the verdict.
    assert "- 4 folds of something" in page and "| strong | `--arch resnet18 --recipe best --subset 1` |" in page
    assert "| strong | weak | " in page and "| better | " in page and "macro-F1 of 0.250" in page


def test_two_classes_are_reported_by_their_ranking(data, tmp_path):
    died = (data.y >= 2).astype(np.int64)
    two = dataclasses.replace(data, y=died, classes=("survived", "died"))
    runs, _ = make_up(two, single_folds(FOLDS), tmp_path)
    lines = []
    control = np.tile([0.7, 0.3], (len(two), 1))
    write_report(runs, two, {"length only": control}, tmp_path, lines.append)
    report = json.loads((tmp_path / "comparison.json").read_text())
    page = (tmp_path / "comparison.md").read_text()
    share = died.mean()
    assert report["positive"] == {"class": "died", "share": pytest.approx(share)}
    # Held-out scores are pooled over the folds, then ranked; the control has one score for all.
    pooled = pd.read_csv(tmp_path / "strong_predictions.csv")["prob_died"].to_numpy()
    expected = roc_auc_score(died, pooled), average_precision_score(died, pooled)
    strong, control = report["metrics"]["strong"], report["metrics"]["length only"]
    assert (strong["roc_auc"], strong["pr_auc"]) == pytest.approx(expected)
    assert (control["roc_auc"], control["pr_auc"]) == pytest.approx((0.5, share))
    interval = strong["intervals"]["roc_auc"]
    assert f"| strong | {expected[0]:.3f} [{interval['low']:.3f}, {interval['high']:.3f}] | {expected[1]:.3f} [" in page
    assert "|  | AUROC | AUPRC | min(+P, Se) | macro-F1 | F1 survived | F1 died | accuracy |" in page
    assert f"AUROC of 0.500 and an AUPRC of {share:.3f}, the share of the positive class, died." in page
    difference = report["differences"]["strong"]
    assert difference["roc_auc"]["difference"] == pytest.approx(expected[0] - report["metrics"]["weak"]["roc_auc"])
    assert difference["verdict_roc_auc"].startswith("better")
    assert report["pairs_roc_auc"]["strong"]["weak"] == difference["roc_auc"]
    assert "|  | to | AUROC | verdict on AUROC | AUPRC | min(+P, Se) | macro-F1 | verdict on macro-F1 | F1 surv" in page
    assert "## Paired difference of AUROC, row less column" in page
    # Runs 0 to 3 have an AUROC of 0.50, 0.52, 0.54 and 0.56; the first has no min(+P, Se).
    assert "| weak | 0.530 ± 0.026 | 0.300 ± 0.000 | 0.250 ± 0.000 (3 of 4) |" in page
    assert "![ranking.png](ranking.png)" in page and (tmp_path / "ranking.png").stat().st_size > 1000
    assert any(line.startswith("positive: died") for line in lines)
    assert any(line.strip().startswith("AUROC: +") for line in lines)


def test_other_sets_have_no_ranking_figure(four_classes):
    folder, _ = four_classes
    report = json.loads((folder / "comparison.json").read_text())
    assert report["positive"] is None and report["pairs_roc_auc"] is None
    assert not (folder / "ranking.png").exists()
    page = (folder / "comparison.md").read_text()
    assert "AUROC" not in page and "| N/A/O mean | accuracy |" in page


def test_offsets_and_temperature_come_from_validation(data, tmp_path):
    runs, _ = make_up(data, single_folds(FOLDS), tmp_path)
    plain = held_out(runs[-FOLDS:], data.record_ids)
    offset = held_out(runs[-FOLDS:], data.record_ids, change=with_class_offsets)
    # The third class is held back, because validation has far too much of it; the held-out records have not.
    assert (plain[0].argmax(axis=1) == 2).sum() > (offset[0].argmax(axis=1) == 2).sum()
    scaled = held_out(runs[-FOLDS:], data.record_ids, change=with_temperature)
    assert (scaled[0].argmax(axis=1) == plain[0].argmax(axis=1)).all()
    assert scaled[0].max(axis=1).mean() < plain[0].max(axis=1).mean()


@pytest.mark.slow
def test_a_wilcoxon_test_counts_folds_not_their_seeds(data, tmp_path):
    runs, _ = make_up(data, single_folds(FOLDS), tmp_path / "a", seeds=(1, 2, 3))
    report = write_and_read(runs, data, tmp_path / "a")
    assert report["differences"]["strong"]["wilcoxon"]["reason"].endswith("there are 4")
    runs, held = make_up(data, inner_folds(FOLDS), tmp_path / "b", seeds=(1, 2, 3))
    report = write_and_read(runs, data, tmp_path / "b", held)
    assert "inner folds share" in report["differences"]["strong"]["wilcoxon"]["reason"]


def test_a_chosen_row_says_what_it_is_on_each_fold(data, tmp_path):
    runs, _ = make_up(data, single_folds(FOLDS), tmp_path)
    weak, strong = dict.fromkeys(run.row for run in runs)
    names = [weak, strong, weak, weak]
    chosen = dataclasses.replace(weak, name="chosen", of_folds=tuple((row.name, tuple(row.options())) for row in names))
    lines = []
    write_report(
        list_runs([weak, strong, chosen], [1], single_folds(FOLDS), tmp_path), data, {}, tmp_path, lines.append
    )
    report = json.loads((tmp_path / "comparison.json").read_text())
    assert report["chosen"] == {"chosen": ["weak", "strong", "weak", "weak"]}
    assert report["rows"].keys() == report["recipes"].keys() == {"weak", "strong"}
    assert "chosen: fold 0 weak, fold 1 strong, fold 2 weak, fold 3 weak" in lines
    assert (
        "| chosen | fold 0: weak; fold 1: strong; fold 2: weak; fold 3: weak |"
        in (tmp_path / "comparison.md").read_text()
    )


def test_inner_folds_report_what_they_choose(data, tmp_path):
    runs, held = make_up(data, inner_folds(FOLDS), tmp_path)
    lines = []
    write_report(runs, data, {}, tmp_path, lines.append, held)
    choices = json.loads((tmp_path / "comparison.json").read_text())["choices"]
    assert [choice["fold"] for choice in choices] == [0, 1, 2, 3]
    assert {choice["chosen"] for choice in choices} == {"strong"}
    assert "Rows that the inner folds choose" in (tmp_path / "comparison.md").read_text()
    assert any("pooled, 2 times each" in line for line in lines)

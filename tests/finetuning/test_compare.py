"""Cross-validated comparison: folds pooled in order, controls beside them, budgets that do not mix."""

import json

import numpy as np
import pytest

from finetuning import compare
from finetuning.comparison import Candidate, _in_order, length_only_probabilities
from transplant.datasets.labelled_set import LabelledSet
from transplant.errors import OptionError
from transplant.evaluation.metrics import macro_f1
from transplant.evaluation.predictions import read_predictions
from transplant.training.splits import stratified_folds


def test_pooled_rows_stand_in_the_order_of_the_set():
    parts = [
        {"record_names": ["c", "a"], "y_prob": np.array([[0.3, 0.7], [0.1, 0.9]])},
        {"record_names": ["b"], "y_prob": np.array([[0.2, 0.8]])},
    ]
    np.testing.assert_array_equal(_in_order(parts, np.array(["a", "b", "c"]))[:, 0], [0.1, 0.2, 0.3])


def test_the_length_only_classifier_sees_the_length_and_nothing_else(small_set):
    data = LabelledSet.load(small_set)
    lengths = np.where(data.y == 1, 100, 200) + np.arange(len(data)) % 3
    x = np.zeros_like(data.x)
    for row, length in enumerate(lengths):
        x[row, -length:] = 1.0
    told = LabelledSet(**{**_fields(data), "x": x, "lengths": lengths})
    guess = length_only_probabilities(told, 4, 0).argmax(axis=1)
    assert ((guess == 1) == (data.y == 1)).all()
    silent = LabelledSet(**{**_fields(data), "lengths": np.full(len(data), 1024)})
    guess = length_only_probabilities(silent, 4, 0).argmax(axis=1)
    assert macro_f1(data.y, guess, 4) < 0.25


def _fields(data):
    names = ("x", "lengths", "y", "classes", "record_ids", "group_ids", "sampling_rate_hz", "leads", "dataset")
    return {name: getattr(data, name) for name in names} | {"label_version": "test"}


def test_candidates_have_names(tmp_path):
    assert Candidate.parse("random") == Candidate("random", None)
    assert Candidate.parse("start=random") == Candidate("start", None)
    with pytest.raises(OptionError, match="nowhere"):
        Candidate.parse("nowhere.npz")


@pytest.mark.slow
def test_a_comparison_from_the_command_line(small_set, tmp_path, capsys):
    job = tmp_path / "job"
    arguments = ["--train", str(small_set), "--init", "random", "again=random", "--folds", "2", "--epochs", "1"]
    arguments += ["--shuffled-labels", "--val-size", "0.25", "--job-dir", str(job)]
    assert compare.main(arguments) == 0
    output = capsys.readouterr().out
    for row in ("random", "again", "again shuffled labels", "length only"):
        assert row in output
    # Same seed, same folds, same start: the difference of a row to its twin is exactly nothing.
    twin = json.loads((job / "comparison.json").read_text())["difference to random"]["again"]["macro_f1"]
    assert (twin["difference"], twin["low"], twin["high"]) == (0, 0, 0)
    data = LabelledSet.load(small_set)
    pooled = read_predictions(job / "random_predictions.csv")
    assert pooled["record_names"] == data.record_ids.tolist()
    for fold, (_, test) in enumerate(stratified_folds(data.y, data.group_ids, 2, 2024)):
        part = read_predictions(job / "random" / f"fold_{fold}" / "test_predictions.csv")
        assert sorted(part["record_names"]) == sorted(data.record_ids[test].tolist())
    # Finished runs are kept; another budget is refused.
    before = (job / "random" / "fold_0" / "metrics.json").stat().st_mtime_ns
    assert compare.main(arguments) == 0
    assert (job / "random" / "fold_0" / "metrics.json").stat().st_mtime_ns == before
    arguments[arguments.index("--epochs") + 1] = "2"
    assert compare.main(arguments) == 2
    assert "epochs 1 (now 2)" in capsys.readouterr().err

"""The fine-tuning command: what it prints, writes and refuses."""

import dataclasses
import gzip
import json
import os
import pickle
import time

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

import pretraining.trainer
from finetuning import compare, trainer
from finetuning.data import coarse_validation
from transplant.datasets.labelled_set import LabelledSet
from transplant.signals.normalization import fit_normalization
from transplant.training.folder_lock import folder_lock
from transplant.training.splits import stratified_folds
from transplant.training.weights import read_weights
from transplant.utils import read_predictions

SMALL = ["--stages", "1", "--batch-size", "16", "--val-size", "0.25", "--epochs", "2"]
PARTS = ("train", "val", "test")


def run(train, job, *options, recipe="paper"):
    """Fine-tune by the recipe that takes least, where it is not what is looked at."""
    return trainer.main(["--recipe", recipe, *SMALL, "--train", str(train), "--job-dir", str(job), *options])


def error_line(capsys):
    lines = capsys.readouterr().err.strip().splitlines()
    assert "Traceback" not in "".join(lines) and lines[-1].startswith("error: ")
    return lines[-1]


@pytest.fixture(scope="module")
def pretrained(small_store, tmp_path_factory):
    """Pretraining jobs by task, in the default folder of a working directory."""
    folder = tmp_path_factory.mktemp("work")
    before = os.getcwd()
    os.chdir(folder)
    try:
        for task in ("hr", "beat"):
            options = ["--stages", "1", "--frame-size", "256", "--batch-size", "8", "--steps-per-epoch", "2"]
            assert pretraining.trainer.main(["--task", task, "--train", str(small_store), *options]) == 0
            time.sleep(0.02)
    finally:
        os.chdir(before)
    return folder


@pytest.fixture(scope="module")
def finished(small_set, tmp_path_factory):
    job = tmp_path_factory.mktemp("finetuning") / "job"
    assert run(small_set, job, "--folds", "4", "--fold", "0", recipe="best") == 0
    return job


def test_predictions_have_the_notebooks_form(finished, small_set):
    data = LabelledSet.load(small_set)
    seen = []
    for split in ("train", "val", "test"):
        table = pd.read_csv(finished / f"{split}_predictions.csv", dtype={"record_name": str}, keep_default_na=False)
        assert list(table.columns) == ["record_name", *(f"true_{c}" for c in "ANO~"), *(f"prob_{c}" for c in "ANO~")]
        predictions = read_predictions(finished / f"{split}_predictions.csv")
        assert list(predictions["classes"]) == ["A", "N", "O", "~"]
        rows = [data.record_ids.tolist().index(name) for name in table["record_name"]]
        np.testing.assert_array_equal(predictions["y_true"].argmax(axis=1), data.y[rows])
        np.testing.assert_allclose(predictions["y_prob"].sum(axis=1), 1, atol=1e-6)
        seen += table["record_name"].tolist()
    assert sorted(seen) == sorted(data.record_ids.tolist())


def test_metrics_agree_with_scikit_learn(finished):
    metrics = json.loads((finished / "metrics.json").read_text())
    for split in ("train", "val", "test"):
        predictions = read_predictions(finished / f"{split}_predictions.csv")
        truth, guess = predictions["y_true"].argmax(axis=1), predictions["y_prob"].argmax(axis=1)
        expected = f1_score(truth, guess, labels=range(4), average="macro", zero_division=0)
        assert metrics[split]["macro_f1"] == pytest.approx(expected, abs=1e-12)
    interval = metrics["test"]["intervals"]["macro_f1"]
    assert interval["low"] <= metrics["test"]["macro_f1"] <= interval["high"]


def test_the_monitored_metric_is_the_reported_one(finished):
    history = pd.read_csv(finished / "history.csv")
    assert list(history.columns) == ["epoch", "loss", "acc", "val_loss", "val_acc", "f1"]
    metrics = json.loads((finished / "metrics.json").read_text())
    assert metrics["val"]["macro_f1"] == pytest.approx(history["f1"].max(), abs=1e-9)
    assert metrics["best_epoch"] == history["f1"].idxmax() + 1


def test_the_saved_model_predicts_what_was_reported(finished, small_set):
    model = keras.saving.load_model(finished / "best_model.keras")
    description = read_weights(finished / "best_weights.npz").description
    data = LabelledSet.load(small_set)
    predictions = read_predictions(finished / "test_predictions.csv")
    rows = [data.record_ids.tolist().index(name) for name in predictions["record_names"]]
    logits = model.predict(data.select(rows).standardized(description.normalization), verbose=0)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, predictions["y_prob"], atol=1e-5)


def test_normalisation_sees_the_training_part_alone(finished, small_set):
    data = LabelledSet.load(small_set)
    names = read_predictions(finished / "train_predictions.csv")["record_names"]
    part = data.select([data.record_ids.tolist().index(name) for name in names])
    assert read_weights(finished / "best_weights.npz").description.normalization == fit_normalization(
        part.x, part.lengths
    )


def test_lines_people_look_for(small_set, tmp_path, capsys):
    assert run(small_set, tmp_path / "job", "--epochs", "1") == 0
    output = capsys.readouterr().out
    assert "Split data into train 75.00% and validation 25.00%" in output
    assert "Train data shape: (48, 1024, 1)" in output
    assert "# model parameters: 116,676" in output
    assert "validation has 16 records (A " in output


def test_an_interrupted_run_says_how_it_goes_on(small_set, tmp_path, monkeypatch, capsys):
    def interrupted(args, job):
        raise KeyboardInterrupt

    monkeypatch.setattr("finetuning.training.run_finetuning", interrupted)
    assert run(small_set, tmp_path / "job") == 130
    assert capsys.readouterr().err == (
        f"interrupted; finetuning.trainer goes on with --resume --job-dir {tmp_path / 'job'}\n"
    )


def test_a_validation_set_that_can_choose_is_not_warned_of(small_set):
    data = LabelledSet.load(small_set)
    assert coarse_validation(None) is None and coarse_validation(data) is None
    lone = np.concatenate([np.flatnonzero(data.y != 3), np.flatnonzero(data.y == 3)[:1]])
    assert "~ 1" in coarse_validation(data.select(lone))


def test_weights_file_without_a_value_takes_the_newest_job(pretrained, small_set, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(pretrained)
    assert run(small_set, tmp_path / "job", "--epochs", "1", "--weights-file") == 0
    output = capsys.readouterr().out
    assert "beat-001" in output and "loaded 25 of 25 backbone tensors" in output
    assert run(small_set, tmp_path / "job2", "--epochs", "1", "--weights-file", "jobs/pretraining/hr-001") == 0
    assert "task hr" in capsys.readouterr().out


def test_weights_file_without_any_job_says_what_to_do(small_set, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(small_set, tmp_path / "job", "--weights-file") == 2
    assert "pretraining.trainer" in error_line(capsys)
    assert not (tmp_path / "job").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--arch", "resnet34"], "give --arch resnet18"),
        (["--stages", "2"], "stages"),
        (["--normalization", "none"], "zscore"),
    ],
)
def test_weights_of_another_network_or_input_are_refused(options, said, pretrained, small_set, tmp_path, capsys):
    weights = pretrained / "jobs" / "pretraining" / "beat-001" / "backbone.npz"
    assert run(small_set, tmp_path / "job", "--weights-file", str(weights), *options) == 2
    line = error_line(capsys)
    assert said in line and "backbone.npz" in line


@pytest.mark.slow
def test_first_epochs_differ_between_random_and_pretrained(pretrained, finished, small_set, tmp_path):
    weights = pretrained / "jobs" / "pretraining" / "beat-001"
    options = ["--folds", "4", "--fold", "0", "--weights-file", str(weights)]
    assert run(small_set, tmp_path / "job", *options, recipe="best") == 0
    histories = [pd.read_csv(job / "history.csv")["loss"][0] for job in (finished, tmp_path / "job")]
    assert histories[0] != histories[1]


@pytest.mark.slow
def test_newest_means_the_same_job_when_a_run_goes_on(pretrained, small_set, tmp_path, monkeypatch):
    monkeypatch.chdir(pretrained)
    constant = ["--schedule", "constant", "--warmup-steps", "0"]
    assert run(small_set, tmp_path / "job", "--weights-file", "--epochs", "1", *constant) == 0
    newer = pretrained / "jobs" / "pretraining" / "hr-001" / "backbone.npz"
    os.utime(newer)
    assert run(small_set, tmp_path / "job", "--weights-file", "--resume", *constant) == 0
    chosen = json.loads((tmp_path / "job" / "config.json").read_text())["options"]["weights_file"]
    assert "beat-001" in chosen
    past = (pretrained / "jobs" / "pretraining" / "beat-001" / "backbone.npz").stat().st_mtime - 10
    os.utime(newer, (past, past))


@pytest.mark.slow
def test_a_public_pickle_trains_from_pretrained_weights(pretrained, small_set, tmp_path, capsys):
    data = LabelledSet.load(small_set)
    values = data.standardized(fit_normalization(data.x, data.lengths))
    content = {"x": values, "y": data.one_hot(), "record_ids": data.record_ids, "classes": np.array(data.classes)}
    train = tmp_path / "physionet_train.pkl"
    with gzip.open(train, "wb") as stream:
        pickle.dump(content, stream, protocol=4)
    weights = str(pretrained / "jobs" / "pretraining" / "beat-001")
    assert run(train, tmp_path / "job", "--epochs", "1", "--weights-file", weights) == 0
    assert "loaded 25 of 25" in capsys.readouterr().out
    assert run(train, tmp_path / "other", "--normalization", "none") == 2
    assert "--normalization none" in error_line(capsys)


def test_without_validation_data_the_training_loss_chooses(small_set, tmp_path, capsys):
    assert run(small_set, tmp_path / "job", "--val-size", "0", "--val-metric", "loss") == 0
    assert not (tmp_path / "job" / "val_predictions.csv").exists()
    history = pd.read_csv(tmp_path / "job" / "history.csv")
    metrics = json.loads((tmp_path / "job" / "metrics.json").read_text())
    assert metrics["best_epoch"] == history["loss"].idxmin() + 1 and list(history) == ["epoch", "loss", "acc"]
    assert run(small_set, tmp_path / "f1", "--val-size", "0") == 2
    assert "--val-size" in error_line(capsys)


@pytest.mark.slow
def test_subset_keeps_a_stratified_share(small_set, tmp_path):
    assert run(small_set, tmp_path / "job", "--epochs", "1", "--subset", "0.5") == 0
    predictions = read_predictions(tmp_path / "job" / "train_predictions.csv")["y_true"]
    assert run(small_set, tmp_path / "whole", "--epochs", "1") == 0
    whole = read_predictions(tmp_path / "whole" / "train_predictions.csv")["y_true"]
    assert (np.abs(predictions.sum(axis=0) - whole.sum(axis=0) / 2) <= 0.5).all()


def test_shuffled_labels_keep_counts_and_change_order(small_set, tmp_path):
    assert run(small_set, tmp_path / "job", "--epochs", "1", "--shuffle-labels") == 0
    predictions = read_predictions(tmp_path / "job" / "train_predictions.csv")
    data = LabelledSet.load(small_set)
    rows = [data.record_ids.tolist().index(name) for name in predictions["record_names"]]
    shuffled = predictions["y_true"].argmax(axis=1)
    assert np.bincount(shuffled).tolist() == np.bincount(data.y[rows]).tolist()
    assert not np.array_equal(shuffled, data.y[rows])


def test_early_stopping_counts_epochs_without_improvement(small_set, tmp_path, capsys):
    options = ["--epochs", "12", "--patience", "1", "--learning-rate", "0.05"]
    assert run(small_set, tmp_path / "job", *options) == 0
    history = pd.read_csv(tmp_path / "job" / "history.csv")
    best = history["val_loss"].idxmin()
    assert len(history) < 12 and len(history) - 1 - best == 1
    assert f"since epoch {best + 1}" in capsys.readouterr().out


def test_auc_is_a_column_when_it_is_monitored(small_set, tmp_path):
    assert run(small_set, tmp_path / "job", "--val-metric", "auc") == 0
    history = pd.read_csv(tmp_path / "job" / "history.csv")
    assert "auc" in history.columns and history["auc"].between(0, 1).all()


@pytest.mark.slow
def test_two_folds_are_held_out_together(small_set, tmp_path):
    options = ["--folds", "4", "--fold", "0", "3", "--split-seed", "7", "--epochs", "1"]
    assert run(small_set, tmp_path / "job", *options) == 0
    data = LabelledSet.load(small_set)
    folds = stratified_folds(data.y, data.group_ids, 4, 7)
    names = {part: read_predictions(tmp_path / "job" / f"{part}_predictions.csv")["record_names"] for part in PARTS}
    assert sorted(names["test"]) == sorted(data.record_ids[np.concatenate([folds[0][1], folds[3][1]])].tolist())
    assert sorted(name for part in names.values() for name in part) == sorted(data.record_ids.tolist())


@pytest.mark.slow
def test_weights_of_the_very_set_are_pointed_out(small_set, tmp_path, capsys):
    assert run(small_set, tmp_path / "one", "--epochs", "1") == 0
    assert run(small_set, tmp_path / "two", "--epochs", "1", "--weights-file", str(tmp_path / "one")) == 0
    assert "was fine-tuned on this very set" in capsys.readouterr().out
    arguments = ["--train", str(small_set), "--init", str(tmp_path / "one"), "--job-dir", str(tmp_path / "job")]
    assert compare.main(arguments) == 2
    assert "fine-tuned on records of this very set" in capsys.readouterr().err


def test_a_job_is_one_processes_at_a_time(small_set, tmp_path, capsys):
    job = tmp_path / "job"
    job.mkdir()
    with folder_lock(job) as is_free:
        assert is_free
        assert run(small_set, job, "--epochs", "1") == 2
    assert "another process works on this job" in error_line(capsys)
    with folder_lock(job) as is_free:
        assert is_free


BAD_DATA = {
    "missing": "nowhere.npz",
    "truncated": "half.npz",
    "patient in two sets": "a patient must not be in both",
    "record in two sets": "a record must not be in both",
    "too few of a class": "~",
    "one class": "two classes or more",
    "subset": "a record of every class",
    "folder": "a folder with set.npz; name one",
    "fold": "--fold",
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_gives_one_line_and_status_2(case, small_set, tmp_path, capsys):
    train, options = small_set, []
    if case == "missing":
        train = tmp_path / "nowhere.npz"
    elif case == "truncated":
        train = tmp_path / "half.npz"
        train.write_bytes(small_set.read_bytes()[:5000])
    elif case == "patient in two sets":
        options = ["--test", str(small_set)]
    elif case == "folder":
        train = small_set.parent
    elif case == "record in two sets":
        data = LabelledSet.load(small_set)
        others = np.array([f"other {number}" for number in range(len(data))])
        dataclasses.replace(data, group_ids=others).save(tmp_path / "again.npz")
        options = ["--test", str(tmp_path / "again.npz")]
    elif case == "one class":
        data = LabelledSet.load(small_set)
        train = tmp_path / "one.npz"
        data.select(np.flatnonzero(data.y == 1)).save(train)
    elif case == "subset":
        options = ["--subset", "0.01"]
    elif case == "too few of a class":
        data = LabelledSet.load(small_set)
        rows = np.concatenate([np.flatnonzero(data.y == 1), np.flatnonzero(data.y == 3)[:1]])
        train = tmp_path / "few.npz"
        data.select(rows).save(train)
    else:
        options = ["--folds", "4", "--fold", "4"]
    assert run(train, tmp_path / "job", *options) == 2
    assert BAD_DATA[case] in error_line(capsys)
    assert not (tmp_path / "job").exists()


@pytest.mark.slow
def test_a_two_lead_set_tiles_the_stem_or_takes_one_channel(pretrained, small_set, tmp_path, capsys):
    data = LabelledSet.load(small_set)
    two = LabelledSet(
        **{
            name: getattr(data, name)
            for name in ("lengths", "y", "classes", "record_ids", "group_ids", "sampling_rate_hz", "dataset")
        },
        x=np.repeat(data.x, 2, axis=2),
        leads=("I", "II"),
        label_version="synthetic",
    )
    two.save(tmp_path / "two.npz")
    weights = str(pretrained / "jobs" / "pretraining" / "beat-001")
    assert run(tmp_path / "two.npz", tmp_path / "tiled", "--epochs", "1", "--weights-file", weights) == 0
    assert "tiled over 2 leads and divided by 2" in capsys.readouterr().out
    assert run(tmp_path / "two.npz", tmp_path / "one", "--epochs", "1", "--channel", "II") == 0
    assert read_weights(tmp_path / "one" / "best_weights.npz").description.leads == ("II",)

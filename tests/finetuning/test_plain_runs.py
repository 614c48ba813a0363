"""Plain networks and data sets by name, through the fine-tuning command."""

import json

import keras
import numpy as np
import pytest
from labelled_sets import grouped_set, hourly_set
from sklearn.datasets import load_digits

from finetuning import compare, prepare, trainer
from transplant.datasets.labelled_set import LabelledSet
from transplant.training.weights import read_weights
from transplant.utils import read_predictions


def error_line(capsys):
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines and lines[-1].startswith("error: ") and "Traceback" not in "".join(lines)
    return lines[-1]


@pytest.fixture(scope="module")
def grouped(tmp_path_factory):
    path = tmp_path_factory.mktemp("grouped") / "all.npz"
    grouped_set().save(path)
    return path


def test_a_data_set_by_name_and_a_plain_network(tmp_path, capsys):
    job = tmp_path / "job"
    options = ["--dataset", "digits", "--arch", "logistic", "--epochs", "3", "--check-leakage", "--verbose"]
    assert trainer.main([*options, "--job-dir", str(job)]) == 0
    printed = capsys.readouterr().out
    assert "recipe: plain with epochs 3" in printed and "# model parameters: 650" in printed
    predictions = read_predictions(job / "test_predictions.csv")
    assert predictions["y_prob"].shape == (360, 10)  # a fifth of 1,797
    model = keras.saving.load_model(job / "best_model.keras")
    description = read_weights(job / "best_weights.npz").description
    assert description.sampling_rate_hz is None and description.unit == "grey level"
    # The digits as scikit-learn has them, standardised by what the description says, give what was predicted.
    digits = load_digits()
    mean, std = description.normalization.mean[0], description.normalization.std[0]
    rows = [int(name.rpartition("-")[2]) for name in predictions["record_names"]]
    logits = model.predict((digits.images[rows, :, :, None] - mean) / std, verbose=0)
    np.testing.assert_allclose(keras.ops.softmax(logits), predictions["y_prob"], atol=1e-5)
    assert json.loads((job / "complexity.json").read_text())["totals"]["parameters"] == 650
    assert (job / "leakage.json").is_file()


def test_sgd_moves_the_weights_by_the_gradient_alone(grouped, tmp_path):
    options = ["--train", str(grouped), "--arch", "logistic", "--optimizer", "sgd", "--learning-rate", "0.1"]
    options += ["--val-size", "0", "--val-metric", "loss", "--epochs", "1", "--batch-size", "60"]
    assert trainer.main([*options, "--job-dir", str(tmp_path / "one")]) == 0
    after = read_weights(tmp_path / "one" / "best_weights.npz")
    data = LabelledSet.load(grouped)
    x = data.standardized(after.description.normalization).reshape(60, 20).astype(np.float64)
    from transplant.modules.classifier import build_classifier

    head = build_classifier("logistic", 3, input_shape=(20, 1), seed=2024).get_layer("head")
    kernel, bias = (np.asarray(weight, np.float64) for weight in head.get_weights())
    scores = np.exp(x @ kernel + bias)
    error = scores / scores.sum(axis=1, keepdims=True) - np.eye(3)[data.y]
    np.testing.assert_allclose(after.arrays["head/kernel"], kernel - 0.1 * x.T @ error / 60, atol=1e-5)
    np.testing.assert_allclose(after.arrays["head/bias"], bias - 0.1 * error.mean(axis=0), atol=1e-5)


def test_a_random_split_is_warned_of_and_one_by_group_is_not(grouped, tmp_path, capsys):
    options = ["--train", str(grouped), "--arch", "mlp-16", "--epochs", "1", "--val-size", "0.2"]
    options += ["--folds", "3", "--fold", "1"]
    assert trainer.main([*options, "--split", "random", "--job-dir", str(tmp_path / "random")]) == 0
    assert "warning: --split random put" in capsys.readouterr().out
    assert trainer.main([*options, "--job-dir", str(tmp_path / "whole")]) == 0
    assert "warning: --split random" not in capsys.readouterr().out
    data = LabelledSet.load(grouped)
    held = read_predictions(tmp_path / "whole" / "test_predictions.csv")["record_names"]
    tested = np.isin(data.record_ids, held)
    assert tested.sum() == 20 and not set(data.group_ids[tested]) & set(data.group_ids[~tested])


def test_one_group_is_left_out_at_a_time(grouped, tmp_path, capsys):
    options = ["--train", str(grouped), "--arch", "mlp-16", "--epochs", "1", "--val-size", "0", "--val-metric", "loss"]
    assert trainer.main([*options, "--folds", "logo", "--fold", "3", "--job-dir", str(tmp_path / "job")]) == 0
    held = read_predictions(tmp_path / "job" / "test_predictions.csv")["record_names"]
    data = LabelledSet.load(grouped)
    assert held == data.record_ids[data.group_ids == "g03"].tolist()
    capsys.readouterr()
    assert trainer.main([*options, "--folds", "logo", "--fold", "12", "--job-dir", str(tmp_path / "none")]) == 2
    assert "--fold is 0 to 11 with --folds logo" in error_line(capsys)
    assert trainer.main([*options, "--folds", "loo", "--fold", "0", "--job-dir", str(tmp_path / "none")]) == 2
    assert "logo" in error_line(capsys)


def test_a_balanced_training_set_leaves_validation_and_test_as_they_are(tmp_path):
    data = hourly_set()
    uneven = data.select(np.flatnonzero((data.y == 0) | (np.arange(60) % 6 == 1)))  # 30 and 10
    uneven.save(tmp_path / "set.npz")
    options = ["--train", str(tmp_path / "set.npz"), "--arch", "mlp3", "--epochs", "1", "--val-size", "0.25"]
    options += ["--training-set", "balanced", "--folds", "2", "--fold", "0"]
    assert trainer.main([*options, "--job-dir", str(tmp_path / "job")]) == 0
    counts = {
        part: read_predictions(tmp_path / "job" / f"{part}_predictions.csv")["y_true"].sum(axis=0).tolist()
        for part in ("train", "val", "test")
    }
    assert counts["train"][0] == counts["train"][1] and counts["test"] == [15, 5]
    assert counts["val"][0] > counts["val"][1]


def test_two_classes_are_monitored_by_auroc(tmp_path):
    hourly_set().save(tmp_path / "set.npz")
    options = ["--train", str(tmp_path / "set.npz"), "--arch", "mlp3", "--epochs", "2", "--val-size", "0.25"]
    assert trainer.main([*options, "--job-dir", str(tmp_path / "job")]) == 0
    metrics = json.loads((tmp_path / "job" / "metrics.json").read_text())
    assert metrics["monitor"] == "auc" and metrics["val"]["positive_class"] == "died"


@pytest.mark.slow
def test_a_comparison_of_plain_networks_over_random_folds(grouped, tmp_path, capsys):
    options = ["--train", str(grouped), "--init", "random", "--arch", "mlp-16", "logistic", "--folds", "2"]
    options += ["--split", "random", "--epochs", "1", "--job-dir", str(tmp_path / "job")]
    assert compare.main(options) == 0
    printed = capsys.readouterr().out
    assert "length only" not in printed and "at random: a group may be on both sides" in printed
    report = json.loads((tmp_path / "job" / "comparison.json").read_text())
    assert set(report["metrics"]) == {"mlp-16", "logistic"}
    assert all(values["n"] == 60 for values in report["metrics"].values())


@pytest.mark.parametrize(
    "options, message",
    [
        (["--dataset", "digits", "--arch", "resnet18"], "resnet18 does not fit the records"),
        (["--dataset", "seizure", "--arch", "mlp-16"], "--dataset seizure is read from files. Received: no --source"),
        (["--dataset", "digits", "--arch", "logistic", "--source", "D"], "--dataset digits reads no files. Received: "),
        (
            ["--dataset", "digits", "--arch", "logistic", "--label-version", "v2"],
            "--label-version is for --dataset challenge2017",
        ),
        (["--dataset", "digits", "--split", "published", "--arch", "logistic"], "digits, which has none"),
        (["--split", "published"], "--split published go with --dataset"),
        (["--source", "D"], "--source go with --dataset"),
        (["--dataset", "digits", "--arch", "logistic", "--augment", "noise"], "--augment is for signals"),
        (["--dataset", "digits", "--train", "x.npz"], "leave one of them out"),
        (["--train", "x.npz", "--columns", "76", "--no-masks"], "--masks, --columns go with --dataset"),
        (["--dataset", "digits", "--split", "published", "--test-size", "9", "--arch", "logistic"], "of its own"),
        (["--dataset", "digits", "--arch", "mlp-16", "--crop", "4"], "mlp-16 is built for the whole records"),
        (["--dataset", "digits", "--arch", "mlp-16", "--recipe", "best"], "has no --padding-aware"),
        (["--dataset", "digits", "--arch", "logistic", "--weights-file", "W"], "logistic is all head"),
        (["--arch", "logistic-features", "--dropout", "0.5"], "logistic-features is fitted at once"),
        (["--dataset", "digits", "--arch", "logistic", "--val-size", "0"], "or choose --val-metric loss"),
        (["--dataset", "digits", "--folds", "5", "--fold", "0", "--test-size", "0.2"], "leave out --test-size"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(options, message, tmp_path, capsys):
    assert trainer.main([*options, "--job-dir", str(tmp_path / "job")]) == 2
    assert message in error_line(capsys)
    assert not (tmp_path / "job").exists()


def test_without_a_test_part_all_is_trained_on(tmp_path):
    options = ["--dataset", "digits", "--arch", "logistic", "--epochs", "1", "--test-size", "0", "--val-size", "0"]
    assert trainer.main([*options, "--val-metric", "loss", "--job-dir", str(tmp_path / "job")]) == 0
    assert len(read_predictions(tmp_path / "job" / "train_predictions.csv")["y_prob"]) == 1797
    assert not (tmp_path / "job" / "test_predictions.csv").exists()


@pytest.mark.slow
def test_leaving_one_group_out_reports_pooled_scores_alone(grouped, tmp_path, capsys):
    data = LabelledSet.load(grouped)
    data.select(np.isin(data.group_ids, ["g00", "g01", "g03", "g04", "g06", "g07"])).save(tmp_path / "six.npz")
    options = ["--train", str(tmp_path / "six.npz"), "--init", "random", "--arch", "logistic-features"]
    options += ["--folds", "logo", "--val-size", "0.3", "--check-leakage", "--job-dir", str(tmp_path / "job")]
    with pytest.raises(SystemExit):
        compare.main([*options, "--", "--no-such-option"])
    assert compare.main(options) == 0
    report = json.loads((tmp_path / "job" / "comparison.json").read_text())
    (runs,) = report["runs"]
    # Of one class each, the groups' own macro-F1 would say nothing.
    assert runs["runs"] == 1 and runs["macro_f1"]["mean"] == report["metrics"]["random"]["macro_f1"]
    assert [line for line in report["design"] if line.startswith("leakage, fold 3: ")]


def test_preparing_by_number_and_at_random(tmp_path, capsys):
    out = tmp_path / "D"
    options = ["--dataset", "digits", "--test-size", "297", "--split", "random", "--check-leakage"]
    assert prepare.main([*options, "--out-dir", str(out)]) == 0
    assert len(LabelledSet.load(out / "test.npz")) == 297 and len(LabelledSet.load(out / "train.npz")) == 1500
    assert "--split random" in capsys.readouterr().out
    assert json.loads((out / "prepare.json").read_text())["shape"] == [8, 8, 1]

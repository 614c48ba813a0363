"""Each task trains by one command, on either kind of network, goes on exactly, and hands its backbone over."""

import numpy as np
import pandas as pd
import pytest

from finetuning import trainer as finetuning_trainer
from pretraining import trainer
from transplant.tasks.task import get_task, task_names
from transplant.training.weights import read_weights

SMALL = ["--stages", "1", "--frame-size", "256", "--batch-size", "4", "--steps-per-epoch", "2"]
SMALL += ["--val-patients", "2", "--val-size", "8", "--context-size", "2", "--ns", "2"]
# Half as long: a processor takes its time over float16.
EVERYTHING = ["--schedule", "cosine", "--ema", "0.9", "--mixed-precision", "float16", "--frame-size", "128"]


def run(store, task, job, *options):
    return trainer.main(["--task", task, "--train", str(store), "--job-dir", str(job), *SMALL, *options])


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


# Of two kinds: those that label a frame, and those that draw several.
QUICK = ("beat", "cpc")


@pytest.mark.parametrize(
    "task", [pytest.param(task, marks=[] if task == "beat" else pytest.mark.slow) for task in task_names()]
)
def test_it_trains_and_fine_tuning_starts_from_it(task, small_store, small_set, tmp_path, capsys):
    assert run(small_store, task, tmp_path / "job") == 0
    history = pd.read_csv(tmp_path / "job" / "history.csv")
    scores = ["acc", "val_acc", "f1"] if "f1" in get_task(task).monitors else []
    assert set(history.columns) == {"epoch", "loss", "val_loss", *scores}
    assert np.isfinite(history.to_numpy()).all()
    assert {"learning_curves.png", "frame.png"} <= {path.name for path in (tmp_path / "job").iterdir()}
    arguments = ["--train", str(small_set), "--recipe", "paper", "--stages", "1", "--val-size", "0.25", "--epochs", "1"]
    assert (
        finetuning_trainer.main([*arguments, "--weights-file", str(tmp_path / "job"), "--job-dir", str(tmp_path / "t")])
        == 0
    )
    assert f"(resnet18, task {task})" in capsys.readouterr().out


@pytest.mark.parametrize("task", ["beat", pytest.param("cpc", marks=pytest.mark.slow), "masked"])
def test_it_trains_on_spectrograms(task, small_store, tmp_path, capsys):
    options = ["--arch", "resnet18_2d", "--spectrogram", "draft", "--bins", "16"]
    assert run(small_store, task, tmp_path / "job", *options) == 0
    assert "--arch resnet18_2d --stages 1 --spectrogram draft --bins 16" in capsys.readouterr().out
    description = read_weights(tmp_path / "job" / "backbone.npz").description
    assert description.architecture == "resnet18_2d" and description.spectrogram["bins"] == 16


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "options"),
    [(task, EVERYTHING if task in QUICK else []) for task in task_names()],
)
def test_a_run_that_was_interrupted_ends_with_the_same_numbers(task, options, small_store, tmp_path, monkeypatch):
    assert run(small_store, task, tmp_path / "whole", "--epochs", "3", *options) == 0

    from transplant.training import loop

    save, calls = loop.save_checkpoint, []

    def stop_after_two(*arguments):
        save(*arguments)
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop, "save_checkpoint", stop_after_two)
        assert run(small_store, task, tmp_path / "parts", "--epochs", "3", *options) == 130
    assert run(small_store, task, tmp_path / "parts", "--epochs", "3", "--resume", *options) == 0
    whole, parts = (pd.read_csv(tmp_path / name / "history.csv") for name in ("whole", "parts"))
    pd.testing.assert_frame_equal(whole, parts, check_exact=True)
    for file in ("best_weights.npz", "epoch_03/weights.npz"):
        assert same(read_weights(tmp_path / "whole" / file).arrays, read_weights(tmp_path / "parts" / file).arrays)


def test_a_metric_that_a_task_does_not_have_is_refused(small_store, tmp_path, capsys):
    assert run(small_store, "masked", tmp_path / "job", "--val-metric", "f1") == 2
    assert "--val-metric of task masked is loss" in capsys.readouterr().err

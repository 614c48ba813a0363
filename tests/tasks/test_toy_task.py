"""A new task is one file: this one asks whether a frame holds an even number of beats."""

import numpy as np
import pandas as pd
import pytest

import transplant.tasks
from transplant.tasks import task as tasks

TOY = '''
"""Whether a frame holds an even number of complete beats."""

import numpy as np

from transplant.tasks.classification import FrameClassification


def label_frames(axis, starts, frame_size):
    return (axis.count_beats(starts, frame_size).sum(axis=1) % 2).astype(np.int32)


TASK = FrameClassification("parity", "whether a frame holds an odd number of beats", ("even", "odd"), label_frames)
'''


@pytest.fixture
def toy(tmp_path, monkeypatch):
    (tmp_path / "parity.py").write_text(TOY)
    monkeypatch.setattr(transplant.tasks, "__path__", [*transplant.tasks.__path__, str(tmp_path)])
    tasks._modules.cache_clear()
    yield tasks.get_task("parity")
    tasks._modules.cache_clear()


def test_it_is_offered_and_trained_without_any_other_change(toy, small_store, tmp_path, capsys):
    from pretraining import trainer

    assert "parity" in trainer.build_parser().format_help()
    job = tmp_path / "job"
    arguments = ["--task", "parity", "--stages", "1", "--frame-size", "512", "--batch-size", "8"]
    arguments += ["--steps-per-epoch", "2", "--train", str(small_store), "--val-patients", "2", "--val-size", "16"]
    assert trainer.main([*arguments, "--val-metric", "f1", "--job-dir", str(job)]) == 0
    assert "even " in capsys.readouterr().out
    history = pd.read_csv(job / "history.csv")
    assert list(history.columns) == ["epoch", "loss", "acc", "val_loss", "val_acc", "f1"]
    assert np.isfinite(history.to_numpy()).all()


def test_it_is_gone_afterwards():
    assert "parity" not in tasks.task_names()
    assert {"beat", "rhythm", "hr", "cpc"} <= set(tasks.task_names())

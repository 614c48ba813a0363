"""A distillation whose numbers are none any more: it stops at that iteration, and its file is not written."""

import numpy as np
import pytest
import tensorflow as tf

from distillation.condensation import trainer
from distillation.condensation.distribution_matching import DistributionMatching
from distillation.condensation.vanilla import VanillaDistillation

STEPS = {"dm": DistributionMatching, "vanilla": VanillaDistillation}
QUICK = ["--arch", "logistic", "--ipc", "2", "--iterations", "5"]


def spoil_loss(run, losses, value):
    return {"loss": value}


def spoil_another(run, losses, value):
    return losses | {"distance": np.array([1.0, value, value])}


def spoil_examples(run, losses, value):
    run.synthetic.x[3, 2].assign(tf.fill((8, 1), value))
    return losses


def spoil_labels(run, losses, value):
    run.synthetic.soft[1].assign(tf.fill((10,), value))
    return losses


def spoil_rates(run, losses, value):
    run.rates.raw[2].assign(value)
    return losses


NAN, INFINITE = float("nan"), float("inf")
EXAMPLES = "the examples must be numbers. Received: 8 of 1,280 values NaN or infinite"


@pytest.mark.parametrize(
    ("method", "spoil", "value", "message"),
    [
        ("dm", spoil_loss, NAN, "loss must be numbers. Received: 1 of 1 values NaN or infinite"),
        ("vanilla", spoil_loss, INFINITE, "loss must be numbers. Received: 1 of 1 values NaN or infinite"),
        ("dm", spoil_another, NAN, "distance must be numbers. Received: 2 of 3 values NaN or infinite"),
        ("dm", spoil_examples, NAN, EXAMPLES),
        ("dm", spoil_examples, -INFINITE, EXAMPLES),
        ("vanilla", spoil_examples, NAN, EXAMPLES),
        ("vanilla", spoil_labels, NAN, "the labels must be numbers. Received: 10 of 200 values NaN or infinite"),
        ("vanilla", spoil_rates, NAN, "the learning rates must be numbers. Received: 1 of 30 values NaN or infinite"),
    ],
)
def test_a_run_stops_with_one_line_that_names_what_is_no_number_and_when(
    method, spoil, value, message, tmp_path, monkeypatch, capsys
):
    steps = []

    def step(self, iteration):
        steps.append(iteration)
        return spoil(self, {"loss": 1.0}, value) if iteration == 3 else {"loss": 1.0}

    monkeypatch.setattr(STEPS[method], "step", step)
    job, labels = tmp_path / "job", ["--soft-labels"] if spoil is spoil_labels else []
    assert trainer.main(["--job-dir", str(job), "--method", method, *QUICK, *labels, "--look-every", "4"]) == 2
    error = capsys.readouterr().err
    assert error == f"error: iteration 3: {message}; start a new job with lower learning rates\n"
    assert steps == [1, 2, 3]
    assert not job.exists()  # nothing was finished that a run could go on from


def test_what_was_saved_before_stays_as_it_was(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        DistributionMatching,
        "step",
        lambda self, iteration: {"loss": float("nan") if iteration == 4 else 1.0},
    )
    monkeypatch.setattr("distillation.condensation.run.draw_distillation", lambda *_: None)
    job = tmp_path / "job"
    assert trainer.main(["--job-dir", str(job), "--method", "dm", *QUICK, "--look-every", "2"]) == 2
    assert "iteration 4: loss must be numbers" in capsys.readouterr().err
    assert not (job / "distilled.npz").exists()
    with np.load(job / "checkpoint.npz") as checkpoint:
        assert '"iteration": 2' in str(checkpoint["state"]) and np.isfinite(checkpoint["x"]).all()

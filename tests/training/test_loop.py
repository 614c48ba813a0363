"""The training loop: what it trains, chooses, writes and refuses."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
from small_run import (
    CLASSES,
    DESCRIPTION,
    EPOCHS,
    STEPS,
    batches,
    build_model,
    compile_classifier,
    run,
    signals,
    validator,
)
from test_scalar_log import events

from transplant.errors import JobError, OptionError, TrainingError
from transplant.training.loop import Plan, run_plan
from transplant.training.optimization import OptimizerSettings, build_optimizer
from transplant.training.weights import assign_weights, read_weights


def test_training_is_that_of_keras(tmp_path):
    """The same batches through `model.fit`, the last of an epoch smaller than the others."""
    ours = compile_classifier(build_model(), keras.optimizers.Adam(0.01))
    state, _, _ = run(tmp_path / "job", model=ours)
    theirs = compile_classifier(build_model(), keras.optimizers.Adam(0.01))
    for epoch in range(EPOCHS):
        history = theirs.fit(batches(epoch), shuffle=False, verbose=0).history
        assert state.history[epoch]["loss"] == pytest.approx(history["loss"][0], rel=1e-6)
        assert state.history[epoch]["acc"] == pytest.approx(history["acc"][0], rel=1e-6)
    assert not np.allclose(ours.get_weights()[0], build_model().get_weights()[0], atol=1e-3)
    for a, b in zip(ours.get_weights(), theirs.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_a_task_without_classes_has_the_columns_it_has(tmp_path):
    model = build_model()
    model.compile("adam", "mse", metrics=[keras.metrics.MeanAbsoluteError(name="mae")])
    x, y = signals()
    targets = np.eye(CLASSES, dtype=np.float32)[y]

    def validate():
        return {"explained": 0.5, "val_loss": float(((model(x).numpy() - targets) ** 2).mean())}

    def dataset(epoch):
        return batches(epoch).map(lambda x, y: (x, keras.ops.one_hot(y, CLASSES)))

    lines = []
    run_plan(Plan(2, STEPS, dataset, validate, "loss", "loss"), model, DESCRIPTION, tmp_path, lines.append)
    history = pd.read_csv(tmp_path / "history.csv")
    assert list(history.columns) == ["epoch", "loss", "val_loss", "mae", "explained"]
    assert "explained 0.5000" in lines[0] and "acc" not in lines[0]


def test_without_validation_the_training_loss_chooses(tmp_path):
    state, _, _ = run(tmp_path, validate=None)
    history = pd.read_csv(tmp_path / "history.csv")
    assert list(history.columns) == ["epoch", "loss", "acc"]
    assert state.best_epoch == history["loss"].idxmin() + 1


@pytest.mark.parametrize("which", ["monitor", "stop_metric"])
def test_a_metric_that_is_not_there_is_named_with_those_that_are(which, tmp_path):
    with pytest.raises(OptionError, match=r"monitored by loss or acc\. Received: f1"):
        run(tmp_path, **{which: "f1"})
    assert not list(tmp_path.glob("epoch_*"))


def test_the_average_is_validated_chosen_and_kept(tmp_path):
    settings = OptimizerSettings(learning_rate=0.05, ema=0.9)
    state, trained, _ = run(tmp_path, settings)
    for epoch in (2, 3):
        fresh = build_model(dropout=0.4)
        assign_weights(fresh, read_weights(tmp_path / f"epoch_{epoch:02d}" / "weights.npz"))
        assert validator(fresh)() == {k: state.history[epoch - 1][k] for k in ("val_loss", "val_acc")}
    raw = read_weights(tmp_path / "epoch_03" / "raw_weights.npz").arrays
    average = read_weights(tmp_path / "epoch_03" / "weights.npz").arrays
    assert np.array_equal(raw["conv/kernel"], trained.get_layer("conv").kernel.numpy())
    assert all(not np.array_equal(raw[key], average[key]) for key in raw if "random_state" not in key)
    best = read_weights(tmp_path / f"epoch_{state.best_epoch:02d}" / "weights.npz").arrays
    chosen = read_weights(tmp_path / "best_weights.npz").arrays
    assert all(np.array_equal(best[key], chosen[key]) for key in best)
    # Of an older epoch only what one would use is kept.
    assert sorted(p.name for p in (tmp_path / "epoch_01").iterdir()) == ["state.json", "weights.npz"]


def test_the_average_does_not_touch_training(tmp_path):
    plain, with_average = (run(tmp_path / str(ema), OptimizerSettings(0.05, ema=ema)) for ema in (0.0, 0.9))
    for a, b in zip(plain[1].get_weights(), with_average[1].get_weights()):
        np.testing.assert_array_equal(a, b)
    assert [row["loss"] for row in plain[0].history] == [row["loss"] for row in with_average[0].history]
    assert [row["val_loss"] for row in plain[0].history] != [row["val_loss"] for row in with_average[0].history]


def test_more_epochs_are_refused_where_the_schedule_depends_on_them(tmp_path):
    cosine = OptimizerSettings(schedule="cosine")
    run(tmp_path / "cosine", cosine, epochs=2)
    with pytest.raises(JobError, match="--epochs 3, began with 2; start a new job"):
        run(tmp_path / "cosine", cosine, epochs=3)
    constant = OptimizerSettings(warmup_steps=2)
    run(tmp_path / "constant", constant, epochs=2)
    assert run(tmp_path / "constant", constant, epochs=3)[0].epoch == 3


def test_scalars_are_those_of_the_history_once_after_a_resume(tmp_path):
    settings = OptimizerSettings(learning_rate=0.8, schedule="cosine")
    run(tmp_path, settings, stop_after=2, tensorboard=True)
    _, _, lines = run(tmp_path, settings, tensorboard=True)
    assert lines[0] == "resumed after epoch 2 of 3"
    found, _ = events(tmp_path / "tensorboard")
    history = pd.read_csv(tmp_path / "history.csv").set_index("epoch")
    assert [epoch for epoch, _ in found] == [1, 2, 3]
    for epoch, values in found:
        assert values.keys() == {*history.columns, "learning_rate", "input_wait"}
        assert values["val_loss"] == pytest.approx(history.loc[epoch, "val_loss"], rel=1e-6)
    # After 3, 6 and 9 of 9 steps: 0.4 (1 + cos(pi / 3)), 0.4 (1 + cos(2 pi / 3)), 0.
    assert [v["learning_rate"] for _, v in found] == pytest.approx([0.6, 0.2, 0.0], abs=1e-6)


def test_the_wait_for_input_is_a_part_of_the_training_time(tmp_path):
    _, _, lines = run(tmp_path)
    timing = pd.read_csv(tmp_path / "timing.csv")
    assert list(timing["epoch"]) == [1, 2, 3]
    assert (timing["input_wait_seconds"] > 0).all()
    assert (timing["input_wait_seconds"] < timing["train_seconds"]).all()
    assert (timing["train_seconds"] < timing["seconds"]).all()
    share = timing["input_wait_seconds"][2] / timing["train_seconds"][2]
    assert f"input wait {share:.0%}" in lines[2]
    assert "input" not in (tmp_path / "history.csv").read_text()


def test_a_step_of_a_models_own_may_report_what_it_likes(tmp_path):
    class Distilled(keras.Model):
        def train_step(self, data):
            return super().train_step(data) | {"imitation": 0.25}

    built = build_model()
    model = compile_classifier(Distilled(built.inputs, built.outputs), build_optimizer(OptimizerSettings(), 9))
    run(tmp_path, model=model)
    assert (pd.read_csv(tmp_path / "history.csv")["imitation"] == 0.25).all()


def test_a_loss_that_is_no_number_ends_the_run(tmp_path):
    with pytest.raises(TrainingError, match="loss of epoch 1 must be a number"):
        run(tmp_path, OptimizerSettings(learning_rate=1e38))


def test_state_says_how_long_the_run_shall_be(tmp_path):
    run(tmp_path, stop_after=1)
    state = json.loads((tmp_path / "epoch_01" / "state.json").read_text())
    assert (state["epoch"], state["planned_epochs"], len(state["history"])) == (1, EPOCHS, 1)

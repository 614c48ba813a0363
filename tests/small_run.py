"""A run of the training loop that takes a second: a tiny network on a few random signals."""

import keras
import numpy as np
import tensorflow as tf

from transplant.modules.batch_norm import make_batch_norm
from transplant.signals.normalization import Normalization
from transplant.training.description import ModelDescription
from transplant.training.loop import Plan, run_plan
from transplant.training.optimization import OptimizerSettings, build_optimizer

EPOCHS, BATCH_SIZE, CLASSES = 3, 4, 3
# Ten rows: the last batch of an epoch is smaller than the others.
ROWS, STEPS = 10, 3

DESCRIPTION = ModelDescription(
    architecture="tiny",
    stages=1,
    leads=("I",),
    sampling_rate_hz=250.0,
    unit="mV",
    normalization=Normalization.none(1),
    input_length=16,
    task="test",
    classes=("a", "b", "c"),
    data={"name": "random"},
    seed=7,
)


def signals():
    """Return float32 (10, 16, 1) and int32 (10,)."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(ROWS, 16, 1)).astype(np.float32), rng.integers(0, CLASSES, ROWS).astype(np.int32)


def batches(epoch=0):
    """Return the batches of an epoch."""
    order = np.random.default_rng((1, epoch)).permutation(ROWS)
    x, y = signals()
    return tf.data.Dataset.from_tensor_slices((x[order], y[order])).batch(BATCH_SIZE)


def build_model(dropout=0.0, batch_norm="fused"):
    """Build convolution, batch norm, dropout and head with fixed initial weights."""
    inputs = keras.Input((16, 1))
    initial = keras.initializers.RandomNormal(stddev=0.5, seed=3)
    x = keras.layers.Conv1D(4, 3, kernel_initializer=initial, use_bias=False, name="conv")(inputs)
    x = keras.layers.ReLU(name="relu")(make_batch_norm(batch_norm, momentum=0.9, name="bn")(x))
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    x = keras.layers.GlobalAveragePooling1D(name="pool")(x)
    return keras.Model(inputs, keras.layers.Dense(CLASSES, kernel_initializer=initial, dtype="float32", name="head")(x))


def compile_classifier(model, optimizer):
    """Compile with cross entropy and accuracy; return the model."""
    model.compile(
        optimizer,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="acc")],
    )
    return model


def validator(model):
    """Return a `validate` for a plan: loss and accuracy of the model on all rows, computed here."""

    def validate():
        x, y = signals()
        logits = model(x, training=False).numpy().astype(np.float64)
        right = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        accuracy = float((logits.argmax(axis=1) == y).mean())
        return {"val_loss": float(-right[np.arange(ROWS), y].mean()), "val_acc": accuracy}

    return validate


def run(job, settings=None, epochs=EPOCHS, model=None, stop_after=None, **plan):
    """Run, or go on with, a small job.

    Args:
        job: job folder.
        settings: `OptimizerSettings`; by default plain Adam.
        epochs: epochs.
        model: compiled model; by default a classifier with dropout.
        stop_after: end the run by an exception when this epoch's line is logged.
        **plan: further fields of the plan.

    Returns:
        (progression or None if the run was ended, model, lines).
    """
    settings = settings or OptimizerSettings()
    if model is None:
        model = compile_classifier(build_model(dropout=0.4), build_optimizer(settings, epochs * STEPS))
    fields = {"validate": validator(model), "monitor": "loss", "stop_metric": "loss"} | plan
    made = Plan(epochs=epochs, steps_per_epoch=STEPS, dataset_of_epoch=batches, settings=settings, **fields)
    lines = []

    def log(line):
        lines.append(line)
        if line.startswith(f"epoch {stop_after}/"):
            raise KeyboardInterrupt

    try:
        return run_plan(made, model, DESCRIPTION, job, log), model, lines
    except KeyboardInterrupt:
        return None, model, lines

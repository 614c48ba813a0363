"""The training loop that both trainers run: epoch by epoch, monitored, checkpointed, resumable."""

import dataclasses
import math
import pathlib
import time
from collections.abc import Callable

import keras
import pandas as pd

from transplant.atomic import atomic_path
from transplant.errors import TrainingError
from transplant.evaluation.metrics import better
from transplant.training.checkpoint import restore_newest, save_checkpoint
from transplant.training.progress import Progress, format_seconds
from transplant.training.weights import save_weights

BEST_WEIGHTS = "best_weights.npz"

# Column of history.csv that a monitored metric stands in: (with validation data, without).
_COLUMNS = {"loss": ("val_loss", "loss"), "acc": ("val_acc", "acc"), "f1": ("f1", None), "auc": ("auc", None)}


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run does.

    Attributes:
        epochs: number of epochs.
        steps_per_epoch: training steps in each.
        dataset_of_epoch: function epoch (from 0) -> tf.data.Dataset of that epoch's batches.
        validate: function () -> dict with val_loss, val_acc, f1 (and auc where
            it is monitored); None without validation data.
        monitor: loss, acc, f1 or auc: what the best weights are chosen by.
        stop_metric: the same choices, for early stopping.
        patience: epochs without improvement before stopping; None never stops.
        keep_weights: whether every epoch's weights are kept.
    """

    epochs: int
    steps_per_epoch: int
    dataset_of_epoch: Callable
    validate: Callable | None
    monitor: str
    stop_metric: str
    patience: int | None = None
    keep_weights: bool = True


class _StepProgress(keras.callbacks.Callback):
    """Feeds the progress line of the whole run."""

    def __init__(self, progress, epoch, epochs):
        super().__init__()
        self._progress = progress
        self._epoch = f"epoch {epoch}/{epochs}"

    def on_train_batch_end(self, batch, logs=None):
        self._progress.step(f"{self._epoch}, loss {logs['loss']:.4f}, acc {logs['acc']:.4f}")


def monitored_column(metric, has_validation):
    """Return the history column that a monitored metric stands in, or None if it needs validation data."""
    return _COLUMNS[metric][0 if has_validation else 1]


def run_plan(plan, model, description, job, log=print):
    """Train, or go on training, and leave history, best weights and checkpoints in the job folder.

    Each epoch: train, validate, keep the best weights, publish the checkpoint,
    rewrite history.csv and timing.csv from it. A run that is killed anywhere
    and started again ends with the same numbers.

    Args:
        plan: `Plan`.
        model: compiled `keras.Model` with metric "acc".
        description: its `ModelDescription`.
        job: job folder.
        log: function that takes a line.

    Returns:
        The final `Progression`.
    """
    job = pathlib.Path(job)
    model.optimizer.build(model.trainable_variables)
    state = restore_newest(job, model, description)
    if state.epoch:
        log(f"resumed after epoch {state.epoch} of {plan.epochs}")
        if state.best_epoch == state.epoch:
            # The run may have been killed between the checkpoint and this file.
            save_weights(job / BEST_WEIGHTS, model, description)
        _write_tables(job, state)
    progress = Progress((plan.epochs - state.epoch) * plan.steps_per_epoch, "steps")
    began = time.monotonic()
    first = state.epoch
    while state.epoch < plan.epochs and not _should_stop(plan, state):
        clock, cpu_clock = time.monotonic(), time.process_time()
        trained = model.fit(
            plan.dataset_of_epoch(state.epoch),
            shuffle=False,
            verbose=0,
            callbacks=[_StepProgress(progress, state.epoch + 1, plan.epochs)],
        ).history
        row = {"epoch": state.epoch + 1, "loss": trained["loss"][0], "acc": trained["acc"][0]}
        if not math.isfinite(row["loss"]):
            raise TrainingError(
                f"{job}: the loss of epoch {row['epoch']} must be a number. Received: {row['loss']}; "
                "the last checkpoint, if there is one, is kept; lower --learning-rate or leave out --mixed-precision"
            )
        row |= plan.validate() if plan.validate else {}
        state.epoch += 1
        state.history.append(row)
        is_best = _update_best(plan, state, row)
        state.timing.append(
            {
                "epoch": state.epoch,
                "seconds": time.monotonic() - clock,
                "cpu_seconds": time.process_time() - cpu_clock,
            }
        )
        save_checkpoint(job, model, description, state, plan.keep_weights)
        if is_best:
            save_weights(job / BEST_WEIGHTS, model, description)
        _write_tables(job, state)
        left = (time.monotonic() - began) / (state.epoch - first) * (plan.epochs - state.epoch)
        values = ", ".join(f"{name} {value:.4f}" for name, value in row.items() if name != "epoch")
        log(
            f"epoch {state.epoch}/{plan.epochs}: {values}{' (best)' if is_best else ''}"
            f" [{format_seconds(state.timing[-1]['seconds'])}, {format_seconds(left)} left]"
        )
    if state.epoch < plan.epochs:
        log(f"stopped early: no better {plan.stop_metric} since epoch {state.stop_epoch}")
    return state


def _update_best(plan, state, row):
    """Take note of the epoch's scores; return whether its weights are the best so far."""
    has_validation = plan.validate is not None
    score = row[monitored_column(plan.monitor, has_validation)]
    is_best = state.best_score is None or better(plan.monitor, score, state.best_score)
    if is_best:
        state.best_score, state.best_epoch = score, state.epoch
    stop_score = row[monitored_column(plan.stop_metric, has_validation)]
    if state.stop_score is None or better(plan.stop_metric, stop_score, state.stop_score):
        state.stop_score, state.stop_epoch = stop_score, state.epoch
    return is_best


def _should_stop(plan, state):
    return plan.patience is not None and state.epoch - state.stop_epoch >= plan.patience and state.epoch > 0


def _write_tables(job, state):
    columns = ["epoch", "loss", "acc", "val_loss", "val_acc", "f1"]
    history = pd.DataFrame(state.history)
    history = history.reindex(columns=columns + [c for c in history.columns if c not in columns])
    for name, table in (("history.csv", history), ("timing.csv", pd.DataFrame(state.timing))):
        with atomic_path(job / name) as temporary:
            table.to_csv(temporary, index=False)

"""The training loop that both trainers run: epoch by epoch, monitored, checkpointed, resumable."""

import contextlib
import dataclasses
import math
import pathlib
import shutil
import time
from collections.abc import Callable

import keras
import pandas as pd

from transplant.atomic import atomic_path
from transplant.errors import JobError, OptionError, TrainingError
from transplant.evaluation.metrics import better
from transplant.training.checkpoint import WEIGHTS, epoch_folder, restore_newest, save_checkpoint
from transplant.training.input_wait import TimedBatches
from transplant.training.optimization import OptimizerSettings
from transplant.training.progress import Progress, format_seconds
from transplant.training.runtime import seed_random_states
from transplant.training.scalar_log import FOLDER, ScalarLog
from transplant.training.step import make_step, train_epoch
from transplant.training.weight_average import WeightAverage

BEST_WEIGHTS = "best_weights.npz"

# Column of history.csv that a monitored metric stands in: (with validation data, without).
_COLUMNS = {
    "loss": ("val_loss", "loss"),
    "acc": ("val_acc", "acc"),
    "f1": ("f1", None),
    "auc": ("auc", None),
    "auprc": ("auprc", None),
}
# They come first in history.csv, where a task has them.
_FIRST = ("epoch", "loss", "acc", "val_loss", "val_acc", "f1")


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run does.

    Attributes:
        epochs: number of epochs.
        steps_per_epoch: training steps in each.
        dataset_of_epoch: function epoch (from 0) -> tf.data.Dataset of that epoch's batches.
        validate: function () -> dict of history columns, those of `monitor` and
            `stop_metric` among them; None without validation data.
        monitor: loss, acc, f1, auc or auprc: what the best weights are chosen by.
        stop_metric: the same choices, for early stopping.
        patience: epochs without improvement before stopping; None never stops.
        keep_weights: whether every epoch's weights are kept.
        settings: `OptimizerSettings` that the model's optimizer was built with.
            Defaults to plain Adam.
        tensorboard: whether to write scalars for TensorBoard. Defaults to False.
        trained: compiled model whose training step is run; it shares variables and
            optimizer with the model that is kept. Defaults to None: that model itself.
        spent_before: seconds and CPU seconds that the run took for what its epochs
            stand on, such as cached features; the first epoch's row counts them.
        shows_progress: whether steps move a progress line on stderr. Defaults to True;
            off where many runs are one line's steps.
    """

    epochs: int
    steps_per_epoch: int
    dataset_of_epoch: Callable
    validate: Callable | None
    monitor: str
    stop_metric: str
    patience: int | None = None
    keep_weights: bool = True
    settings: OptimizerSettings = dataclasses.field(default_factory=OptimizerSettings)
    tensorboard: bool = False
    trained: keras.Model | None = None
    spent_before: tuple = (0.0, 0.0)
    shows_progress: bool = True


def monitored_column(metric, has_validation):
    """Return the history column that a monitored metric stands in, or None if it needs validation data."""
    return _COLUMNS[metric][0 if has_validation else 1]


def run_plan(plan, model, description, job, log=print):
    """Train, or go on training, and leave history, best weights and checkpoints in the job folder.

    Each epoch: train, validate, publish the checkpoint, keep its weights if they
    are the best, rewrite history.csv and timing.csv. With an average of the
    weights, it is the average that is validated and kept. A run that is killed
    anywhere and started again ends with the same numbers.

    Args:
        plan: `Plan`.
        model: compiled `keras.Model`; its metrics are columns of the history.
        description: its `ModelDescription`; its seed sets the dropout of each epoch.
        job: job folder.
        log: function that takes a line.

    Returns:
        The final `Progression`.

    Raises:
        JobError: if the checkpoint is damaged, or belongs to other data or another schedule.
        OptionError: if nothing in the history is the monitored metric.
        TrainingError: if the loss is no longer a number.
    """
    job = pathlib.Path(job)
    with model.distribute_strategy.scope():
        model.optimizer.build(model.trainable_variables)
        average = WeightAverage(model, plan.settings.ema) if plan.settings.ema else None
    state = restore_newest(job, model, description, average)
    if state.epoch:
        _check_schedule(plan, state, job)
        log(f"resumed after epoch {state.epoch} of {plan.epochs}")
        if state.best_epoch == state.epoch:
            # The run may have been killed between the checkpoint and this file.
            _keep_best(job, state)
        _write_tables(job, state)
    state.planned_epochs = plan.epochs
    progress = Progress((plan.epochs - state.epoch) * plan.steps_per_epoch, "steps")
    began, first, step, trained_model = time.monotonic(), state.epoch, None, plan.trained or model
    clock, cpu_clock = began, time.process_time()
    if not state.epoch:
        clock, cpu_clock = clock - plan.spent_before[0], cpu_clock - plan.spent_before[1]
    with _scalar_log(plan, job, state) as scalars:
        while state.epoch < plan.epochs and not _should_stop(plan, state):
            train_clock = time.monotonic()
            seed_random_states(model, description.seed, state.epoch)
            dataset = plan.dataset_of_epoch(state.epoch)
            step = step or make_step(trained_model, dataset.element_spec, average)
            batches = TimedBatches(dataset)
            trained = train_epoch(trained_model, step, batches, _progress_note(progress, state.epoch + 1, plan))
            train_seconds = time.monotonic() - train_clock
            _check_loss(job, state.epoch + 1, trained["loss"])
            with average.applied() if average else contextlib.nullcontext():
                row = {"epoch": state.epoch + 1} | trained | (plan.validate() if plan.validate else {})
            state.epoch += 1
            state.history.append({name: row[name] for name in _FIRST if name in row} | row)
            is_best = _update_best(plan, state, row)
            # An epoch counts from the one before it: the checkpoint between them is a part of it.
            now, cpu_now = time.monotonic(), time.process_time()
            state.timing.append(
                {
                    "epoch": state.epoch,
                    "seconds": now - clock,
                    "cpu_seconds": cpu_now - cpu_clock,
                    "train_seconds": train_seconds,
                    "input_wait_seconds": batches.waited_s,
                    "learning_rate": float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)),
                }
            )
            clock, cpu_clock = now, cpu_now
            save_checkpoint(job, model, description, state, plan.keep_weights, average)
            if is_best:
                _keep_best(job, state)
            _write_tables(job, state)
            if scalars:
                scalars.write(*_scalars(state, -1))
            progress.clear()
            left = (time.monotonic() - began) / (state.epoch - first) * (plan.epochs - state.epoch)
            log(_epoch_line(plan, state, is_best, left))
    if state.epoch < plan.epochs:
        log(f"stopped early: no better {plan.stop_metric} since epoch {state.stop_epoch}")
    return state


def _check_schedule(plan, state, job):
    """Refuse another number of epochs where it would have changed the epochs so far."""
    if plan.settings.depends_on_total and state.planned_epochs != plan.epochs:
        raise JobError(
            f"{job}: with --schedule {plan.settings.schedule} every step's learning rate depends on the number of "
            f"epochs, so a job keeps it. Received: --epochs {plan.epochs}, began with {state.planned_epochs}; "
            "start a new job, with this one's weights as --weights-file"
        )


def _check_loss(job, epoch, loss):
    if not math.isfinite(loss):
        raise TrainingError(
            f"{job}: the loss of epoch {epoch} must be a number. Received: {loss}; "
            "the last checkpoint, if there is one, is kept; lower --learning-rate or leave out --mixed-precision"
        )


def _progress_note(progress, epoch, plan):
    """Return the function that moves the progress line on after a step."""
    if not plan.shows_progress:
        return lambda logs: None
    return lambda logs: progress.step(f"epoch {epoch}/{plan.epochs}, {_values(logs)}")


def _values(row):
    return ", ".join(f"{name} {value:.4f}" for name, value in row.items() if name != "epoch")


def _epoch_line(plan, state, is_best, left):
    timing = state.timing[-1]
    return (
        f"epoch {state.epoch}/{plan.epochs}: {_values(state.history[-1])}{' (best)' if is_best else ''}"
        f" [{format_seconds(timing['seconds'])}, input wait {_input_wait(timing):.0%}, {format_seconds(left)} left]"
    )


def _input_wait(timing):
    """Return the share of an epoch's training time in which the step waited for batches."""
    return timing["input_wait_seconds"] / timing["train_seconds"]


def _update_best(plan, state, row):
    """Take note of the epoch's scores; return whether its weights are the best so far."""
    score = _score(plan, plan.monitor, row)
    is_best = state.best_score is None or better(plan.monitor, score, state.best_score)
    if is_best:
        state.best_score, state.best_epoch = score, state.epoch
    stop_score = _score(plan, plan.stop_metric, row)
    if state.stop_score is None or better(plan.stop_metric, stop_score, state.stop_score):
        state.stop_score, state.stop_epoch = stop_score, state.epoch
    return is_best


def _score(plan, metric, row):
    """Return the epoch's value of a metric."""
    has_validation = plan.validate is not None
    column = monitored_column(metric, has_validation)
    if column not in row:
        there = [name for name in _COLUMNS if monitored_column(name, has_validation) in row]
        raise OptionError(f"this run can be monitored by {' or '.join(there)}. Received: {metric}")
    return row[column]


def _should_stop(plan, state):
    return plan.patience is not None and state.epoch - state.stop_epoch >= plan.patience and state.epoch > 0


def _keep_best(job, state):
    with atomic_path(job / BEST_WEIGHTS) as temporary:
        shutil.copyfile(epoch_folder(job, state.epoch) / WEIGHTS, temporary)


def _write_tables(job, state):
    for name, rows in (("history.csv", state.history), ("timing.csv", state.timing)):
        with atomic_path(job / name) as temporary:
            pd.DataFrame(rows).to_csv(temporary, index=False)


def _scalar_log(plan, job, state):
    """Return a context with the `ScalarLog` of the run, or with None."""
    if not plan.tensorboard:
        return contextlib.nullcontext()
    return contextlib.closing(ScalarLog(job / FOLDER, [_scalars(state, index) for index in range(state.epoch)]))


def _scalars(state, index):
    row, timing = state.history[index], state.timing[index]
    values = {name: value for name, value in row.items() if name != "epoch"}
    return row["epoch"], values | {"learning_rate": timing["learning_rate"], "input_wait": _input_wait(timing)}

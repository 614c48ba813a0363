"""What a run cost until its best epoch, from its history.csv and timing.csv."""

import pathlib

import numpy as np

from transplant.errors import DataError


def best_epoch(history, column="f1"):
    """Return the epoch with the best value of a column, on ties the first.

    Args:
        history: pandas.DataFrame with `epoch` (from 1) and the column.
        column: of the history; the lowest is best if its name ends in "loss",
            else the highest. Defaults to "f1".

    Raises:
        DataError: if the history lacks the column, or it holds no number.
    """
    missing = [name for name in ("epoch", column) if name not in history]
    if missing or not history[column].notna().any():
        raise DataError(
            f"The best epoch is found by a column of the history. Received: {column}, among {', '.join(history)}"
        )
    row = history[column].idxmin() if column.endswith("loss") else history[column].idxmax()
    return int(history.loc[row, "epoch"])


def cost_to_epoch(timing, epoch):
    """Return what a run spent up to and including an epoch: with validation, and the checkpoints before it.

    Args:
        timing: pandas.DataFrame with `epoch` (from 1) and `cpu_seconds`, those
            of all threads, one row for each epoch.
        epoch: the last epoch that counts.

    Returns:
        dict with `epochs_to_best` (int) and `cpu_minutes_to_best`.

    Raises:
        DataError: unless each of the epochs 1 to `epoch` stands there once, with a number.
    """
    missing = [name for name in ("epoch", "cpu_seconds") if name not in timing]
    if missing:
        raise DataError(f"CPU time needs columns epoch and cpu_seconds. Received: none for {', '.join(missing)}")
    spent = timing.loc[timing["epoch"] <= epoch]
    if sorted(spent["epoch"]) != list(range(1, epoch + 1)) or not np.isfinite(spent["cpu_seconds"]).all():
        raise DataError(
            f"CPU time to epoch {epoch} needs one row for each epoch from 1, with a number. "
            f"Received: epochs {', '.join(map(str, spent['epoch'])) or 'none'}"
        )
    return {"epochs_to_best": int(epoch), "cpu_minutes_to_best": float(spent["cpu_seconds"].sum() / 60)}


def read_cost_to_best(job, column="f1"):
    """Return `cost_to_epoch` of the best epoch of a job folder.

    Args:
        job: folder with history.csv and timing.csv.
        column: of history.csv that the best epoch is chosen by. Defaults to "f1".

    Raises:
        DataError: if a file is missing or lacks a column.
    """
    job = pathlib.Path(job)
    try:
        return cost_to_epoch(_read(job / "timing.csv"), best_epoch(_read(job / "history.csv"), column))
    except DataError as error:
        raise DataError(f"{job}: {error}") from error


def _read(path):
    import pandas as pd

    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path.name} must be a table of a run. Received: {error}") from error

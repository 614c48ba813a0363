"""Files of windows: ours, and the pickles of the public code."""

import pathlib

import numpy as np

from pretraining.window_set import WindowSet, window_settings
from transplant.datasets.icentia11k import PAPER_MEAN_MV, PAPER_STD_MV, SAMPLING_RATE_HZ
from transplant.datasets.icentia11k_files import LEAD
from transplant.datasets.safe_pickle import load_safe_pickle
from transplant.errors import DataError
from transplant.signals.normalization import Normalization
from transplant.tasks.task import task_options

# What the public code's tasks call their inputs.
_PUBLIC_TASKS = {"beat": ("signal",), "rhythm": ("signal",), "hr": ("signal",), "cpc": ("context", "samples")}


def load_windows(path, task, options, **recorder):
    """Read a file of windows, whichever of the two kinds it is.

    Args:
        path: written by `--cache-val`, or a pickle of the public code.
        task: `Task` of the run.
        options: of the run, as the task wants them.
        **recorder: what the recordings of the run decide, where there are any, as
            `recorder_settings` gives it.

    Returns:
        `WindowSet`.

    Raises:
        UnsafeFileError: if a pickle asks for anything but arrays; nothing was run.
        DataError: if the file is missing or damaged, or its windows are not what the run asks for.
    """
    with _opened(path) as file:
        is_archive = file.read(2) == b"PK"
    windows = WindowSet.load(path) if is_archive else load_public_windows(path, task, options)
    windows.check_settings(window_settings(task, options) | recorder, path)
    if task.classes(options):
        _check_labels(path, windows.labels, len(task.classes(options)))
    return windows


def _opened(path):
    try:
        return open(path, "rb")
    except OSError as error:
        raise DataError(f"{path}: a file of windows is needed. Received: {error.strerror}; check the path") from error


def load_public_windows(path, task, options):
    """Read the public code's pickle {"x", "y", "patient_ids"}.

    There `x` is float32 (windows, time, 1), or for cpc a dict of `context` and
    `samples` (windows, frames, time, 1), standardised by the constants published for
    Icentia11k; `y` is the class index. `patient_ids` holds one id for each window
    in a training file, and each patient's id once in a file of validation windows.
    The pickle does not say which task, offset and overlap it was made with: those
    of the run are taken.

    Args, returns and raises: see `load_windows`.
    """
    path = pathlib.Path(path)
    if task.name not in _PUBLIC_TASKS:
        raise DataError(
            f"{path}: a pickle of the public code is of task {', '.join(_PUBLIC_TASKS)}. Received: --task {task.name}; "
            "use a file written by --cache-val"
        )
    values = load_safe_pickle(path)
    try:
        inputs = values["x"] if isinstance(values["x"], dict) else {"signal": values["x"]}
        inputs = {name: np.asarray(inputs[name], np.float32) for name in sorted(inputs)}
        labels, patients = np.asarray(values["y"]), np.asarray(values["patient_ids"]).astype(str)
        frame_size, leads = inputs[next(iter(inputs))].shape[-2:]
    except (KeyError, TypeError, ValueError, IndexError, StopIteration) as error:
        raise DataError(
            f"{path}: a pickle with frames x, labels y and patient_ids is needed. "
            f"Received: {type(error).__name__} ({error}); write the file again"
        ) from error
    _check_frames(path, _PUBLIC_TASKS[task.name], inputs, labels)
    settings = {"task": task.name, **task_options(task, options)}
    if task.name == "cpc":
        settings |= {"context_size": inputs["context"].shape[1], "ns": inputs["samples"].shape[1] - 1}
    settings |= {"frame_size": frame_size, "sampling_rate_hz": float(SAMPLING_RATE_HZ), "leads": leads}
    return WindowSet(
        inputs,
        labels.astype(task.label_dtype) if labels.dtype.kind in "iu" else labels,
        sorted(set(patients.tolist())),
        settings,
        (LEAD,) * leads,
        Normalization.paper("icentia11k", PAPER_MEAN_MV, PAPER_STD_MV, leads),
        patients if patients.shape == labels.shape else None,
    )


def _check_frames(path, names, inputs, labels):
    frame_axes = 3 if len(names) == 1 else 4
    if tuple(inputs) != names or any(x.ndim != frame_axes or len(x) != len(labels) for x in inputs.values()):
        shapes = ", ".join(f"{name} {array.shape}" for name, array in inputs.items())
        raise DataError(
            f"{path}: windows of this task are {' and '.join(names)} with {frame_axes} axes, as many as labels. "
            f"Received: {shapes}, {len(labels)} labels; is it a file of another task?"
        )
    if not all(np.isfinite(x).all() for x in inputs.values()):
        raise DataError(f"{path}: frames must be finite. Received: NaN or infinite values; write the file again")


def _check_labels(path, labels, classes):
    whole = labels.ndim == 1 and labels.dtype.kind in "iu"
    if not len(labels) or not whole or labels.min() < 0 or labels.max() >= classes:
        shown = f"{labels.min()} to {labels.max()}" if whole and len(labels) else f"{labels.dtype} {labels.shape}"
        raise DataError(
            f"{path}: labels of this task are class indices 0 to {classes - 1}. Received: {shown}; "
            "is it a file of another task?"
        )

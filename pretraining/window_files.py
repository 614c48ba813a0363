"""Files of windows: ours, and the pickles of the public code."""

import dataclasses
import pathlib

import numpy as np

from pretraining.sources import canonical_id
from pretraining.window_set import WindowSet, window_settings
from transplant.datasets.icentia11k import PAPER_MEAN_MV, PAPER_STD_MV, SAMPLING_RATE_HZ
from transplant.datasets.icentia11k_files import LEAD
from transplant.datasets.safe_pickle import load_safe_pickle
from transplant.errors import DataError
from transplant.signals.normalization import Normalization
from transplant.tasks.task import task_options

_PUBLIC_TASKS = ("beat", "rhythm", "hr", "cpc")


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
    _check_shapes(path, task, options, windows)
    windows.check_settings(window_settings(task, options) | recorder, path)
    if task.classes(options):
        _check_labels(path, windows.labels, len(task.classes(options)))
    return dataclasses.replace(windows, labels=windows.labels.astype(task.label_dtype, copy=False))


def _opened(path):
    try:
        return open(path, "rb")
    except OSError as error:
        raise DataError(f"{path}: a file of windows is needed. Received: {error.strerror}; check the path") from error


def load_public_windows(path, task, options):
    """Read the public code's pickle {"x", "y", "patient_ids"}.

    There `x` is float32 (windows, time, 1), or for cpc a dict of `context` and
    `samples` (windows, frames, time, 1), at 250 Hz and standardised by the constants
    published for Icentia11k; `y` is the class index. `patient_ids` holds one id for
    each window in a training file, and each patient's id once in a file of
    validation windows. The pickle does not say which task, offset and overlap it
    was made with: those of the run are taken.

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
        labels, patients = np.asarray(values["y"]), np.asarray(values["patient_ids"])
        first = next(iter(inputs.values()))
        frame_size, leads = first.shape[-2:]
    except (KeyError, TypeError, ValueError, IndexError, StopIteration) as error:
        raise DataError(
            f"{path}: a pickle with frames x, labels y and patient_ids is needed. "
            f"Received: {type(error).__name__} ({error}); write the file again"
        ) from error
    patients = _names(path, patients)
    settings = {"task": task.name, **task_options(task, options)}
    if {"context", "samples"} <= inputs.keys():
        frames = {name: inputs[name].shape[1] if inputs[name].ndim > 1 else 0 for name in ("context", "samples")}
        settings |= {"context_size": frames["context"], "ns": frames["samples"] - 1}
    settings |= {"frame_size": frame_size, "sampling_rate_hz": float(SAMPLING_RATE_HZ), "leads": leads}
    return WindowSet(
        inputs,
        labels,
        sorted(set(patients.tolist())),
        settings,
        (LEAD,) * leads,
        Normalization.paper("icentia11k", PAPER_MEAN_MV, PAPER_STD_MV, leads),
        patients if patients.shape == labels.shape else None,
    )


def _names(path, patients):
    """Return patient ids as text, one form for each patient however its number is written."""
    whole = patients.dtype.kind in "iu" or (patients.dtype.kind == "f" and (patients == np.floor(patients)).all())
    if patients.ndim != 1 or not patients.size or not (whole or patients.dtype.kind == "U"):
        raise DataError(
            f"{path}: patient_ids are numbers or names, one for each window or one for each patient. "
            f"Received: {patients.dtype} {patients.shape}; write the file again"
        )
    texts = (patients.astype(np.int64) if whole else patients).astype(str).tolist()
    return np.array([canonical_id(text.strip()) for text in texts])


def _check_shapes(path, task, options, windows):
    """Refuse arrays that cannot be windows of the task."""
    frames, labels = {name: (*shape, -1, -1) for name, shape in task.frames_shape(options).items()}, windows.labels
    count = len(labels) if labels.ndim else 0
    ranks = {name: 1 + len(shape) for name, shape in frames.items()}
    alike = {x.shape[-2:] for x in windows.inputs.values()}
    if (
        not count
        or {name: x.ndim for name, x in windows.inputs.items()} != ranks
        or any(len(x) != count for x in windows.inputs.values())
        or len(alike) != 1
        or (windows.owners is not None and windows.owners.shape != (count,))
    ):
        wanted = " and ".join(f"{name} with {rank} axes" for name, rank in ranks.items())
        shapes = ", ".join(f"{name} {array.shape}" for name, array in windows.inputs.items())
        raise DataError(
            f"{path}: windows of task {task.name} are {wanted}, as many as labels. "
            f"Received: {shapes or 'none'}, labels {labels.shape}; is it a file of another task?"
        )
    if not all(np.isfinite(x).all() for x in windows.inputs.values()):
        raise DataError(f"{path}: frames must be finite. Received: NaN or infinite values; write the file again")


def _check_labels(path, labels, classes):
    whole = labels.ndim == 1 and labels.dtype.kind in "iu"
    if not whole or labels.min() < 0 or labels.max() >= classes:
        shown = f"{labels.min()} to {labels.max()}" if whole else f"{labels.dtype} {labels.shape}"
        raise DataError(
            f"{path}: labels of this task are class indices 0 to {classes - 1}. Received: {shown}; "
            "is it a file of another task?"
        )

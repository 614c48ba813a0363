"""Checkpoints: one folder per epoch, published by one rename, from which a run goes on bit for bit."""

import dataclasses
import json
import pathlib
import re
import shutil

import keras
import numpy as np

from transplant.errors import JobError
from transplant.training.atomic import atomic_directory
from transplant.training.weights import assign_weights, read_weights, save_weights

_FOLDER = re.compile(r"epoch_(\d+)$")


@dataclasses.dataclass
class Progression:
    """How far a run is.

    Attributes:
        epoch: finished epochs.
        history: one dict per finished epoch: column name -> float.
        timing: one dict per finished epoch: seconds, cpu_seconds.
        best_epoch: epoch (from 1) of the best weights, 0 before there are any.
        best_score: its monitored value.
        stop_score: best value of the early-stopping metric.
        stop_epoch: epoch of that value.
    """

    epoch: int = 0
    history: list = dataclasses.field(default_factory=list)
    timing: list = dataclasses.field(default_factory=list)
    best_epoch: int = 0
    best_score: float | None = None
    stop_score: float | None = None
    stop_epoch: int = 0


def epoch_folder(job, epoch):
    """Return the checkpoint folder of an epoch (from 1)."""
    return pathlib.Path(job) / f"epoch_{epoch:02d}"


def checkpoint_folders(job):
    """Return {epoch: folder} of the published checkpoints, in order."""
    found = {}
    for folder in pathlib.Path(job).glob("epoch_*"):
        match = _FOLDER.match(folder.name)
        if match and folder.is_dir():
            found[int(match[1])] = folder
    return dict(sorted(found.items()))


def save_checkpoint(job, model, description, progression, keep_weights):
    """Publish the checkpoint of `progression.epoch` and thin out older ones.

    Args:
        job: job folder.
        model: compiled `keras.Model` whose optimizer is built.
        description: `ModelDescription` of the model.
        progression: `Progression` after the epoch.
        keep_weights: keep the weights of every epoch (only the newest
            optimizer state is kept); False keeps the newest epoch alone.
    """
    with atomic_directory(epoch_folder(job, progression.epoch)) as folder:
        save_weights(folder / "weights.npz", model, description)
        optimizer = {k: keras.ops.convert_to_numpy(v) for k, v in _optimizer_variables(model.optimizer).items()}
        np.savez(folder / "optimizer.npz", **optimizer)
        (folder / "state.json").write_text(json.dumps(dataclasses.asdict(progression)))
    for epoch, folder in checkpoint_folders(job).items():
        if epoch < progression.epoch and keep_weights:
            (folder / "optimizer.npz").unlink(missing_ok=True)
        elif epoch < progression.epoch:
            # Renamed first: a folder that is half deleted must not look like a checkpoint.
            doomed = folder.with_name(f".{folder.name}-old")
            folder.rename(doomed)
            shutil.rmtree(doomed)


def restore_newest(job, model):
    """Set model and optimizer to the newest checkpoint from which a run can go on.

    Leftovers of a killed run (names that start with ".epoch_") are removed.

    Returns:
        Its `Progression`, or a fresh one if there is no checkpoint.

    Raises:
        JobError: if the checkpoint is damaged.
    """
    for leftover in pathlib.Path(job).glob(".epoch_*"):
        shutil.rmtree(leftover)
    folders = [f for f in checkpoint_folders(job).values() if (f / "optimizer.npz").is_file()]
    if not folders:
        return Progression()
    folder = folders[-1]
    try:
        state = json.loads((folder / "state.json").read_text())
        with np.load(folder / "optimizer.npz", allow_pickle=False) as arrays:
            _assign_optimizer(model.optimizer, dict(arrays))
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise JobError(f"{folder}: damaged checkpoint ({error}); remove this folder and resume again") from error
    assign_weights(model, read_weights(folder / "weights.npz"))
    return Progression(**state)


def _optimizer_variables(optimizer):
    """Return the optimizer's variables by a name that does not count the optimizers of the process."""
    return {f"{i:04d}/{v.path.partition('/')[2]}": v for i, v in enumerate(optimizer.variables)}


def _assign_optimizer(optimizer, arrays):
    variables = _optimizer_variables(optimizer)
    if variables.keys() != arrays.keys():
        raise ValueError(f"optimizer variables of another model, {len(arrays)} against {len(variables)}")
    for key, variable in variables.items():
        variable.assign(arrays[key])

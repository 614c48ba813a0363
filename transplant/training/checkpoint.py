"""Checkpoints: one folder per epoch, published by one rename, from which a run goes on bit for bit.

weights.npz holds the weights one would use: the average where the run keeps
one, and then raw_weights.npz those that training goes on with. optimizer.npz
holds the optimizer's variables, the loss scale and its step counter among them.
"""

import contextlib
import dataclasses
import json
import pathlib
import re
import shutil
import uuid
import zipfile
import zlib

import keras
import numpy as np

from transplant.atomic import atomic_directory, remove_leftovers
from transplant.errors import JobError, WeightsError
from transplant.training.weights import assign_weights, read_weights, save_weights

WEIGHTS = "weights.npz"
_RAW_WEIGHTS = "raw_weights.npz"
_OPTIMIZER = "optimizer.npz"
_STATE = "state.json"
_FOLDER = re.compile(r"epoch_(\d+)$")


@dataclasses.dataclass
class Progression:
    """How far a run is.

    Attributes:
        epoch: finished epochs.
        history: one dict per finished epoch: column name -> float.
        timing: one dict per finished epoch: seconds and cpu_seconds of all of it,
            train_seconds, of these input_wait_seconds, and the learning_rate after it.
        best_epoch: epoch (from 1) of the best weights, 0 before there are any.
        best_score: its monitored value.
        stop_score: best value of the early-stopping metric.
        stop_epoch: epoch of that value.
        planned_epochs: epochs that the whole run shall have.
    """

    epoch: int = 0
    history: list = dataclasses.field(default_factory=list)
    timing: list = dataclasses.field(default_factory=list)
    best_epoch: int = 0
    best_score: float | None = None
    stop_score: float | None = None
    stop_epoch: int = 0
    planned_epochs: int = 0


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


def save_checkpoint(job, model, description, progression, keep_weights, average=None):
    """Publish the checkpoint of `progression.epoch` and thin out older ones.

    Args:
        job: job folder.
        model: compiled `keras.Model` whose optimizer is built.
        description: `ModelDescription` of the model.
        progression: `Progression` after the epoch.
        keep_weights: keep the weights of every epoch (what only a resume needs is kept
            of the two newest); False keeps the two newest epochs alone.
        average: `WeightAverage` of the model, or None.
    """
    with atomic_directory(epoch_folder(job, progression.epoch)) as folder:
        if average:
            save_weights(folder / _RAW_WEIGHTS, model, description)
        with average.applied() if average else contextlib.nullcontext():
            save_weights(folder / WEIGHTS, model, description)
        optimizer = {k: keras.ops.convert_to_numpy(v) for k, v in _optimizer_variables(model.optimizer).items()}
        np.savez(folder / _OPTIMIZER, **optimizer)
        (folder / _STATE).write_text(json.dumps(dataclasses.asdict(progression)))
    # The one before stays whole, so that a damaged newest checkpoint costs an epoch and not the run.
    for epoch, folder in checkpoint_folders(job).items():
        if epoch < progression.epoch - 1:
            _thin_out(folder, keep_weights)


def _thin_out(folder, keep_weights):
    if keep_weights:
        # The optimizer goes first: without it the folder is no place to resume from.
        for name in (_OPTIMIZER, _RAW_WEIGHTS):
            (folder / name).unlink(missing_ok=True)
        return
    # Renamed first: a folder that is half deleted must not look like a checkpoint.
    doomed = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}")
    folder.rename(doomed)
    shutil.rmtree(doomed)


def restore_newest(job, model, description, average=None):
    """Set model, optimizer and average to the newest checkpoint from which a run can go on.

    Half-written leftovers of a killed run are removed.

    Args:
        job: job folder.
        model: compiled `keras.Model` whose optimizer is built.
        description: its `ModelDescription`; the checkpoint's must be the same
            but for versions, or the run would go on with other data.
        average: `WeightAverage` of the model, or None.

    Returns:
        Its `Progression`, or a fresh one if there is no checkpoint.

    Raises:
        JobError: if the checkpoint is damaged or belongs to other data.
    """
    remove_leftovers(job)
    folders = [f for f in checkpoint_folders(job).values() if (f / _OPTIMIZER).is_file()]
    if not folders:
        return Progression()
    folder = folders[-1]
    try:
        state = json.loads((folder / _STATE).read_text())
        with np.load(folder / _OPTIMIZER, allow_pickle=False) as arrays:
            _assign_optimizer(model.optimizer, dict(arrays))
        weights = read_weights(folder / WEIGHTS)
        _check_description(folder, weights.description.to_dict(), description.to_dict())
        assign_weights(model, weights)
        if average:
            average.take_over()
            assign_weights(model, read_weights(folder / _RAW_WEIGHTS))
        return Progression(**state)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error, WeightsError) as error:
        raise JobError(
            f"{folder}: damaged checkpoint ({error}); remove this folder and resume again from the one before"
        ) from error


def _check_description(folder, theirs, ours):
    different = [key for key in ours if key != "versions" and theirs.get(key) != json.loads(json.dumps(ours[key]))]
    if different:
        values = "; ".join(f"{key} {theirs.get(key)} (now {ours[key]})" for key in different)
        raise JobError(f"{folder}: a run goes on with the data it began with. Received: {values}; start a new job")


def _optimizer_variables(optimizer):
    """Return the optimizer's variables by a name that does not count the optimizers of the process."""
    return {f"{i:04d}/{v.path.partition('/')[2]}": v for i, v in enumerate(optimizer.variables)}


def _assign_optimizer(optimizer, arrays):
    variables = _optimizer_variables(optimizer)
    if variables.keys() != arrays.keys():
        raise ValueError(f"optimizer variables of another model, {len(arrays)} against {len(variables)}")
    for key, variable in variables.items():
        variable.assign(arrays[key])

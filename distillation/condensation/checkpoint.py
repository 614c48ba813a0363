"""What a distillation goes on from: one file, whole or absent."""

import json
import pathlib
import zipfile
import zlib

import numpy as np

from transplant.atomic import atomic_path, remove_leftovers
from transplant.errors import JobError

CHECKPOINT = "checkpoint.npz"


def optimizer_state(optimizer):
    """Return dict name -> variable of a built optimizer."""
    return {f"optimizer/{i}": variable for i, variable in enumerate(optimizer.variables)}


def save_checkpoint(job, iteration, variables, history, records):
    """Write the state after an iteration in place of the one before.

    Args:
        job: job folder.
        iteration: finished ones.
        variables: dict name -> variable.
        history: list of dicts, a row each.
        records: dict part -> fingerprint of the real records.
    """
    state = json.dumps({"iteration": iteration, "history": history, "records": records})
    with atomic_path(pathlib.Path(job) / CHECKPOINT) as temporary:
        np.savez(temporary, state=np.array(state), **{name: np.asarray(v) for name, v in variables.items()})


def restore_checkpoint(job, variables, records):
    """Set variables to the checkpoint of a job.

    Args:
        job: job folder.
        variables: dict name -> variable, as it was saved.
        records: dict part -> fingerprint of the real records.

    Returns:
        (finished iterations, history); (0, []) where there is no checkpoint.

    Raises:
        JobError: if it is damaged, of another run, or of other records.
    """
    remove_leftovers(job)
    path = pathlib.Path(job) / CHECKPOINT
    if not path.is_file():
        return 0, []
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        state = json.loads(str(arrays.pop("state")))
        if state["records"] != records:
            different = ", ".join(part for part in records if state["records"].get(part) != records[part])
            raise JobError(
                f"{path}: a run goes on with the records it began with. Received: other {different} records; give "
                "those, or choose another --job-dir"
            )
        if arrays.keys() != variables.keys():
            raise ValueError(f"variables {', '.join(sorted(arrays))}")
        for name, variable in variables.items():
            if tuple(variable.shape) != arrays[name].shape:
                raise ValueError(f"{name} of shape {arrays[name].shape}")
        for name, variable in variables.items():
            variable.assign(arrays[name])
        return state["iteration"], state["history"]
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise JobError(f"{path}: damaged checkpoint ({error}); remove it to begin again in this folder") from error

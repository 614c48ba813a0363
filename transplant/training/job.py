"""A job folder: what was asked, and everything a run left behind."""

import json
import os
import pathlib

from transplant.errors import JobError
from transplant.training.atomic import write_json
from transplant.training.description import collect_versions

# Options that may differ when a job goes on: they do not change its numbers so far.
_FREE_ON_RESUME = {"epochs", "job_dir", "resume", "verbose"}


def default_job_dir(kind, name):
    """Return the first unused folder jobs/KIND/NAME-001, -002, ...

    Args:
        kind: "pretraining" or "finetuning".
        name: what the job does, e.g. the task.
    """
    parent = pathlib.Path("jobs") / kind
    number = 1
    while (parent / f"{name}-{number:03d}").exists():
        number += 1
    return parent / f"{name}-{number:03d}"


def open_job(folder, command, options, resume):
    """Create a job folder with its config.json, or check that a resumed run asks for the same.

    Args:
        folder: the job folder.
        command: entry point, e.g. "pretraining.trainer".
        options: dict of the options, JSON-ready.
        resume: whether an existing job goes on.

    Returns:
        The folder as a `pathlib.Path`.

    Raises:
        JobError: if the folder holds a job and `resume` is off, or holds a job
            with other options.
    """
    folder = pathlib.Path(folder)
    config = folder / "config.json"
    if config.is_file():
        if not resume:
            raise JobError(f"{folder}: already holds a job; continue it with --resume, or choose another --job-dir")
        _check_options(config, command, options)
        return folder
    if folder.is_file():
        raise JobError(f"{folder}: is a file; choose another --job-dir")
    folder.mkdir(parents=True, exist_ok=True)
    # Sums run in another order with other thread counts, so the count belongs to the record of a run.
    write_json(
        config,
        {"command": command, "options": options, "versions": collect_versions(), "processors": os.cpu_count()},
    )
    return folder


def _check_options(config, command, options):
    try:
        there = json.loads(config.read_text())
        earlier = {"command": there["command"]} | there["options"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise JobError(f"{config}: damaged ({error!r}); choose another --job-dir") from error
    asked = {"command": command} | json.loads(json.dumps(options))
    different = [
        f"{key} {earlier.get(key)} (now {asked.get(key)})"
        for key in sorted(earlier.keys() | asked.keys())
        if key not in _FREE_ON_RESUME and earlier.get(key) != asked.get(key)
    ]
    if different:
        raise JobError(f"{config.parent}: --resume needs the same options. Received: {'; '.join(different)}")

"""A job folder: what was asked, and everything a run left behind."""

import contextlib
import json
import os
import pathlib
import shutil

from transplant.atomic import write_json
from transplant.errors import JobError, OptionError, TransplantError
from transplant.training.description import collect_versions
from transplant.training.folder_lock import folder_lock

_LONGEST_SHOWN = 60  # characters of an option in a message
_UNKNOWN = "not recorded"  # of an option that an earlier version does not have
# Options that may differ when a job goes on: they do not change its numbers so far.
FREE_ON_RESUME = frozenset({"data_parallelism", "epochs", "job_dir", "resume", "tensorboard", "verbose"})


def claim_default_folder(kind, name):
    """Create and return the first free folder jobs/KIND/NAME-001, -002, ...

    Args:
        kind: "pretraining", "finetuning" or "demo".
        name: what the job does, e.g. the task.
    """
    parent = pathlib.Path("jobs") / kind
    parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        folder = parent / f"{name}-{number:03d}"
        try:
            # Creating it is the claim: two runs started together get two folders.
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1


@contextlib.contextmanager
def job_folder(args, command, name, progress="epoch_*", free=FREE_ON_RESUME):
    """Yield the job folder of a trainer; leave nothing behind where the run could not begin.

    Args:
        args: parsed options with `job_dir` and `resume`.
        command: entry point, e.g. "pretraining.trainer".
        name: of the default folder, jobs/COMMAND'S PACKAGE/NAME-NNN.
        progress: pattern of what a run leaves as soon as it can go on from there. Defaults to an epoch's folder.
        free: options that may differ when the job goes on. Defaults to those of training by epochs.

    Raises:
        OptionError: `--resume` without `--job-dir`.
        JobError: as `open_job`, or if another process works on the job.
    """
    if args.resume and not args.job_dir:
        raise OptionError("--resume needs the job to go on with; give its folder with --job-dir")
    is_new = args.job_dir is None or not pathlib.Path(args.job_dir).exists()
    folder = pathlib.Path(args.job_dir or claim_default_folder(command.partition(".")[0], name))
    if args.resume and not (folder / "config.json").is_file():
        print(f"no job in {folder} yet: starting it")
    began_here = not (folder / "config.json").is_file()
    open_job(folder, command, vars(args), args.resume, free)
    with folder_lock(folder) as is_free:
        if not is_free:
            raise JobError(f"{folder}: another process works on this job; wait for it, or choose another --job-dir")
        record_free(folder, vars(args), free)
        try:
            yield folder
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"{command} goes on with --resume --job-dir {folder}") from None
        except TransplantError:
            if began_here and not any(folder.glob(progress)):
                _withdraw(folder, is_new)
            raise


def record_free(folder, options, free):
    """Write what may differ when a job goes on into its record, so that the command can be repeated from it.

    Args:
        folder: the job folder.
        options: dict of the options.
        free: names of those that may differ.
    """
    values = json.loads((folder / "config.json").read_text())
    now = {name: options[name] for name in sorted(free & options.keys() & values["options"].keys()) if name != "resume"}
    if now != {name: values["options"][name] for name in now}:
        write_json(folder / "config.json", values | {"options": values["options"] | now})


def _withdraw(folder, is_new):
    """Remove what this call put into a job folder before the first epoch; a finished store stays."""
    if is_new and not (folder / "store" / "manifest.json").is_file():
        shutil.rmtree(folder)
    else:
        (folder / "config.json").unlink()


def read_config(folder):
    """Return a job's config.json, or None where there is no job.

    Raises:
        JobError: if it is damaged.
    """
    config = pathlib.Path(folder) / "config.json"
    if not config.is_file():
        return None
    try:
        values = json.loads(config.read_text())
        return {"command": values["command"], "options": dict(values["options"])}
    except (ValueError, KeyError, TypeError) as error:
        raise JobError(f"{config}: damaged ({error!r}); choose another --job-dir") from error


def open_job(folder, command, options, resume, free=FREE_ON_RESUME):
    """Create a job folder with its config.json, or check that a resumed run asks for the same.

    Args:
        folder: the job folder.
        command: entry point, e.g. "pretraining.trainer".
        options: dict of the options, JSON-ready.
        resume: whether an existing job goes on.
        free: options that may differ then.

    Returns:
        The folder as a `pathlib.Path`.

    Raises:
        JobError: if the folder holds a job and `resume` is off, or holds a job
            with other options.
    """
    folder = pathlib.Path(folder)
    there = read_config(folder)
    if there is not None:
        if not resume:
            raise JobError(f"{folder}: already holds a job; continue it with --resume, or choose another --job-dir")
        _check_options(folder, there, command, options, free)
        return folder
    if folder.is_file():
        raise JobError(f"{folder}: is a file; choose another --job-dir")
    folder.mkdir(parents=True, exist_ok=True)
    # Sums run in another order with other thread counts, so the count belongs to the record of a run.
    write_json(
        folder / "config.json",
        {"command": command, "options": options, "versions": collect_versions(), "processors": os.cpu_count()},
    )
    return folder


def _check_options(folder, there, command, options, free):
    if there["command"] != command:
        raise JobError(f"{folder}: holds a job of {there['command']}, not of {command}; choose another --job-dir")
    earlier, asked = there["options"], json.loads(json.dumps(options))
    different = [
        f"{key} {' (now '.join(_shown(earlier.get(key, _UNKNOWN), asked.get(key, _UNKNOWN)))})"
        for key in sorted(earlier.keys() | asked.keys())
        if key not in free and earlier.get(key) != asked.get(key)
    ]
    if different:
        raise JobError(
            f"{folder}: a job goes on with the same options. Received: {'; '.join(different)}; give the "
            "earlier ones, or choose another --job-dir"
        )


def _shown(one, other):
    """Return two different values as a message shows them; of long ones what is around the first difference."""
    texts = tuple("not given" if value is None else str(value) for value in (one, other))
    if max(map(len, texts)) <= _LONGEST_SHOWN:
        return texts
    first = next((i for i, (a, b) in enumerate(zip(*texts)) if a != b), min(map(len, texts)))
    start = max(first - _LONGEST_SHOWN // 2, 0)
    return tuple(
        f"{'...' * (start > 0)}{text[start : start + _LONGEST_SHOWN]}{'...' * (start + _LONGEST_SHOWN < len(text))}"
        for text in texts
    )

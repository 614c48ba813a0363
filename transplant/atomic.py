"""Files and folders that are either whole or absent."""

import contextlib
import errno
import json
import os
import pathlib
import re
import shutil
import uuid

# The names of temporary files and folders: ".", the final name, 32 hex digits.
_TEMPORARY = re.compile(r"\..+-[0-9a-f]{32}(\.\w+)?$")


def _sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def atomic_path(path):
    """Yield a temporary path beside `path` that replaces it when the block succeeds.

    The temporary name keeps the suffix, because writers such as numpy and
    matplotlib choose a format by it. On an error nothing is left behind.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}-{uuid.uuid4().hex}{path.suffix}")
    try:
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_directory(path):
    """Yield a temporary directory that is renamed to `path` when the block succeeds.

    An existing `path` is replaced. Temporary directories start with "." and
    are ignored by every reader of this package.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.iterdir():
            _sync(file)
        if path.exists():
            shutil.rmtree(path)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(folder):
    """Remove what a killed process left half-written in a folder.

    Nobody else may be writing there.
    """
    for path in pathlib.Path(folder).glob(".*"):
        if _TEMPORARY.match(path.name):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def write_json(path, value):
    """Write `value` as indented JSON, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

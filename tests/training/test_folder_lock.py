"""Who works in a folder."""

import errno
import fcntl
import subprocess
import sys

import pytest

from transplant.training.folder_lock import folder_lock

OTHER = """
import sys
from transplant.training.folder_lock import folder_lock
with folder_lock(sys.argv[1]) as is_free:
    print(is_free)
"""


def other_process(folder):
    done = subprocess.run([sys.executable, "-c", OTHER, str(folder)], capture_output=True, text=True, check=True)
    return done.stdout.strip() == "True"


def test_a_folder_is_one_processes_at_a_time(tmp_path):
    with folder_lock(tmp_path) as is_free:
        assert is_free and not other_process(tmp_path)
    assert other_process(tmp_path)


@pytest.mark.parametrize(("code", "is_known"), [(errno.ENOTSUP, True), (errno.EIO, False)])
def test_a_file_system_without_locks_counts_as_free(tmp_path, monkeypatch, code, is_known):
    def refuse(*_):
        raise OSError(code, "no locks here")

    monkeypatch.setattr(fcntl, "flock", refuse)
    if is_known:
        with folder_lock(tmp_path) as is_free:
            assert is_free
    else:
        with pytest.raises(OSError, match="no locks"), folder_lock(tmp_path):
            pass

"""Which process works in a folder: a lock that is gone with its holder, however that ends."""

import contextlib
import errno
import os
import pathlib

_WITHOUT_LOCKS = (errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK)


@contextlib.contextmanager
def folder_lock(folder, name=".lock"):
    """Take a folder for this process and yield whether it is free to take.

    The lock is an flock(2) on a file of the folder, which stays behind empty. On
    systems and file systems without it (Windows, some network drives) every
    folder counts as free.

    Args:
        folder: existing folder.
        name: of the lock's file. Defaults to ".lock".
    """
    if os.name != "posix":
        yield True
        return
    import fcntl

    with open(pathlib.Path(folder) / name, "a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_free = True
        except BlockingIOError:
            is_free = False
        except OSError as error:
            if error.errno not in _WITHOUT_LOCKS:
                raise
            is_free = True
        yield is_free

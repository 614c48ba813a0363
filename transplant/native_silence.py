"""Keep what native code writes to the terminal away from it."""

import contextlib
import os
import sys


@contextlib.contextmanager
def native_silence():
    """Close file descriptor 2 to everything while the block runs: TensorFlow's C++ code writes there whatever it likes.

    Whatever fails is still raised as an exception. It holds for all threads. With TF_CPP_MIN_LOG_LEVEL=0 in the
    environment everything is shown.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0":
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        # What Python kept back while it was closed belongs to it.
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)

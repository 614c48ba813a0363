"""Start TensorFlow without the lines its native code prints before any log setting is read."""

import os
import sys


def start_tensorflow():
    """Import TensorFlow and Keras and run one operation, with file descriptor 2 closed to them.

    Whatever fails is still raised as an exception. With TF_CPP_MIN_LOG_LEVEL=0
    in the environment everything is shown.
    """
    if "tensorflow" in sys.modules or os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0":
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        import tensorflow as tf

        # The device lines come with the first operation.
        tf.zeros(())
        tf.get_logger().setLevel("ERROR")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)

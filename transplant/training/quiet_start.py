"""Start TensorFlow without the lines its native code prints before any log setting is read."""

import os
import sys

from transplant.native_silence import native_silence


def start_tensorflow():
    """Import TensorFlow and Keras and run one operation, silent but for what fails.

    With TF_CPP_MIN_LOG_LEVEL=0 in the environment everything is shown.
    """
    if "tensorflow" in sys.modules or os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0":
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with native_silence():
        import tensorflow as tf

        # The device lines come with the first operation.
        tf.zeros(())
        tf.get_logger().setLevel("ERROR")

"""How long a model takes for one record on the processor of this machine."""

import os
import statistics
import time

import keras
import tensorflow as tf

from transplant.evaluation.litert import input_spec, open_litert

WARM_UP, REPEATS, MOST_S = 10, 200, 0.5


def latency_ms(model):
    """Return the milliseconds that a graph (`tf.function`) of a model takes for one record, a median.

    It has as many threads as `processor_threads` says: TensorFlow allows no others once it has started. Of a small
    network most of it is spent on the calls of its operations.

    Args:
        model: `keras.Model` of one input of known size.

    Raises:
        OptionError: if the model has several inputs, or one of unknown size.
    """
    spec = input_spec(model)
    with keras.device("cpu:0"):
        # A model that was trained on an accelerator has its variables there.
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
        record = tf.zeros(spec.shape, spec.dtype)
        step = tf.function(lambda x: copy(x, training=False))
        return median_ms(lambda: step(record))


def litert_latency_ms(content):
    """Return the milliseconds that LiteRT takes for one record on one thread, a median.

    Args:
        content: bytes of a .tflite file.
    """
    interpreter = open_litert(content)
    for details in interpreter.get_input_details():
        interpreter.set_tensor(details["index"], tf.zeros(details["shape"], details["dtype"]).numpy())
    return median_ms(interpreter.invoke)


def median_ms(call):
    """Return the median of the wall milliseconds of a call: of 200, or as many as half a second holds, after ten.

    Args:
        call: function without arguments.
    """
    for _ in range(WARM_UP):
        call()
    seconds = []
    while len(seconds) < REPEATS and sum(seconds) < MOST_S:
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds)


def processor_threads():
    """Return how many threads TensorFlow gives one operation: what was set, or the processors this process may use."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return tf.config.threading.get_intra_op_parallelism_threads() or allowed

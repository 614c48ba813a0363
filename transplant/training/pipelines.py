"""Options of the tf.data pipelines that feed the trainers."""

import tensorflow as tf


def without_autotune(dataset, threads=None):
    """Return a data set whose iterators have no autotuner.

    TensorFlow's autotuner (2.21) sleeps 10 ms, 20, 40 and so on, and the end of an
    iterator may wait until it wakes: an epoch of 6 s then takes 10.24 s, one of
    42 s takes 82 s. What it would tune is given as numbers here.

    Args:
        dataset: `tf.data.Dataset` with numbers for parallel calls and buffers.
        threads: threads of its own. Defaults to None: TensorFlow's.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    if threads:
        options.threading.private_threadpool_size = threads
    return dataset.with_options(options)

"""Batches of records with the targets of their method, in an order that seed and epoch decide."""

import numpy as np
import tensorflow as tf

from transplant.training.pipelines import without_autotune

_ORDER = 1  # of the random streams of one seed


def epoch_batches(x, targets, batch_size, seed, epoch):
    """Return the batches of one epoch: every record once, the last batch with what is left.

    Args:
        x: float32 (records, time, channels).
        targets: dict name -> array (records, ...).
        batch_size: records in a batch.
        seed, epoch: decide the order.

    Returns:
        tf.data.Dataset of (x, dict of targets).
    """
    order = np.random.default_rng((seed, _ORDER, epoch)).permutation(len(x))
    arrays = [x, *targets.values()]

    def load(first):
        rows = order[first : first + batch_size]
        return [array[rows] for array in arrays]

    def with_shapes(first):
        parts = tf.numpy_function(load, [first], [tf.as_dtype(array.dtype) for array in arrays])
        for part, array in zip(parts, arrays):
            part.set_shape((None, *array.shape[1:]))
        return parts[0], dict(zip(targets, parts[1:]))

    starts = tf.data.Dataset.range(0, len(x), batch_size)
    return without_autotune(starts.map(with_shapes, num_parallel_calls=1).prefetch(2))

"""Random numbers of one transform on one batch: a function of a seed and of the order in which they are asked for."""

import tensorflow as tf


class Draws:
    """Draws numbers one after the other, each request from a stream of its own.

    The generator is named, so that no device chooses another.

    Args:
        seed: int64 (2,).
    """

    def __init__(self, seed):
        self._seed = seed
        self._requests = 0

    def _next_seed(self):
        self._requests += 1
        return fold(self._seed, self._requests)

    def uniform(self, shape, lowest=0.0, highest=1.0):
        """Return float32 `shape`, even in [lowest, highest)."""
        unit = tf.random.stateless_uniform(shape, self._next_seed(), alg="philox")
        return lowest + (highest - lowest) * unit

    def log_uniform(self, shape, lowest, highest):
        """Return float32 `shape` whose logarithm is even: halving is as likely as doubling."""
        return lowest * tf.pow(highest / lowest, self.uniform(shape))

    def integers(self, lowest, highest):
        """Return int32 of the arguments' shape, even in [lowest, highest], both included."""
        count = tf.cast(highest - lowest + 1, tf.float32)
        drawn = lowest + tf.cast(self.uniform(tf.shape(count)) * count, tf.int32)
        return tf.minimum(drawn, highest)  # float32 may round up to the next whole number

    def spans(self, seconds, lengths, rate):
        """Return int32 (records,), samples: one at least, and never more than half of a record.

        Args:
            seconds: (lowest, highest).
            lengths: int32 (records,), samples of each record.
            rate: sampling rate, Hz.
        """
        low, high = (tf.minimum(max(round(end * rate), 1), lengths // 2) for end in seconds)
        return self.integers(low, high)


def fold(seed, number):
    """Return int64 (2,), another seed for each number.

    Args:
        seed: int64 (2,).
        number: integer, or a scalar tensor of integers.
    """
    return tf.random.experimental.stateless_fold_in(seed, tf.cast(number, tf.int64), alg="philox")

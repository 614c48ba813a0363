"""Positive learning rates as variables that can be learned."""

import keras
import numpy as np
import tensorflow as tf


class LearnedRates:
    """One learning rate a step, the softplus of a raw value, so that none becomes negative.

    Args:
        count: number of steps.
        start: learning rate of each to begin with.
    """

    def __init__(self, count, start):
        # The inverse of softplus.
        self.raw = tf.Variable(np.full(count, start + np.log(-np.expm1(-start))), dtype=keras.config.floatx())

    def values(self):
        """Return the rates, a tensor (count,)."""
        return tf.nn.softplus(self.raw)

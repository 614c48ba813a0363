"""Dropout of half of the values, whose masks are eight to a random number."""

import keras
import numpy as np
from keras import ops

# What the eight bits of a number keep, scaled to keep the mean: row 5, of bits 0 and 2, is 2 0 2 0 0 0 0 0.
_MASKS = 2.0 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little").astype(np.float32)


@keras.saving.register_keras_serializable("transplant.half_dropout")
class HalfDropout(keras.layers.Dropout):
    """Drop each value with probability 1/2 in training, and double the others.

    `keras.layers.Dropout` draws 32 random bits for a value; where half are dropped one is enough. Here 32 are drawn
    for eight values, a third to a half of the time on a CPU.

    Args:
        seed: of the random numbers. Defaults to Keras' global random state.
        **kwargs: as `keras.layers.Layer`.

    Call arguments: inputs of shape (batch, ..., channels), whose channels are known.

    Example:
        >>> HalfDropout()(np.ones((2, 100, 64), "float32"), training=True).shape
        TensorShape([2, 100, 64])

    Source: Srivastava et al., "Dropout" (JMLR 2014).
    """

    def __init__(self, seed=None, **kwargs):
        super().__init__(0.5, seed=seed, **kwargs)

    def call(self, inputs, training=False):
        """Drop values in training; return the inputs else."""
        if not training:
            return inputs
        channels = inputs.shape[-1]
        shape = ops.shape(inputs)
        bits = keras.random.randint((*shape[:-1], -(-channels // 8)), 0, 256, "int32", self.seed_generator)
        kept = ops.reshape(ops.take(_MASKS, bits, axis=0), (*shape[:-1], -1))[..., :channels]
        return inputs * ops.cast(kept, inputs.dtype)

    def get_config(self):
        config = super().get_config()
        return {name: value for name, value in config.items() if name not in ("rate", "noise_shape")}

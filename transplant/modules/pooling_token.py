"""A learnt token in front of a sequence, whose output stands for the whole of it."""

import keras

from transplant.modules.resnet1d import layer_seed


@keras.saving.register_keras_serializable("transplant.pooling_token")
class PoolingToken(keras.layers.Layer):
    """Prepend one learnt vector to every sequence.

    After a transformer, position 0 holds what that vector gathered by attention.
    It starts from a normal distribution of deviation 1, cut off at 2.

    Args:
        seed: of the initial vector. Defaults to Keras' global random state.
        **kwargs: of `keras.layers.Layer`.

    Call arguments: inputs of shape (batch, length, width); the result has one
    position more.

    Source: the attention pooling of Weimann and Conrad (2021), after the class
    token of Devlin et al., "BERT" (2019).

    Example:
        >>> PoolingToken()(np.ones((2, 8, 512), "float32")).shape
        TensorShape([2, 9, 512])
    """

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed

    def build(self, input_shape):
        """Create the vector."""
        self.token = self.add_weight(
            shape=(input_shape[-1],),
            initializer=keras.initializers.TruncatedNormal(stddev=1.0, seed=layer_seed(self.seed, "token")),
            name="token",
        )

    def call(self, inputs):
        """Return (batch, length + 1, width)."""
        # Shaped by the inputs, because the size of the batch is not known before.
        token = keras.ops.zeros_like(inputs[:, :1]) + keras.ops.cast(self.token, inputs.dtype)
        return keras.ops.concatenate([token, inputs], axis=1)

    def compute_output_shape(self, input_shape):
        """Return the inputs' shape with one position more."""
        batch, length, width = input_shape
        return batch, None if length is None else length + 1, width

    def get_config(self):
        """Return the arguments that make the same layer."""
        return super().get_config() | {"seed": self.seed}

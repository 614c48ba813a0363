"""The transformer encoder over a sequence of frame embeddings, layer by layer."""

import keras
import numpy as np

from transplant.errors import OptionError
from transplant.modules.resnet1d import layer_seed

EPSILON = 1e-3


@keras.saving.register_keras_serializable("transplant.transformer")
class ScaledPositions(keras.layers.Layer):
    """Multiply a sequence by the root of its width and add sinusoidal positions.

    Column i of position p gets sin(p / 10000^(i / width)) where i is even, and
    the cosine of the same angle as its left neighbour where it is odd.

    Call arguments: inputs of shape (batch, length, width).

    Source: Vaswani et al., "Attention is all you need" (2017), sections 3.4 and 3.5.

    Example:
        >>> ScaledPositions()(np.ones((2, 9, 512), "float32")).shape
        TensorShape([2, 9, 512])
    """

    def call(self, inputs):
        """Return sqrt(width) * inputs + positions."""
        width = inputs.shape[-1]
        columns = np.arange(width)
        frequencies = np.power(10_000.0, -2 * (columns // 2) / width).astype(np.float32)
        angles = keras.ops.arange(keras.ops.shape(inputs)[1], dtype="float32")[:, None] * frequencies
        positions = keras.ops.where(columns % 2 == 0, keras.ops.sin(angles), keras.ops.cos(angles))
        return inputs * width**0.5 + keras.ops.cast(positions, inputs.dtype)

    def compute_output_shape(self, input_shape):
        """Return the shape of the inputs."""
        return input_shape


@keras.saving.register_keras_serializable("transplant.transformer")
class SelfAttention(keras.layers.Layer):
    """Multi-head self-attention with the scale of Weimann and Conrad.

    Their code divides the scores of a head by the root of the whole width,
    where Vaswani et al. (and `keras.layers.MultiHeadAttention`) take the root of
    the head's share of it: with 8 heads the scores are 2.8 times smaller and the
    attention is flatter. It is kept, because the published results were made so.

    Args:
        heads: number of heads; it must divide the width.
        seed: of the initial kernels. Defaults to Keras' global random state.
        **kwargs: of `keras.layers.Layer`.

    Call arguments: inputs of shape (batch, length, width).

    Raises:
        OptionError: when it is built, if the heads do not divide the width.
    """

    def __init__(self, heads, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads
        self.seed = seed

    def build(self, input_shape):
        """Create the four projections."""
        width = input_shape[-1]
        if self.heads < 1 or width % self.heads:
            raise OptionError(
                f"the heads of an attention layer must divide its width. Received: heads={self.heads}, width={width}"
            )
        self.query, self.key, self.value, self.output_projection = (
            keras.layers.Dense(
                width,
                kernel_initializer=keras.initializers.GlorotUniform(seed=layer_seed(self.seed, name)),
                dtype=self.dtype_policy,
                name=name,
            )
            for name in ("query", "key", "value", "output")
        )
        for projection in (self.query, self.key, self.value, self.output_projection):
            projection.build(input_shape)

    def call(self, inputs):
        """Return (batch, length, width)."""
        length, width = keras.ops.shape(inputs)[1], inputs.shape[-1]

        def split(x):
            return keras.ops.reshape(x, (-1, length, self.heads, width // self.heads))

        query, key, value = (split(project(inputs)) for project in (self.query, self.key, self.value))
        # In float32 under any policy: sums of products leave float16's range.
        query, key = keras.ops.cast(query, "float32"), keras.ops.cast(key, "float32")
        scores = keras.ops.einsum("bqhc,bkhc->bhqk", query, key) / width**0.5
        weights = keras.ops.cast(keras.ops.softmax(scores, axis=-1), value.dtype)
        mixed = keras.ops.einsum("bhqk,bkhc->bqhc", weights, value)
        return self.output_projection(keras.ops.reshape(mixed, (-1, length, width)))

    def compute_output_shape(self, input_shape):
        """Return the shape of the inputs."""
        return input_shape

    def get_config(self):
        """Return the arguments that make the same layer."""
        return super().get_config() | {"heads": self.heads, "seed": self.seed}


@keras.saving.register_keras_serializable("transplant.transformer")
class TransformerLayer(keras.layers.Layer):
    """One encoder layer: attention and a hidden layer, each added to its input and then normalised.

    The sum is normalised after each half ("post-norm"), with an epsilon of 1e-3.
    There is no dropout: the published network was trained with a rate of 0.

    Args:
        heads: heads of the attention; they must divide the width.
        hidden: units of the hidden layer.
        seed: of the initial kernels. Defaults to Keras' global random state.
        **kwargs: of `keras.layers.Layer`.

    Call arguments: inputs of shape (batch, length, width).

    Source: Vaswani et al., "Attention is all you need" (2017), section 3.1, in
    the form of Weimann and Conrad (2021).

    Example:
        >>> TransformerLayer(heads=8, hidden=1024)(np.ones((2, 9, 512), "float32")).shape
        TensorShape([2, 9, 512])
    """

    def __init__(self, heads, hidden, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads
        self.hidden = hidden
        self.seed = seed

    def build(self, input_shape):
        """Create the attention, the two dense layers and the two norms."""
        width = input_shape[-1]
        dtype = self.dtype_policy

        def dense(units, name, activation=None):
            initializer = keras.initializers.GlorotUniform(seed=layer_seed(self.seed, name))
            return keras.layers.Dense(units, activation, kernel_initializer=initializer, dtype=dtype, name=name)

        self.attention = SelfAttention(self.heads, layer_seed(self.seed, "attention"), dtype=dtype, name="attention")
        self.attention_norm = keras.layers.LayerNormalization(epsilon=EPSILON, dtype=dtype, name="attention_norm")
        self.hidden_layer = dense(self.hidden, "hidden", "relu")
        self.output_layer = dense(width, "output")
        self.output_norm = keras.layers.LayerNormalization(epsilon=EPSILON, dtype=dtype, name="output_norm")
        for layer in (self.attention, self.attention_norm, self.hidden_layer, self.output_norm):
            layer.build(input_shape)
        self.output_layer.build((*input_shape[:-1], self.hidden))

    def call(self, inputs):
        """Return (batch, length, width)."""
        x = self.attention_norm(inputs + self.attention(inputs))
        return self.output_norm(x + self.output_layer(self.hidden_layer(x)))

    def compute_output_shape(self, input_shape):
        """Return the shape of the inputs."""
        return input_shape

    def get_config(self):
        """Return the arguments that make the same layer."""
        return super().get_config() | {"heads": self.heads, "hidden": self.hidden, "seed": self.seed}

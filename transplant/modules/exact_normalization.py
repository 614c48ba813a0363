"""Normalisation layers whose second derivatives are right on TensorFlow.

`tf.nn.moments`, on which Keras' normalisation layers stand, takes the variance around
`stop_gradient(mean)`. The first derivative is right all the same, because the term that is left
out is proportional to the sum of the deviations, which is zero; the derivative of that term is
not. So whatever differentiates twice through such a layer, with respect to inputs and weights,
gets wrong numbers without a sign of it: up to a sixth of their size for layer normalisation.
These layers take the variance around the mean itself.
"""

import keras


def exact_moments(x, axes):
    """Return (deviations from the mean, mean, variance) of x over axes, the latter two with axes of size 1.

    Args:
        x: tensor.
        axes: tuple of axes.
    """
    if keras.backend.standardize_dtype(x.dtype) in ("float16", "bfloat16"):
        x = keras.ops.cast(x, "float32")  # as Keras' layers do: sums of squares overflow
    mean = keras.ops.mean(x, axis=axes, keepdims=True)
    deviations = x - mean
    return deviations, mean, keras.ops.mean(keras.ops.square(deviations), axis=axes, keepdims=True)


class _ExactNormalization(keras.layers.Layer):
    """What the layers share: a scale and an offset of each channel."""

    def __init__(self, epsilon=1e-5, center=True, scale=True, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.center = center
        self.scale = scale

    def build(self, input_shape):
        channels = (input_shape[-1],)
        self.gamma = self.add_weight(channels, "ones", name="gamma") if self.scale else None
        self.beta = self.add_weight(channels, "zeros", name="beta") if self.center else None

    def standardized(self, deviations, variance):
        """Return deviations from a mean over the standard deviation, in the layer's precision."""
        return keras.ops.cast(deviations / keras.ops.sqrt(variance + self.epsilon), self.compute_dtype)

    def scaled(self, x):
        """Return standardised values times the factors, plus the offsets."""
        if self.scale:
            x = x * self.gamma
        return x + self.beta if self.center else x

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        own = {"epsilon": self.epsilon, "center": self.center, "scale": self.scale}
        return super().get_config() | own


@keras.saving.register_keras_serializable("transplant.exact_normalization")
class ExactInstanceNormalization(_ExactNormalization):
    """Normalise each channel of each example over its positions.

    Args:
        epsilon: added to the variance. Defaults to 1e-5.
        center: whether to learn an offset of each channel. Defaults to True.
        scale: whether to learn a factor of each channel. Defaults to True.
        **kwargs: as `keras.layers.Layer`.

    Call arguments: inputs of shape (batch, ..., channels), with one axis of positions or more.

    Example:
        >>> ExactInstanceNormalization()(np.ones((2, 28, 28, 8), "float32")).shape
        TensorShape([2, 28, 28, 8])

    Source: Ulyanov et al., "Instance normalization" (2016).
    """

    def call(self, inputs):
        """Normalise."""
        deviations, _, variance = exact_moments(inputs, tuple(range(1, len(inputs.shape) - 1)))
        return self.scaled(self.standardized(deviations, variance))


@keras.saving.register_keras_serializable("transplant.exact_normalization")
class ExactLayerNormalization(_ExactNormalization):
    """Normalise each position over its channels, as `keras.layers.LayerNormalization()` does.

    Args:
        epsilon: added to the variance. Defaults to 1e-5.
        center, scale: whether to learn an offset and a factor of each channel. Default to True.
        **kwargs: as `keras.layers.Layer`.

    Call arguments: inputs of shape (batch, ..., channels).

    Source: Ba et al., "Layer normalization" (2016).
    """

    def call(self, inputs):
        """Normalise."""
        deviations, _, variance = exact_moments(inputs, (len(inputs.shape) - 1,))
        return self.scaled(self.standardized(deviations, variance))


@keras.saving.register_keras_serializable("transplant.exact_normalization")
class ExactGroupNormalization(_ExactNormalization):
    """Normalise groups of neighbouring channels of each example over all its positions.

    Args:
        groups: number of groups, which divides the channels. Defaults to 32.
        epsilon: added to the variance. Defaults to 1e-5.
        center, scale: whether to learn an offset and a factor of each channel. Default to True.
        **kwargs: as `keras.layers.Layer`.

    Call arguments: inputs of shape (batch, ..., channels).

    Raises:
        ValueError: if the groups do not divide the channels.

    Source: Wu and He, "Group normalization" (2018).
    """

    def __init__(self, groups=32, epsilon=1e-5, center=True, scale=True, **kwargs):
        super().__init__(epsilon, center, scale, **kwargs)
        self.groups = groups

    def build(self, input_shape):
        if input_shape[-1] % self.groups:
            raise ValueError(f"groups divide the channels. Received: groups={self.groups}, shape={input_shape}")
        super().build(input_shape)

    def call(self, inputs):
        """Normalise."""
        shape = keras.ops.shape(inputs)
        grouped = keras.ops.reshape(inputs, (*shape[:-1], self.groups, inputs.shape[-1] // self.groups))
        rank = len(inputs.shape)
        deviations, _, variance = exact_moments(grouped, (*range(1, rank - 1), rank))
        return self.scaled(keras.ops.reshape(self.standardized(deviations, variance), shape))

    def get_config(self):
        return super().get_config() | {"groups": self.groups}


@keras.saving.register_keras_serializable("transplant.exact_normalization")
class ExactBatchNormalization(_ExactNormalization):
    """Normalise each channel over batch and positions; at inference by moving moments.

    Args:
        momentum: share of the moving moments that stays in a step. Defaults to .99.
        epsilon: added to the variance. Defaults to 1e-3, as in Keras.
        center, scale: whether to learn an offset and a factor of each channel. Default to True.
        **kwargs: as `keras.layers.Layer`.

    Call arguments: inputs of shape (batch, ..., channels); training.

    Source: Ioffe and Szegedy, "Batch normalization" (2015).
    """

    def __init__(self, momentum=0.99, epsilon=1e-3, center=True, scale=True, **kwargs):
        super().__init__(epsilon, center, scale, **kwargs)
        self.momentum = momentum

    def build(self, input_shape):
        super().build(input_shape)
        channels = (input_shape[-1],)
        self.moving_mean = self.add_weight(channels, "zeros", trainable=False, name="moving_mean")
        self.moving_variance = self.add_weight(channels, "ones", trainable=False, name="moving_variance")

    def call(self, inputs, training=None):
        """Normalise by the batch's moments in training, by the moving ones else."""
        if not training:
            moving = keras.ops.cast(self.moving_variance, inputs.dtype)
            deviations = inputs - keras.ops.cast(self.moving_mean, inputs.dtype)
            return self.scaled(self.standardized(deviations, moving))
        deviations, mean, variance = exact_moments(inputs, tuple(range(len(inputs.shape) - 1)))
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            value = keras.ops.cast(keras.ops.reshape(value, (-1,)), moving.dtype)
            moving.assign(moving * self.momentum + value * (1 - self.momentum))
        return self.scaled(self.standardized(deviations, variance))

    def get_config(self):
        return super().get_config() | {"momentum": self.momentum}

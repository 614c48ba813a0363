"""Batch normalisation of padded records."""

import keras

from transplant.errors import OptionError
from transplant.modules.padding import over_features

# Below the share of one position of any batch; it stands for the share where there is none.
_LEAST_SHARE = 1e-12


@keras.saving.register_keras_serializable("transplant.batch_norm")
class PaddedBatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` that leaves the padding out.

    Batch moments are taken over the valid positions of the whole batch, each
    counting once, so that a record gives as much to them padded as unpadded. The
    outputs are exactly 0 at the padding, where the stock layer, which takes a mask
    too, adds its offset. With `synchronized` the moments are those of all
    devices, which the stock layer forgets when it has a mask. A batch without
    any valid position leaves the moving moments as they are.

    Variables and configuration are those of the stock layer, so weights pass
    between the two by name; without `valid` it is the stock layer.

    Args:
        **kwargs: as `keras.layers.BatchNormalization`; the axis is the last one.

    Call arguments: inputs of shape (batch, time, channels) or (batch,
    frequency, time, channels), and valid, boolean (batch, time).

    Raises:
        OptionError: if another axis or renormalisation is asked for.

    Source: Ioffe and Szegedy, "Batch normalization" (2015), algorithm 1, with
    the mini-batch of the valid positions.

    Example:
        >>> layer = PaddedBatchNormalization()
        >>> valid = np.array([[False, True, True]])
        >>> layer(np.array([[[7.0], [1.0], [3.0]]]), training=True, valid=valid)[0, :, 0].numpy().round(3).tolist()
        [0.0, -1.0, 1.0]
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        if self.axis != -1 or self.renorm:
            raise OptionError(
                "padded records are normalised over the last axis, and not renormalised. "
                f"Received: axis={self.axis}, renorm={self.renorm}"
            )

    def call(self, inputs, training=None, valid=None):
        """Normalise by the moments of the batch's valid positions in training, by the moving ones else."""
        if valid is None:
            return super().call(inputs, training=training)
        x = keras.ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))
        valid = over_features(valid, len(x.shape))
        if training and self.trainable:
            mean, variance, any_valid = self._valid_moments(x, keras.ops.cast(valid, x.dtype))
            self._keep(mean, variance, any_valid)
        else:
            mean, variance = (keras.ops.cast(v, x.dtype) for v in (self.moving_mean, self.moving_variance))
        outputs = keras.ops.batch_normalization(
            x,
            mean,
            variance,
            axis=-1,
            offset=keras.ops.cast(self.beta, x.dtype) if self.center else None,
            scale=keras.ops.cast(self.gamma, x.dtype) if self.scale else None,
            epsilon=self.epsilon,
        )
        return keras.ops.cast(keras.ops.where(valid, outputs, keras.ops.zeros((), x.dtype)), self.compute_dtype)

    def _valid_moments(self, x, weights):
        """Return mean and biased variance (channels,) under weights of 0 and 1, and whether any is 1."""
        axes = tuple(range(len(x.shape) - 1))

        def mean_of(values):
            if self.synchronized:
                return keras.ops.moments(values, axes, synchronized=True)[0]
            return keras.ops.mean(values, axis=axes)

        share = keras.ops.squeeze(mean_of(weights))
        least = keras.ops.maximum(share, _LEAST_SHARE)
        mean = mean_of(x * weights) / least
        variance = mean_of(keras.ops.square(x - mean) * weights) / least
        return mean, variance, share > 0

    def _keep(self, mean, variance, any_valid):
        """Move the moving moments towards those of a batch."""
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moved = moving * self.momentum + keras.ops.cast(value, moving.dtype) * (1.0 - self.momentum)
            moving.assign(keras.ops.where(any_valid, moved, moving))

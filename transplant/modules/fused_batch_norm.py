"""Batch normalisation by one TensorFlow kernel, for training."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("transplant.batch_norm")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` whose training step is one fused kernel.

    Keras builds the training step of batch norm from some ten elementwise
    operations and reductions, each a pass over memory: a sixth of a 1-D
    ResNet-18's training step on a CPU. The gradients of a whole network built
    so also differ in their last bits from run to run, unless TensorFlow 2.21
    runs one operation at a time (`enable_op_determinism` does not change it).
    The fused kernel computes the same numbers to float32 rounding, and the
    same bits every time.

    Variables, configuration and inference are those of the stock layer, so
    weights pass between the two by name.

    It needs the TensorFlow backend. Masked or synchronised moments,
    renormalisation and another axis than the last take the stock path.

    Args:
        **kwargs: as `keras.layers.BatchNormalization`.

    Call arguments: inputs of shape (batch, ..., channels).

    Example:
        >>> layer = FusedBatchNormalization(momentum=0.9, epsilon=1e-5)
        >>> layer(np.ones((2, 100, 64), "float32"), training=True).shape
        TensorShape([2, 100, 64])

    Source: Ioffe and Szegedy, "Batch normalization" (2015), algorithm 1.
    """

    def call(self, inputs, training=None, mask=None):
        """Normalise by the batch's moments in training, by the moving ones else."""
        plain = self.scale and self.center and not self.renorm and not self.synchronized
        on_last_axis = self.axis in (-1, len(inputs.shape) - 1)
        if not (training and self.trainable and plain and on_last_axis and mask is None):
            return super().call(inputs, training=training, mask=mask)
        shape = tf.shape(inputs)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            tf.reshape(inputs, (1, 1, -1, inputs.shape[-1])),
            self.gamma,
            self.beta,
            epsilon=self.epsilon,
            is_training=True,
        )
        # The kernel returns the sample variance; Keras' moving variance is of the biased one.
        count = tf.cast(tf.size(inputs) // inputs.shape[-1], variance.dtype)
        variance = variance * (count - 1) / count
        self.moving_mean.assign(self.moving_mean * self.momentum + mean * (1.0 - self.momentum))
        self.moving_variance.assign(self.moving_variance * self.momentum + variance * (1.0 - self.momentum))
        return tf.ensure_shape(tf.reshape(outputs, shape), inputs.shape)

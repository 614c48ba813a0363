"""Batch normalisation of padded records by one TensorFlow kernel, for training."""

import keras
import tensorflow as tf

from transplant.modules.padded_batch_norm import PaddedBatchNormalization


@keras.saving.register_keras_serializable("transplant.batch_norm")
class FusedPaddedBatchNormalization(PaddedBatchNormalization):
    """`PaddedBatchNormalization` whose training step on a CPU is one fused kernel over the valid positions.

    The valid positions of the batch are brought together, normalised by the
    kernel of `FusedBatchNormalization`, and put back among zeros. So a record's
    numbers come from the same rows in the same order however it is padded, are
    the same bits every time, and cost the less the more is padding.

    On a GPU it takes the path of the layer it inherits from: there XLA, which
    needs shapes that are known before the data, makes kernels of it.

    Args:
        **kwargs: as `PaddedBatchNormalization`.

    Call arguments: as `PaddedBatchNormalization`.

    Source: Ioffe and Szegedy, "Batch normalization" (2015), algorithm 1.
    """

    def call(self, inputs, training=None, valid=None):
        """Normalise by the moments of the batch's valid positions in training, by the moving ones else."""
        plain = self.scale and self.center and not self.synchronized
        if valid is None or not (training and self.trainable and plain) or tf.config.list_logical_devices("GPU"):
            return super().call(inputs, training=training, valid=valid)
        channels = inputs.shape[-1]
        if len(inputs.shape) == 4:
            valid = tf.repeat(valid[:, None], tf.shape(inputs)[1], axis=1)
        rows = tf.where(tf.reshape(valid, (-1,)))
        flat = tf.reshape(inputs, (-1, channels))
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            tf.gather_nd(flat, rows)[None, None], self.gamma, self.beta, epsilon=self.epsilon, is_training=True
        )
        count = tf.cast(tf.shape(rows)[0], variance.dtype)
        # The kernel returns the sample variance; Keras' moving variance is of the biased one.
        self._keep(mean, variance * (count - 1) / tf.maximum(count, 1), count > 0)
        outputs = tf.scatter_nd(rows, outputs[0, 0], tf.shape(flat, out_type=rows.dtype))
        return tf.ensure_shape(tf.reshape(outputs, tf.shape(inputs)), inputs.shape)

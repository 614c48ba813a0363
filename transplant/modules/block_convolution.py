"""Convolution along time with a stride, as one without on blocks of the stride."""

import keras
from keras import ops

from transplant.modules.plain_config import without_tuples


@keras.saving.register_keras_serializable("transplant.block_convolution")
class BlockConvolution(keras.layers.Conv2D):
    """`keras.layers.Conv2D` of rows, quicker to train where the kernel is some strides long.

    A kernel of k x s samples and stride s sees the samples in blocks of s: it is a kernel of k blocks with stride 1
    on s times as many channels, of the same numbers in the same order. The gradients of the kernel take half of the
    time then on a CPU.

    Variables, configuration and outputs are those of the stock layer, so weights pass between the two by name. What
    is no such convolution ("valid", kernel (1, k s) and strides (1, s), time known) takes the stock path.

    Args:
        **kwargs: as `keras.layers.Conv2D`.

    Call arguments: inputs of shape (batch, rows, time, channels).

    Example:
        >>> BlockConvolution(64, (1, 32), strides=(1, 8))(np.ones((2, 4, 500, 15), "float32")).shape
        TensorShape([2, 4, 59, 64])
    """

    def convolution_op(self, inputs, kernel):
        """Convolve; bias and activation are the stock layer's."""
        (height, width), (down, stride), time = self.kernel_size, self.strides, inputs.shape[2]
        is_of_rows = height == down == 1 and self.padding == "valid" and self.data_format == "channels_last"
        is_plain = self.dilation_rate == (1, 1) and self.groups == 1
        if width % stride or not is_of_rows or not is_plain or time is None:
            return super().convolution_op(inputs, kernel)
        blocks = (time - width) // stride + width // stride
        if blocks * stride < time:
            # What no output sees. Asked for, because slicing nothing off still takes a copy for the gradient.
            inputs = inputs[:, :, : blocks * stride]
        channels = stride * inputs.shape[3]
        x = ops.reshape(inputs, (-1, ops.shape(inputs)[1], blocks, channels))
        kernel = ops.reshape(kernel, (1, width // stride, channels, self.filters))
        return ops.conv(x, kernel, data_format="channels_last")

    def get_config(self):
        return without_tuples(super().get_config())

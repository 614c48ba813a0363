"""Convolution of images with few channels, whose derivatives in the images are quick."""

import keras
import tensorflow as tf

from transplant.modules.plain_config import without_tuples

LANES = 16
"""float32 values of a vector register."""


@keras.saving.register_keras_serializable("transplant.narrow_convolution")
class NarrowConvolution(keras.layers.Conv2D):
    """`keras.layers.Conv2D` for eight channels and fewer, quicker to differentiate in its inputs by oneDNN on a CPU.

    The gradient in the inputs is a convolution that yields the channels of the inputs: with six of them, ten of
    sixteen lanes of a vector register are idle, and those of the rows' padding too. Here it yields two or four
    neighbouring columns at once, for the same position of all records. The gradients of that gradient, of any order,
    are made of the same three operations.

    It is worth it for some ten records and more, and few filters: LeNet's convolutions take two thirds of the time, the
    first one of a ConvNet of 128 filters nearly all of it, and one record alone more. In the body of a `tf.while_loop`
    there is no second derivative.

    Variables and outputs are those of the stock layer, so weights pass between the two by name. Strides, dilation,
    groups, channels first, more channels, sizes that are not known and a GPU take the stock path. It needs the
    TensorFlow backend.

    Args:
        **kwargs: as `keras.layers.Conv2D`.

    Call arguments: inputs of shape (batch, height, width, channels).

    Example:
        >>> NarrowConvolution(16, 5)(np.ones((2, 14, 14, 6), "float32")).shape
        TensorShape([2, 10, 10, 16])
    """

    def convolution_op(self, inputs, kernel):
        """Convolve; bias and activation are the stock layer's."""
        is_plain = self.strides == self.dilation_rate == (1, 1) and self.groups == 1
        is_known = self.data_format == "channels_last" and None not in inputs.shape[1:]
        is_narrow = is_known and 2 * inputs.shape[-1] <= LANES
        if not (is_plain and is_narrow) or tf.config.list_physical_devices("GPU"):
            return super().convolution_op(inputs, kernel)
        return _convolve(inputs, tf.convert_to_tensor(kernel), self.padding.upper())

    def get_config(self):
        return without_tuples(super().get_config())


# Each of the three is linear in both of its arguments, and its gradients are the other two.


def _convolve(x, kernel, padding):
    @tf.custom_gradient
    def convolved(x, kernel):
        def gradients(dy):
            dy = tf.ensure_shape(dy, found.shape)
            return _input_gradient(kernel, dy, x.shape, padding), _kernel_gradient(x, dy, kernel.shape, padding)

        found = tf.nn.conv2d(x, kernel, 1, padding)
        return found, gradients

    return convolved(x, kernel)


def _kernel_gradient(x, dy, shape, padding):
    @tf.custom_gradient
    def gradient(x, dy):
        def gradients(change):
            return _input_gradient(change, dy, x.shape, padding), _convolve(x, change, padding)

        found = tf.raw_ops.Conv2DBackpropFilter(
            input=x, filter_sizes=list(shape), out_backprop=dy, strides=[1] * 4, padding=padding
        )
        return found, gradients

    return gradient(x, dy)


def _input_gradient(kernel, dy, shape, padding):
    @tf.custom_gradient
    def gradient(kernel, dy):
        def gradients(change):
            return _kernel_gradient(change, dy, kernel.shape, padding), _convolve(change, kernel, padding)

        whole = _unpadded_input_gradient(kernel, dy)
        # As TensorFlow divides "SAME": where the sum is odd, one more at the end.
        top, left = ((size - 1) // 2 if padding == "SAME" else 0 for size in kernel.shape[:2])
        return whole[:, top : top + shape[1], left : left + shape[2]], gradients

    return gradient(kernel, dy)


def _unpadded_input_gradient(kernel, dy):
    """Return the gradient in the inputs, padding included, and up to three columns of zeros more.

    With `columns` neighbouring columns as channels a kernel has a copy of itself for each, shifted by as many columns.
    The batch is an axis of space, along which nothing is convolved: then records fill the rows of a matrix product.
    """
    height, width, channels, filters = kernel.shape
    columns = 4 if 4 * channels < LANES else 2
    dy = tf.pad(dy, [[0, 0], [0, 0], [0, -dy.shape[2] % columns], [0, 0]])
    batch, (rows, blocks) = tf.shape(dy)[0], (dy.shape[1], dy.shape[2] // columns)
    taps = -(-(width + columns - 1) // columns)
    shifts = [[[0, 0], [shift, taps * columns - width - shift], [0, 0], [0, 0]] for shift in range(columns)]
    kernels = tf.stack([tf.pad(kernel, shift) for shift in shifts], axis=3)
    found = tf.raw_ops.Conv3DBackpropInputV2(
        input_sizes=tf.stack([1, rows + height - 1, blocks + taps - 1, batch, columns * channels]),
        filter=tf.reshape(kernels, (height, taps, 1, columns * channels, columns * filters)),
        out_backprop=tf.transpose(tf.reshape(dy, (batch, rows, blocks, columns * filters)), (1, 2, 0, 3))[None],
        strides=[1] * 5,
        padding="VALID",
    )
    in_order = tf.transpose(found[0], (2, 0, 1, 3))
    return tf.reshape(in_order, (batch, rows + height - 1, (blocks + taps - 1) * columns, channels))

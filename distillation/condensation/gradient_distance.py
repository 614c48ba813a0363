"""How far the gradients of two batches are apart, as gradient matching takes it."""

import tensorflow as tf

# As in the public code: keeps a zero row from dividing by zero.
_EPSILON = 1e-6
# Keeps the derivative of the root at zero finite; its square root is far below _EPSILON.
_TINY = 1e-30


def gradient_distance(of_real, of_synthetic):
    """Return the distance of two lists of gradients: the sum of 1 - cosine over the rows of every weight tensor.

    A tensor is laid out as (outputs, rest), so that a row is what leads to one output: of a kernel
    (..., inputs, outputs) one filter or unit. Tensors of one axis (biases, factors and offsets of a
    normalisation) count nothing.

    Args:
        of_real: list of tensors, one a weight.
        of_synthetic: the same of other examples.

    Returns:
        Scalar tensor.

    Source: Zhao et al., "Dataset condensation with gradient matching" (2021), eq. 10, and its public code.
    """
    distances = [
        _row_distance(_rows(real), _rows(synthetic))
        for real, synthetic in zip(of_real, of_synthetic, strict=True)
        if len(real.shape) > 1
    ]
    return tf.add_n(distances)


def _rows(gradient):
    return tf.transpose(tf.reshape(gradient, (-1, gradient.shape[-1])))


def _row_distance(real, synthetic):
    product = tf.reduce_sum(real * synthetic, axis=1)
    norms = _norm(real) * _norm(synthetic)
    return tf.reduce_sum(1 - product / (norms + _EPSILON))


def _norm(rows):
    # tf.norm has no finite derivative at zero.
    return tf.sqrt(tf.reduce_sum(tf.square(rows), axis=1) + _TINY)

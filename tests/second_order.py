"""The mixed second derivative of a model, by differentiating twice and by finite differences."""

import keras
import numpy as np
import tensorflow as tf


def mixed_derivatives(model, shape, n_classes=3, seed=0, step=1e-6, training=False, compiled=False):
    """Return (exact, finite difference) of d/dx of the loss's gradient in the weights, both in random directions.

    Only this derivative shows a missing term of a normalisation's variance: of the second derivative in
    the inputs alone that term is a multiple of the sum of input gradients, which is zero there.

    Args:
        model: built in float64; from (batch, *shape) to logits (batch, n_classes).
        shape: of an example.
        n_classes: number of classes.
        seed: of inputs and directions.
        step: of the difference.
        training: how the model is called.
        compiled: whether the twice differentiated function is compiled by XLA.
    """
    rng = np.random.default_rng(seed)
    x, direction = rng.normal(size=(2, 4, *shape))
    y = rng.integers(n_classes, size=4)
    weights = [variable.value for variable in model.trainable_variables]
    along = [tf.constant(rng.normal(size=weight.shape)) for weight in weights]
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def slope(inputs):
        """The derivative of the loss along a direction of the weights."""
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(inputs, training=training))
        gradients = tape.gradient(loss, weights)
        return tf.add_n([tf.reduce_sum(gradient * part) for gradient, part in zip(gradients, along)])

    @tf.function(jit_compile=compiled)
    def exact(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = slope(inputs)
        return tape.gradient(value, inputs)

    analytic = float(tf.reduce_sum(exact(tf.constant(x)) * direction))
    ahead, behind = (float(slope(tf.constant(x + sign * step * direction))) for sign in (1, -1))
    return analytic, (ahead - behind) / (2 * step)


def relative_error(pair):
    """Return how far two numbers are apart, as a share of the second."""
    return abs(pair[0] - pair[1]) / abs(pair[1])

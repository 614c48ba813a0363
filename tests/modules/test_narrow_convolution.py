"""Convolution of few channels against Keras' own: outputs, derivatives of every order, and what is left to it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from layer_test import run_layer_test

from transplant.modules.narrow_convolution import NarrowConvolution

GEOMETRIES = [
    ((9, 8, 1), (5, 5), {"padding": "same"}),
    ((9, 9, 3), (5, 5), {"padding": "same", "activation": "relu"}),
    ((9, 8, 6), (5, 5), {"use_bias": False}),
    ((8, 9, 6), (5, 5), {}),
    ((7, 8, 4), (2, 4), {"padding": "same"}),
    ((7, 9, 8), (3, 2), {}),
    ((6, 5, 2), (1, 1), {}),
    ((5, 5, 2), (5, 5), {}),  # one position is left
]
LEFT_TO_KERAS = [
    ((7, 7, 9), (3, 3), {}),
    ((7, 7, 2), (3, 3), {"strides": 2}),
    ((7, 7, 2), (3, 3), {"strides": (1, 2)}),
    ((7, 7, 2), (3, 3), {"dilation_rate": 2}),
    ((7, 7, 4), (3, 3), {"groups": 2}),
]


def layer_and_weights(kind, shape, kernel, given, seed=0):
    rng = np.random.default_rng(seed)
    layer = kind(4, kernel, **given)
    layer.build((None, *shape))
    layer.set_weights([rng.normal(size=variable.shape) for variable in layer.variables])
    return layer


def derivatives(layer, x):
    """Return the outputs, and derivatives of the first, second and third order in inputs and weights."""
    variables = [x, *(variable.value for variable in layer.trainable_variables)]

    def weighted(tensors):
        waves = [tf.cos(tf.range(tf.size(tensor), dtype=tensor.dtype)) for tensor in tensors]
        return tf.add_n([tf.reduce_sum(wave * tf.reshape(tensor, [-1]) ** 2) for wave, tensor in zip(waves, tensors)])

    found = []
    with tf.GradientTape() as third:
        third.watch(x)
        with tf.GradientTape() as second:
            second.watch(x)
            with tf.GradientTape() as first:
                first.watch(x)
                found.append([layer(x)])
                total = weighted(found[-1])
            found.append(first.gradient(total, variables))
            total = weighted(found[-1])
        found.append(second.gradient(total, variables))
        total = weighted(found[-1])
    found.append(third.gradient(total, variables))
    return found


@pytest.mark.parametrize(("shape", "kernel", "given"), GEOMETRIES + LEFT_TO_KERAS)
@pytest.mark.parametrize("in_a_graph", [False, True])
def test_derivatives_of_every_order_are_those_of_keras(float64, shape, kernel, given, in_a_graph):
    x = tf.constant(np.random.default_rng(1).normal(size=(3, *shape)))
    ours, theirs = (
        (tf.function(derivatives) if in_a_graph else derivatives)(layer_and_weights(kind, shape, kernel, given), x)
        for kind in (NarrowConvolution, keras.layers.Conv2D)
    )
    for order, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        for a, b in zip(one, other, strict=True):
            scale = float(tf.reduce_max(abs(b)))
            np.testing.assert_allclose(a / scale, b / scale, atol=1e-12, err_msg=f"order {order}")


def operations(shape, kernel, given):
    layer = layer_and_weights(NarrowConvolution, shape, kernel, given)

    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(layer(x))
        return tape.gradient(total, x)

    graph = tf.function(gradient).get_concrete_function(tf.TensorSpec((None, *shape), tf.float32)).graph
    return {node.type for node in graph.get_operations()}


def test_the_gradient_is_taken_by_columns_where_that_is_quicker(monkeypatch):
    for geometry in GEOMETRIES:
        found = operations(*geometry)
        assert "Conv3DBackpropInputV2" in found and "Conv2DBackpropInput" not in found, geometry
    unknown = ((None, 9, 2), (3, 3), {})
    for geometry in (*LEFT_TO_KERAS, unknown):
        assert "Conv3DBackpropInputV2" not in operations(*geometry), geometry
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    for geometry in GEOMETRIES:
        assert "Conv3DBackpropInputV2" not in operations(*geometry), geometry


def test_a_gradient_of_lost_sizes_is_taken():
    layer = layer_and_weights(NarrowConvolution, (6, 6, 2), (3, 3), {})
    lose = tf.custom_gradient(lambda x: (x, lambda dy: tf.numpy_function(lambda value: value, [dy], dy.dtype)))

    @tf.function
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(lose(layer(x)))
        return tape.gradient(total, x)

    x = tf.ones((2, 6, 6, 2))
    expected = tf.nn.conv2d_transpose(tf.ones((2, 4, 4, 4)), layer.kernel, x.shape, 1, "VALID")
    np.testing.assert_allclose(gradient(x), expected, rtol=1e-5, atol=1e-5)


def test_it_behaves_as_a_layer(tmp_path):
    x = np.random.default_rng(0).normal(size=(2, 7, 8, 3)).astype(np.float32)
    run_layer_test(lambda: NarrowConvolution(5, 3), x, (2, 5, 6, 5), tmp_path)

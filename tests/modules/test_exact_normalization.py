"""Normalisation layers against Keras' in value and first derivative, and against finite differences in the second."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from layer_test import run_layer_test
from second_order import mixed_derivatives, relative_error

from transplant.modules.exact_normalization import (
    ExactBatchNormalization,
    ExactGroupNormalization,
    ExactInstanceNormalization,
    ExactLayerNormalization,
)

# Ours, Keras' of the same name, and its arguments.
PAIRS = {
    "instance": (ExactInstanceNormalization, keras.layers.GroupNormalization, {"groups": -1}),
    "group": (lambda **kwargs: ExactGroupNormalization(2, **kwargs), keras.layers.GroupNormalization, {"groups": 2}),
    "layer": (ExactLayerNormalization, keras.layers.LayerNormalization, {}),
    "batch": (ExactBatchNormalization, keras.layers.BatchNormalization, {}),
}
SHAPES = [(9, 4), (5, 6, 4)]


def network(normalization, shape, seed=3):
    """A convolution, a normalisation between them, tanh, and a linear layer, with random weights."""
    inputs = keras.Input(shape)
    convolution = keras.layers.Conv1D if len(shape) == 2 else keras.layers.Conv2D
    x = convolution(4, 3, padding="same")(inputs)
    x = keras.ops.tanh(normalization(x))
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(scale=0.5, size=variable.shape) + ("gamma" in variable.path))
    return model


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_mixed_second_derivative_is_right(float64, kind, shape):
    ours, _, _ = PAIRS[kind]
    model = network(ours(), shape)
    assert relative_error(mixed_derivatives(model, shape, training=True)) < 1e-6


@pytest.mark.parametrize("kind", PAIRS)
def test_that_of_keras_is_not(float64, kind):
    """Why these layers exist; if this fails, Keras or TensorFlow has mended it."""
    _, theirs, arguments = PAIRS[kind]
    model = network(theirs(epsilon=1e-5, **arguments), SHAPES[1])
    assert relative_error(mixed_derivatives(model, SHAPES[1], training=True)) > 1e-4


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize("shape", SHAPES)
def test_outputs_and_first_derivatives_are_those_of_keras(float64, kind, shape):
    ours, theirs, arguments = PAIRS[kind]
    rng = np.random.default_rng(5)
    x, along = tf.constant(rng.normal(2, 3, size=(3, *shape))), rng.normal(size=(3, *shape))
    layers = ours(epsilon=1e-3), theirs(epsilon=1e-3, **arguments)
    found = []
    for layer in layers:
        layer.build((None, *shape))
        for variable, value in zip(layer.trainable_variables, ([0.5, 1, 2, 3], [1, -1, 0, 2])):
            variable.assign(value)
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, training=True)
            total = tf.reduce_sum(outputs * along)
        found.append([outputs, *tape.gradient(total, [x, *[v.value for v in layer.trainable_variables]])])
        found[-1] += [v.value for v in layer.non_trainable_variables if "moving" in v.path]
        if kind == "batch":
            found[-1].append(layer(x, training=False))
    assert len(found[0]) == (7 if kind == "batch" else 4)
    for one, other in zip(*found):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", PAIRS)
def test_layers_behave_as_layers(kind, tmp_path):
    rng = np.random.default_rng(0)
    run_layer_test(PAIRS[kind][0], rng.normal(size=(2, 6, 4)).astype(np.float32), (2, 6, 4), tmp_path)


def test_without_scale_and_offset_there_are_no_weights():
    for ours, _, _ in PAIRS.values():
        layer = ours(center=False, scale=False)
        outputs = np.asarray(layer(np.random.default_rng(1).normal(3, 2, (2, 50, 4)).astype(np.float32), training=True))
        assert not layer.trainable_variables
        assert abs(outputs.mean()) < 1e-5 and outputs.std() == pytest.approx(1, abs=1e-2)


def test_groups_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValueError, match="groups=3"):
        ExactGroupNormalization(3).build((None, 5, 4))

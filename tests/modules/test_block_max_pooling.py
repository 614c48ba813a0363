"""Maximum of blocks against Keras' pooling, and its second derivatives with and without XLA."""

import keras
import numpy as np
import pytest
from second_order import mixed_derivatives, relative_error

from transplant.modules.block_max_pooling import BlockMaxPooling


@pytest.mark.parametrize(
    ("shape", "theirs"),
    [((2, 9, 3), keras.layers.MaxPooling1D), ((2, 8, 7, 3), keras.layers.MaxPooling2D)],
)
@pytest.mark.parametrize("size", [2, 3])
def test_maxima_are_those_of_keras(shape, theirs, size):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    assert np.array_equal(np.asarray(BlockMaxPooling(size)(x)), np.asarray(theirs(size)(x)))


def test_it_behaves_as_a_layer(tmp_path):
    x = np.random.default_rng(0).normal(size=(2, 6, 4)).astype(np.float32)
    layer = BlockMaxPooling(2)
    assert BlockMaxPooling.from_config(layer.get_config()).pool_size == 2
    assert np.asarray(layer(x)).shape == (2, 3, 4) == layer.compute_output_shape((2, 6, 4))


def network(pooling):
    inputs = keras.Input((6, 6, 2))
    x = pooling(keras.layers.Conv2D(3, 3, padding="same", activation="tanh")(inputs))
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(x)))


@pytest.mark.parametrize("compiled", [False, True])
def test_the_mixed_second_derivative_is_right(float64, compiled):
    assert relative_error(mixed_derivatives(network(BlockMaxPooling(2)), (6, 6, 2), compiled=compiled)) < 1e-6


def test_that_of_keras_cannot_be_compiled(float64):
    """Why this layer exists; if this fails, TensorFlow has mended it."""
    with pytest.raises(Exception, match=r"MaxPoolGradGrad|Unsupported|not compilable|unimplemented|UNIMPLEMENTED"):
        mixed_derivatives(network(keras.layers.MaxPooling2D(2)), (6, 6, 2), compiled=True)

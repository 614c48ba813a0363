"""Convolution by blocks of the stride against Keras' own: outputs, gradients, and geometries that are left to it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from layer_test import run_layer_test

from transplant.modules.block_convolution import BlockConvolution


def outputs_and_gradients(layer, x, weights):
    layer.build(x.shape)
    layer.set_weights(weights)
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = layer(x)
        total = tf.reduce_sum(outputs * tf.cos(tf.range(tf.size(outputs), dtype=tf.float32)[: outputs.shape[-1]]))
    return [outputs, *tape.gradient(total, [x, *layer.trainable_variables])]


@pytest.mark.parametrize(
    ("samples", "kernel", "strides", "others"),
    [
        (50, (1, 32), (1, 8), {"activation": "relu"}),  # two samples are left at the end
        (23, (1, 8), (1, 4), {"use_bias": False}),
        (12, (1, 4), (1, 4), {}),
        (12, (1, 4), (1, 1), {}),
        (13, (1, 5), (1, 2), {}),  # from here on: the stock path
        (13, (1, 4), (1, 2), {"padding": "same"}),
        (13, (2, 4), (1, 2), {}),
        (13, (1, 4), (2, 2), {}),
        (13, (1, 4), (1, 1), {"dilation_rate": (1, 2)}),
        (13, (1, 4), (1, 2), {"groups": 3}),
    ],
)
def test_it_is_the_convolution_of_keras(samples, kernel, strides, others):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 4, samples, 3)).astype(np.float32)
    weights = [rng.normal(size=(*kernel, 3 // others.get("groups", 1), 6)), rng.normal(size=6)]
    weights = weights[: 1 + others.get("use_bias", True)]
    ours, theirs = (
        outputs_and_gradients(kind(6, kernel, strides=strides, **others), x, weights)
        for kind in (BlockConvolution, keras.layers.Conv2D)
    )
    assert len(ours) == 2 + len(weights)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_it_behaves_as_a_layer(tmp_path):
    x = np.random.default_rng(0).normal(size=(2, 3, 22, 4)).astype(np.float32)
    run_layer_test(lambda: BlockConvolution(5, (1, 8), strides=(1, 4)), x, (2, 3, 4, 5), tmp_path)

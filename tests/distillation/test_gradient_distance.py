"""The distance of gradients: by hand, and against the public PyTorch code's figures in float64."""

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from distillation.condensation.gradient_distance import gradient_distance
from distillation.condensation.networks import network_variables
from transplant.modules.convnet import build_convnet

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "gradient_matching.npz"
# Layers of PyTorch's sequence, a convolution and a normalisation each.
LAYERS = ((0, 1), (4, 5), (8, 9))


def test_it_counts_rows_that_point_elsewhere():
    # Kernels (inputs, outputs): the first output's row is the same up to its length, the second's is opposite, the
    # third's at a right angle: 0 + 2 + 1. The bias counts nothing.
    real = [tf.constant([[1.0, 1.0, 1.0], [2.0, 0.0, 0.0]]), tf.constant([1.0, 2.0, 3.0])]
    synthetic = [tf.constant([[3.0, -2.0, 0.0], [6.0, 0.0, 5.0]]), tf.constant([-9.0, 0.0, 0.0])]
    assert float(gradient_distance(real, synthetic)) == pytest.approx(3, abs=1e-4)


def test_a_row_of_a_kernel_is_what_leads_to_one_output():
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(size=(2, 3, 3, 2, 4))
    expected = 0
    for output in range(4):
        a, b = real[..., output].ravel(), synthetic[..., output].ravel()
        expected += 1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
    assert float(gradient_distance([tf.constant(real)], [tf.constant(synthetic)])) == pytest.approx(expected, rel=1e-5)


def test_a_gradient_of_zero_is_far_but_has_a_derivative():
    zero = tf.Variable(np.zeros((3, 2)))
    with tf.GradientTape() as tape:
        distance = gradient_distance([tf.ones((3, 2), tf.float64)], [tf.convert_to_tensor(zero)])
    assert float(distance) == 2 and np.isfinite(tape.gradient(distance, zero)).all()


def golden_network(figures):
    backbone = build_convnet("convnet3", (28, 28, 1), width=8)
    model = keras.Model(backbone.input, keras.layers.Dense(10)(backbone.output))
    values = []
    for convolution, norm in LAYERS:
        values.append(figures[f"param:features.{convolution}.weight"].transpose(2, 3, 1, 0))
        values += [figures[f"param:features.{convolution}.bias"]]
        values += [figures[f"param:features.{norm}.{name}"] for name in ("weight", "bias")]
    # PyTorch flattens (channels, height, width), Keras (height, width, channels).
    dense = figures["param:classifier.weight"].reshape(10, 8, 4, 4).transpose(2, 3, 1, 0).reshape(128, 10)
    for variable, value in zip(model.trainable_variables, [*values, dense, figures["param:classifier.bias"]]):
        variable.assign(value)
    return model


def test_loss_and_image_gradient_are_those_of_the_public_code(float64):
    with np.load(GOLDEN) as figures:
        figures = dict(figures)
    model = golden_network(figures)
    real, synthetic = (figures[name].transpose(0, 2, 3, 1) for name in ("real", "syn"))
    np.testing.assert_allclose(model(real), figures["logits_real"], rtol=1e-6, atol=1e-9)
    loss_of, label = keras.losses.SparseCategoricalCrossentropy(from_logits=True), int(figures["cls"])

    def gradients(x):
        with tf.GradientTape() as tape:
            loss = loss_of(np.full(x.shape[0], label), model(x))
        return tape.gradient(loss, network_variables(model))

    images = tf.Variable(synthetic)
    with tf.GradientTape() as tape:
        loss = gradient_distance(gradients(tf.constant(real)), gradients(images))
    assert float(loss) == pytest.approx(float(figures["loss"]), rel=1e-6)
    expected = figures["grad_syn"].transpose(0, 2, 3, 1)
    np.testing.assert_allclose(tape.gradient(loss, images), expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())

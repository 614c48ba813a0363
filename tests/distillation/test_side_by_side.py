"""Networks side by side: every one's logits and derivatives are its own."""

import numpy as np
import pytest
import tensorflow as tf

from distillation.condensation.networks import build_network, drawn_weights, network_variables
from distillation.condensation.side_by_side import SideBySide
from distillation.condensation.twice_differentiable import GRAPH, XLA

NARROW = {"lenet": (12, 13, 2), "cnn": (20, 3), "cnn-dropout": (20, 3)}
OTHERS = {"convnet1": (8, 8, 1), "cnn1d": (20, 3), "mlp3": (9, 2), "lstm-icu": (6, 3)}


def draws(model, count):
    seeds = range(count)
    return [[tf.constant(value) for value in drawn_weights(model, seed, "uniform")] for seed in seeds]


def alone(model, weights, x):
    """The logits of the model itself with these weights, and the gradients of their squares' mean."""
    for variable, value in zip(network_variables(model), weights):
        variable.assign(value)
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = model(x, training=False)
        loss = tf.reduce_mean(logits**2)
    return logits.numpy(), *[gradient.numpy() for gradient in tape.gradient(loss, [x, *network_variables(model)])]


@pytest.mark.parametrize(("arch", "shape"), [*NARROW.items(), *OTHERS.items()])
@pytest.mark.parametrize("compiler", [None, GRAPH, XLA])
def test_logits_and_gradients_are_those_of_each_network_alone(float64, arch, shape, compiler):
    model = build_network(arch, shape, 3, compiler=compiler)
    weights, x = draws(model, 3), tf.constant(np.random.default_rng(0).normal(size=(4, *shape)))
    together = SideBySide(model)
    with tf.GradientTape() as tape:
        tape.watch([x, weights])
        logits = together.logits(weights, x)
        loss = tf.add_n([tf.reduce_mean(of_network**2) for of_network in logits])
    of_x, of_weights = tape.gradient(loss, [x, weights])
    expected = [alone(model, of_network, x) for of_network in weights]
    for of_network, gradients, (own_logits, _, *own_gradients) in zip(logits, of_weights, expected):
        np.testing.assert_allclose(of_network, own_logits, rtol=1e-12, atol=1e-13)
        for gradient, own in zip(gradients, own_gradients):
            np.testing.assert_allclose(gradient, own, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(of_x, sum(own[1] for own in expected), rtol=1e-10, atol=1e-12)


def test_layers_are_shared_where_the_first_convolution_is_narrow():
    for arch, shape in (NARROW | OTHERS).items():
        assert SideBySide(build_network(arch, shape, 3)).share_layers == (arch in NARROW), arch
    assert SideBySide(build_network("convnet1", (8, 8, 1), 3, width=16)).share_layers is False


def test_one_convolution_serves_all_networks():
    model = build_network("lenet", (12, 12, 1), 3)
    weights = draws(model, 4)
    graph = tf.function(SideBySide(model).logits).get_concrete_function(
        [[tf.TensorSpec(weight.shape, "float32") for weight in of_network] for of_network in weights],
        tf.TensorSpec((5, 12, 12, 1), "float32"),
    )
    convolutions = [operation for operation in graph.graph.get_operations() if operation.type == "Conv2D"]
    assert sorted(operation.inputs[1].shape[-1] for operation in convolutions) == [16, 16, 16, 16, 24]

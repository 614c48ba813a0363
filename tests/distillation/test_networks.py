"""Networks to distil for: their second derivatives, and fresh weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from second_order import mixed_derivatives, relative_error

from distillation.condensation.architectures import DISTILLABLE
from distillation.condensation.network_training import NetworkTrainer
from distillation.condensation.networks import (
    build_judge,
    build_network,
    default_arch,
    default_scheme,
    default_width,
    draw_weights,
    drawn_weights,
)
from distillation.condensation.twice_differentiable import GRAPH, XLA
from transplant.errors import OptionError
from transplant.modules.block_max_pooling import BlockMaxPooling
from transplant.modules.narrow_convolution import NarrowConvolution

NETWORKS = {
    "logistic": (4, 2),
    "mlp-16": (4, 2),
    "mlp-deep": (4, 2),
    "mlp-512": (4, 4, 1),
    "mlp3": (9, 2),
    "cnn": (16, 2),
    "cnn-dropout": (16, 2),
    "cnn1d": (20, 3),
    "lenet": (12, 12, 2),
    "convnet1": (4, 4, 1),
    "convnet2": (8, 8, 1),
    "convnet3": (8, 8, 1),
    "gru": (6, 2),
    "gru-deep": (3, 2),
    "visit-gru": (3, 2),
    "visit-lstm": (3, 2),
    "lstm-icu": (6, 3),
}
# Both numbers are rounded to 1e-8 of their size and better. A ReLU or a maximum that changed sides within the step of
# 1e-6 would put the difference out by a jump divided by the step; of these seeds none does.
MIXED = 1e-7


def mixed_error(arch, shape):
    """Return the relative error of a network's mixed derivative without dropout, as the methods differentiate it."""
    model = build_network(arch, shape, 3, width=4 if arch.startswith("convnet") else None, compiler=GRAPH)
    draw_weights(model, 7, default_scheme(arch))
    return relative_error(mixed_derivatives(model, shape, training=False))


def test_every_network_to_distil_for_has_a_shape_here():
    assert set(NETWORKS) == set(DISTILLABLE)


@pytest.mark.parametrize("arch", DISTILLABLE)
def test_the_mixed_second_derivative_of_every_network_is_right(float64, arch):
    assert mixed_error(arch, NETWORKS[arch]) < MIXED


def test_the_one_dimensional_convnet_is_right_too(float64):
    assert mixed_error("convnet3", (16, 2)) < MIXED


@pytest.mark.parametrize(("arch", "shape"), NETWORKS.items())
@pytest.mark.parametrize("scheme", ["uniform", "xavier", "kaiming", "keras"])
def test_a_seed_decides_all_weights(arch, shape, scheme):
    model = build_network(arch, shape, 3)
    draws = []
    for seed in (1, (1, 2), 1):
        draw_weights(model, seed, scheme)
        draws.append([variable.numpy().copy() for variable in model.trainable_variables])
    assert all(np.array_equal(one, other) for one, other in zip(draws[0], draws[2]))
    # Kernels differ; biases and factors may be constants.
    kernels = [index for index, variable in enumerate(model.trainable_variables) if "kernel" in variable.path]
    assert kernels and not any(np.array_equal(draws[0][index], draws[1][index]) for index in kernels)


@pytest.mark.parametrize("arch", ["lenet", "lstm-icu"])
def test_drawn_weights_are_those_that_a_network_is_given(arch):
    model = build_network(arch, NETWORKS[arch], 3)
    before = [variable.numpy() for variable in model.trainable_variables]
    drawn = drawn_weights(model, 4, "kaiming")
    assert all(np.array_equal(variable, value) for variable, value in zip(model.trainable_variables, before))
    draw_weights(model, 4, "kaiming")
    for variable, value in zip(model.trainable_variables, drawn):
        np.testing.assert_array_equal(variable.numpy(), value.astype("float32"))


def test_what_the_schemes_draw():
    model = build_network("mlp3", (400, 1), 10)
    kernel, bias = model.trainable_variables[:2]
    draw_weights(model, 3, "uniform")
    assert np.abs(kernel.numpy()).max() == pytest.approx(1 / 20, rel=0.01) and np.abs(bias.numpy()).max() <= 1 / 20
    assert bias.numpy().any()
    draw_weights(model, 3, "xavier")
    assert kernel.numpy().std() == pytest.approx((2 / 528) ** 0.5, rel=0.02) and not bias.numpy().any()
    draw_weights(model, 3, "kaiming")
    assert kernel.numpy().std() == pytest.approx((2 / 400) ** 0.5, rel=0.02) and not bias.numpy().any()
    draw_weights(model, 3, "keras")
    assert np.abs(kernel.numpy()).max() == pytest.approx((6 / 528) ** 0.5, rel=0.01)
    with pytest.raises(OptionError, match="Received: he"):
        draw_weights(model, 3, "he")


def test_a_fan_counts_the_positions_of_a_kernel():
    model = build_network("convnet3", (8, 8, 3), 2, width=16)
    draw_weights(model, 0, "uniform")
    second = next(v for v in model.trainable_variables if "conv2/kernel" in v.path)
    assert np.abs(second.numpy()).max() == pytest.approx((9 * 16) ** -0.5, rel=0.01)
    gammas = [v.numpy() for v in model.trainable_variables if v.name == "gamma"]
    assert len(gammas) == 3 and all((gamma == 1).all() for gamma in gammas)


def test_an_lstm_begins_as_keras_has_it():
    model = build_network("lstm-icu", (6, 3), 2)
    draw_weights(model, 5, "keras")
    cell = model.get_layer("backbone").get_layer("stage1_lstm2").cell
    recurrent = cell.recurrent_kernel.numpy()
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(16), atol=1e-5)
    assert np.array_equal(cell.bias.numpy(), np.repeat([0, 1, 0, 0], 16))


def test_what_is_refused():
    with pytest.raises(OptionError, match="Received: resnet18"):
        build_network("resnet18", (100, 1), 2)
    with pytest.raises(OptionError, match="--width is for convnet1, convnet2, convnet3"):
        build_network("lenet", (12, 12, 1), 2, width=128)
    with pytest.raises(OptionError, match="does not fit"):
        build_network("lenet", (100, 1), 2)


def test_widths_and_schemes_that_nobody_asked_for():
    depths = {(28, 28, 1): 3, (27, 40, 1): 2, (14, 14, 3): 2, (8, 8, 1): 1, (128, 1): 3, (127, 1): 2, (48, 99): 1}
    assert {shape: int(default_arch(shape)[-1]) for shape in depths} == depths
    assert default_width("lenet", (28, 28, 1)) is None
    assert [default_width("convnet3", shape) for shape in ((28, 28, 1), (8, 8, 1), (48, 99))] == [128, 32, 32]
    assert [default_scheme(arch) for arch in ("lenet", "convnet3", "gru-deep")] == ["xavier", "uniform", "keras"]


@pytest.mark.parametrize(("arch", "shape"), [("lenet", (12, 12, 2)), ("cnn", (20, 3))])
def test_a_network_for_xla_computes_the_same_and_compiles_its_mixed_derivative(arch, shape):
    model, compiled = (build_network(arch, shape, 3, compiler=compiler) for compiler in (None, XLA))
    for network in (model, compiled):
        draw_weights(network, 1, "kaiming")
    x = tf.constant(np.random.default_rng(2).normal(size=(4, *shape)), tf.float32)

    def derivative(network):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                loss = tf.reduce_mean(network(x, training=False) ** 2)
            weights = [variable.value for variable in network.trainable_variables]
            size = sum(tf.reduce_sum(gradient**2) for gradient in inner.gradient(loss, weights))
        return outer.gradient(size, x)

    expected = derivative(model).numpy()
    found = tf.function(lambda: derivative(compiled), jit_compile=True)().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_a_resnet_judges_from_fresh_weights_and_moments_each_time():
    model = build_judge("resnet18", (64, 2), 3)
    assert model.name == "resnet18" and model.output_shape == (None, 3) and default_scheme("resnet18") == "keras"
    draw_weights(model, 1, "keras")
    fresh = model.get_weights()
    trainer = NetworkTrainer(model, 0.01, momentum=0.9)
    x = np.random.default_rng(0).normal(size=(6, 64, 2))
    trainer.step(x, np.eye(3)[[0, 1, 2, 0, 1, 2]])
    changed = {v.name for v, before in zip(model.weights, fresh) if not np.array_equal(v, before)}
    assert {"kernel", "gamma", "beta", "moving_mean", "moving_variance"} <= changed
    draw_weights(model, 1, "keras")
    assert all(np.array_equal(one, other) for one, other in zip(fresh, model.get_weights()))
    with pytest.raises(OptionError, match="does not fit"):
        build_judge("resnet18", (8, 8, 1), 3)


def kinds(arch, compiler, shape=None):
    backbone = build_network(arch, shape or NETWORKS[arch], 3, compiler=compiler).get_layer("backbone")
    return [type(layer) for layer in backbone.layers]


def test_layers_are_other_ones_where_their_second_derivatives_need_it():
    keras_alone = kinds("lenet", None)
    of_narrow = [NarrowConvolution if kind is keras.layers.Conv2D else kind for kind in keras_alone]
    assert kinds("lenet", GRAPH) == of_narrow != keras_alone
    of_blocks = [BlockMaxPooling if kind is keras.layers.MaxPooling2D else kind for kind in keras_alone]
    assert kinds("lenet", XLA) == of_blocks != keras_alone
    for arch in ("convnet1", "lstm-icu"):  # wide, and no convolution at all
        assert kinds(arch, GRAPH) == kinds(arch, XLA) == kinds(arch, None)


def test_variables_of_other_networks_keep_their_paths():
    for compiler in (None, GRAPH, XLA):
        paths = [variable.path for variable in build_network("lstm-icu", (6, 3), 2, compiler=compiler).variables]
        assert len(set(paths)) == len(paths)


def test_the_published_network_has_the_published_size():
    # ConvNet of DC on MNIST: 128 (1 x 9 + 1) + 2 x 128 (128 x 9 + 1) + 3 x 2 x 128 + 10 (128 x 16 + 1).
    model = build_network("convnet3", (28, 28, 1), 10)
    assert model.count_params() == 128 * 10 + 2 * 128 * 1153 + 768 + 10 * 2049 == 317706
    assert isinstance(model, keras.Model)

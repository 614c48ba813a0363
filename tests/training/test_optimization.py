"""The optimiser's settings against numbers worked by hand."""

import argparse
import math

import keras
import numpy as np
import pytest

from transplant.errors import OptionError
from transplant.training.command_line import add_optimizer_flags
from transplant.training.optimization import OptimizerSettings, build_optimizer


def rates(settings, total_steps):
    """Return the learning rate of every step."""
    optimizer = build_optimizer(settings, total_steps)
    weight = keras.Variable(np.zeros(1, np.float32))
    optimizer.build([weight])
    found = []
    for _ in range(total_steps):
        found.append(float(keras.ops.convert_to_numpy(optimizer.learning_rate)))
        optimizer.apply([np.ones(1, np.float32)])
    return found


def test_flags_give_plain_adam_where_nothing_is_asked():
    parser = argparse.ArgumentParser()
    add_optimizer_flags(parser)
    settings = OptimizerSettings.from_options(parser.parse_args([]))
    assert settings == OptimizerSettings()
    built = build_optimizer(settings, 10, beta_2=0.98, epsilon=1e-9).get_config()
    expected = keras.optimizers.Adam(1e-3, beta_1=0.9, beta_2=0.98, epsilon=1e-9).get_config()
    assert {k: v for k, v in built.items() if k != "name"} == {k: v for k, v in expected.items() if k != "name"}


def test_cosine_schedule_with_warm_up():
    found = rates(OptimizerSettings(0.8, schedule="cosine", warmup_steps=4), 12)
    rising = [0.0, 0.2, 0.4, 0.6]
    falling = [0.4 * (1 + math.cos(math.pi * step / 8)) for step in range(8)]
    assert found == pytest.approx(rising + falling, abs=1e-6)


def test_cosine_schedule_without_warm_up():
    assert rates(OptimizerSettings(1.0, schedule="cosine"), 3) == pytest.approx([1.0, 0.75, 0.25], abs=1e-6)


def test_constant_rate_after_warm_up():
    found = rates(OptimizerSettings(0.5, warmup_steps=2), 5)
    assert found == pytest.approx([0.0, 0.25, 0.5, 0.5, 0.5])


def test_a_warm_up_longer_than_the_run_is_refused():
    with pytest.raises(OptionError, match=r"steps of the run, 4\. Received: 4; lower it"):
        build_optimizer(OptimizerSettings(warmup_steps=4), 4)


def test_kernels_decay_apart_from_the_gradient_and_nothing_else_does():
    layers = [
        keras.layers.Dense(2, name="bias_of_all"),
        keras.layers.BatchNormalization(name="beta_bn"),
        keras.layers.LayerNormalization(name="norm"),
        keras.layers.MultiHeadAttention(2, 2, name="attention"),
    ]
    x = inputs = keras.Input((3, 2))
    for layer in layers[:3]:
        x = layer(x)
    model = keras.Model(inputs, layers[3](x, x))
    for variable in model.trainable_variables:
        variable.assign(np.ones(variable.shape))
    optimizer = build_optimizer(OptimizerSettings(learning_rate=0.1, weight_decay=0.2), 5)
    optimizer.build(model.trainable_variables)
    # Without a gradient Adam stands still, and what is left is the decay: 1 - 0.1 * 0.2 a step.
    for _ in range(2):
        optimizer.apply([np.zeros(v.shape, np.float32) for v in model.trainable_variables])
    for variable in model.trainable_variables:
        expected = 0.98**2 if variable.name == "kernel" else 1.0
        np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-6, err_msg=variable.path)
    assert {v.name for v in model.trainable_variables} == {"kernel", "bias", "gamma", "beta"}


def test_clipping_is_by_the_norm_of_all_gradients_together():
    weights = [keras.Variable(np.zeros(2, np.float32)) for _ in range(2)]
    # With this epsilon a first step of Adam is the gradient itself, times the rate.
    optimizer = build_optimizer(OptimizerSettings(learning_rate=1.0, clip_norm=1.0), 5, 0.0, 0.0, epsilon=1e6)
    optimizer.build(weights)
    optimizer.apply([np.array([3.0, 0.0], np.float32), np.array([0.0, 4.0], np.float32)])
    moved = [-w.numpy() * 1e6 for w in weights]
    np.testing.assert_allclose(moved, [[0.6, 0], [0, 0.8]], rtol=1e-4)

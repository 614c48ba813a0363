"""Batch normalisation of padded records against numpy on their valid positions."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from layer_test import run_layer_test

from transplant.errors import OptionError
from transplant.modules.batch_norm import make_batch_norm
from transplant.modules.fused_padded_batch_norm import FusedPaddedBatchNormalization
from transplant.modules.padded_batch_norm import PaddedBatchNormalization

LAYERS = [PaddedBatchNormalization, FusedPaddedBatchNormalization]
SHAPES = [(3, 7, 4), (3, 2, 7, 4)]
MASK = np.arange(7) >= np.array([[0], [5], [2]])


def build(cls, shape=SHAPES[0], **arguments):
    """Return a layer whose variables are not at their first values, and inputs far from zero at the padding too."""
    rng = np.random.default_rng(0)
    layer = cls(momentum=0.9, epsilon=1e-3, **arguments)
    layer.build((None, *shape[1:]))
    for variable in layer.variables:
        variable.assign(rng.uniform(0.5, 2.0, variable.shape))
    return layer, rng.normal(3.0, 2.0, shape).astype(np.float32)


def over(mask, shape):
    """The mask at every feature of a shape."""
    mask = mask[:, :, None] if len(shape) == 3 else mask[:, None, :, None]
    return np.broadcast_to(mask, shape)


def expected_outputs(layer, x, mask, mean, variance):
    gamma, beta = (v.numpy().astype(np.float64) for v in (layer.gamma, layer.beta))
    return np.where(over(mask, x.shape), gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta, 0)


@pytest.mark.parametrize("cls", LAYERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_in_training_each_valid_position_of_the_batch_counts_once(cls, shape):
    layer, x = build(cls, shape)
    rows = x[over(MASK, shape)].reshape(-1, 4).astype(np.float64)
    assert len(rows) == MASK.sum() * (1 if len(shape) == 3 else 2)
    mean, variance = rows.mean(axis=0), rows.var(axis=0)
    moving = [0.9 * v.numpy() + 0.1 * m for v, m in ((layer.moving_mean, mean), (layer.moving_variance, variance))]
    got = layer(x, training=True, valid=tf.constant(MASK)).numpy()
    np.testing.assert_allclose(got, expected_outputs(layer, x, MASK, mean, variance), rtol=1e-4, atol=1e-5)
    assert not got[~over(MASK, shape)].any()
    np.testing.assert_allclose(layer.moving_mean.numpy(), moving[0], rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance.numpy(), moving[1], rtol=1e-5)


@pytest.mark.parametrize("cls", LAYERS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("call", [{"training": False}, {"training": True, "frozen": True}])
def test_in_inference_and_frozen_the_moving_moments_are_applied_and_kept(cls, shape, call):
    layer, x = build(cls, shape)
    layer.trainable = not call.get("frozen", False)
    mean, variance = layer.moving_mean.numpy(), layer.moving_variance.numpy()
    got = layer(x, training=call["training"], valid=tf.constant(MASK)).numpy()
    np.testing.assert_allclose(got, expected_outputs(layer, x, MASK, mean, variance), rtol=1e-4, atol=1e-5)
    assert np.array_equal(layer.moving_mean.numpy(), mean)


def loss_and_gradients(layer, x, mask, weights):
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(layer(x, training=True, valid=mask) * weights)
    return loss, tape.gradient(loss, [x, *layer.trainable_variables])


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_those_of_finite_differences(shape):
    layer, x = build(PaddedBatchNormalization, shape, dtype="float64")
    weights = np.random.default_rng(1).normal(size=shape)
    x = tf.constant(x.astype(np.float64))
    _, exact = loss_and_gradients(layer, x, MASK, weights)
    step = 1e-5
    # Of a padding, the first and the last valid sample.
    for index in ((1, *[0] * (len(shape) - 1)), (0, *[0] * (len(shape) - 1)), (2, *[-1] * (len(shape) - 1))):
        shift = np.zeros(shape)
        shift[index] = step
        up, down = (float(loss_and_gradients(layer, x + s, MASK, weights)[0]) for s in (shift, -shift))
        assert exact[0].numpy()[index] == pytest.approx((up - down) / (2 * step), abs=1e-6)
    assert exact[0].numpy()[0].any() and not exact[0].numpy()[~over(MASK, shape)].any()

    fused, _ = build(FusedPaddedBatchNormalization, shape)
    _, got = loss_and_gradients(fused, tf.cast(x, tf.float32), MASK, weights.astype(np.float32))
    for a, b in zip(exact, got):
        np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("cls", LAYERS)
def test_a_batch_of_padding_alone_leaves_the_moments_and_gives_zeros(cls):
    layer, x = build(cls)
    before = [v.numpy() for v in layer.non_trainable_variables]
    x = tf.constant(x)
    _, gradients = loss_and_gradients(layer, x, tf.zeros((3, 7), tf.bool), np.float32(1))
    assert not any(gradient.numpy().any() for gradient in gradients)
    assert all(np.array_equal(v.numpy(), b) for v, b in zip(layer.non_trainable_variables, before))


@pytest.mark.parametrize("cls", LAYERS)
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_agrees_to_its_rounding(cls, policy):
    layer, x = build(cls, dtype=policy)
    exact, _ = build(PaddedBatchNormalization)
    got, expected = (one(x, training=True, valid=tf.constant(MASK)) for one in (layer, exact))
    assert got.dtype == policy.removeprefix("mixed_")
    np.testing.assert_allclose(tf.cast(got, tf.float32).numpy(), expected.numpy(), atol=0.1)


@pytest.mark.parametrize("cls", LAYERS)
def test_without_valid_positions_given_it_is_the_stock_layer(cls, tmp_path):
    layer, x = build(cls)
    stock, _ = build(keras.layers.BatchNormalization)
    assert np.array_equal(layer(x, training=True).numpy(), stock(x, training=True).numpy())
    assert np.array_equal(layer.moving_mean.numpy(), stock.moving_mean.numpy())
    assert [v.name for v in layer.variables] == [v.name for v in stock.variables]
    run_layer_test(cls, x, x.shape, tmp_path)


TWO_DEVICES = """
import json
import numpy as np, tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
from transplant.modules.batch_norm import make_batch_norm
x = np.random.default_rng(0).normal(3.0, 2.0, (4, 6, 2)).astype(np.float32)
mask = np.arange(6) >= np.array([[0], [1], [5], [6]])
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    layer = make_batch_norm("synchronized", padding_aware=True, momentum=0.0)
    layer.build((None, 6, 2))

@tf.function
def step():
    def rows(array):
        make = lambda context: tf.constant(array[2 * context.replica_id_in_sync_group :][:2])
        return strategy.experimental_distribute_values_from_function(make)
    strategy.run(lambda x, mask: layer(x, training=True, valid=mask), args=(rows(x), rows(mask)))

step()
rows = x[mask]
print(json.dumps([np.abs(layer.moving_mean.numpy() - rows.mean(axis=0)).max().item(),
                  np.abs(layer.moving_variance.numpy() - rows.var(axis=0)).max().item()]))
"""


def test_synchronized_moments_are_over_the_valid_positions_of_all_devices():
    # The devices hold 11 valid positions and 1: the mean of their means would be another.
    done = subprocess.run([sys.executable, "-c", TWO_DEVICES], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert max(json.loads(done.stdout)) < 1e-4


def test_the_kind_decides_the_layer():
    kinds = {kind: type(make_batch_norm(kind, padding_aware=True)) for kind in ("stock", "fused", "synchronized")}
    assert kinds == {"stock": LAYERS[0], "fused": LAYERS[1], "synchronized": LAYERS[0]}
    assert make_batch_norm("synchronized", padding_aware=True).synchronized
    with pytest.raises(OptionError, match="Received: none"):
        make_batch_norm("none", padding_aware=True)


@pytest.mark.parametrize("arguments", [{"axis": 1}, {"renorm": True}])
def test_what_it_does_not_do_is_refused(arguments):
    with pytest.raises(OptionError, match="Received: axis"):
        PaddedBatchNormalization(**arguments)

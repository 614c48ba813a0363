"""The fused training step of batch norm computes what the stock layer computes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from transplant.modules.classifier import build_classifier
from transplant.modules.fused_batch_norm import FusedBatchNormalization
from transplant.training.weights import named_variables


def pair(shape=(4, 6, 3), **arguments):
    rng = np.random.default_rng(0)
    layers = [
        cls(momentum=0.9, epsilon=1e-5, **arguments)
        for cls in (keras.layers.BatchNormalization, FusedBatchNormalization)
    ]
    values = None
    for layer in layers:
        layer.build((None, *shape[1:]))
        values = values or [rng.uniform(0.5, 2.0, v.shape) for v in layer.variables]
        for variable, value in zip(layer.variables, values):
            variable.assign(value)
    return layers, rng.normal(1.0, 2.0, shape).astype(np.float32)


def one_step(layer, x, weights, **call):
    x = tf.constant(x)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True, **call)
            loss = tf.reduce_sum(tf.cast(y, tf.float32) * weights)
        return [y, *tape.gradient(loss, [x, *layer.trainable_variables])]

    return [tf.cast(part, tf.float32).numpy() for part in step()] + [v.numpy() for v in layer.non_trainable_variables]


def test_outputs_gradients_and_moving_moments_are_those_of_the_stock_layer():
    (stock, fused), x = pair()
    weights = np.random.default_rng(1).normal(size=x.shape).astype(np.float32)
    expected, got = (one_step(layer, x, weights) for layer in (stock, fused))
    assert len(expected) == 6
    for a, b in zip(expected, got):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-5)


def test_the_moving_variance_is_of_the_biased_batch_variance():
    (_, fused), x = pair()
    before = fused.moving_variance.numpy()
    fused(x, training=True)
    expected = 0.9 * before + 0.1 * x.reshape(-1, 3).var(axis=0)
    np.testing.assert_allclose(fused.moving_variance.numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_agrees_to_its_rounding(dtype):
    (stock, fused), x = pair((8, 50, 4), dtype=dtype)
    expected, got = (layer(x, training=True) for layer in (stock, fused))
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(tf.cast(got, tf.float32).numpy(), tf.cast(expected, tf.float32).numpy(), atol=0.06)


@pytest.mark.parametrize("masked", [False, True])
def test_inference_and_masked_training_take_the_stock_path(masked):
    (stock, fused), x = pair()
    arguments = {"training": masked, "mask": tf.constant([[True] * 3 + [False] * 3] * 4) if masked else None}
    assert np.array_equal(fused(x, **arguments).numpy(), stock(x, **arguments).numpy())
    assert np.array_equal(fused.moving_mean.numpy(), stock.moving_mean.numpy())


def test_a_frozen_layer_keeps_its_moments():
    (_, fused), x = pair()
    fused.trainable = False
    before = fused.moving_mean.numpy()
    fused(x, training=True)
    assert np.array_equal(fused.moving_mean.numpy(), before)


def test_the_layer_survives_its_configuration():
    layer = FusedBatchNormalization(momentum=0.8, epsilon=1e-4, name="bn")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(again) is FusedBatchNormalization
    assert (again.momentum, again.epsilon, again.name) == (0.8, 1e-4, "bn")


def test_a_classifier_trains_alike_with_either_and_shares_the_weights():
    models = [build_classifier("resnet18", 3, stages=1, seed=0, batch_norm=kind) for kind in ("stock", "fused")]
    assert list(named_variables(models[0])) == list(named_variables(models[1]))
    norms = [type(layer) for layer in models[1].get_layer("backbone").layers if "bn" in layer.name]
    assert norms == [FusedBatchNormalization] * 5
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 64, 1)).astype(np.float32), np.arange(4) % 3
    losses = []
    for model in models:
        model.compile(keras.optimizers.SGD(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        losses.append([float(model.train_on_batch(x, y)) for _ in range(3)])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-3)
    assert losses[0][2] < losses[0][0]


def test_gradients_of_a_network_are_bit_equal_every_time():
    model = build_classifier("resnet18", 3, stages=2, seed=0, batch_norm="fused")
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(32, 2048, 1)).astype(np.float32))
    y = tf.constant(rng.integers(0, 3, 32))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True))
        return tape.gradient(value, model.trainable_variables)

    runs = {b"".join(gradient.numpy().tobytes() for gradient in gradients()) for _ in range(5)}
    assert len(runs) == 1

"""The pooling token stands in front of every sequence and is learnt."""

import numpy as np
import tensorflow as tf
from layer_test import run_layer_test

from transplant.modules.pooling_token import PoolingToken


def test_the_token_comes_first_and_the_sequence_follows_unchanged():
    layer = PoolingToken()
    x = np.random.default_rng(0).normal(size=(3, 2, 4)).astype(np.float32)
    layer.build(x.shape)
    layer.token.assign([1.0, 2.0, 3.0, 4.0])
    outputs = layer(x).numpy()
    assert outputs[:, 0].tolist() == [[1.0, 2.0, 3.0, 4.0]] * 3
    assert np.array_equal(outputs[:, 1:], x)


def test_the_token_is_trained_by_all_examples_and_by_nothing_of_theirs():
    layer = PoolingToken()
    x = tf.constant(np.full((3, 2, 4), np.inf, np.float32))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(x)[:, 0])
    assert [v.name for v in layer.trainable_variables] == ["token"]
    assert tape.gradient(total, layer.token).numpy().tolist() == [3.0] * 4


def test_the_token_starts_from_the_seed_within_two_deviations():
    tokens = []
    for seed in (1, 1, 2):
        layer = PoolingToken(seed=seed)
        layer.build((None, 2, 4000))
        tokens.append(layer.token.numpy())
    assert np.array_equal(tokens[0], tokens[1]) and not np.array_equal(tokens[0], tokens[2])
    assert np.abs(tokens[0]).max() <= 2.0
    # A standard normal distribution cut off at 2 has the deviation 0.8796.
    assert abs(tokens[0].std() - 0.8796) < 0.03


def test_the_layer_contract(tmp_path):
    inputs = np.random.default_rng(0).normal(size=(2, 5, 8)).astype(np.float32)
    run_layer_test(lambda: PoolingToken(seed=1), inputs, (2, 6, 8), tmp_path)

"""Dropout of a half: which values it drops, how often, alone and in pairs, and by which seed."""

import numpy as np
import pytest
import tensorflow as tf
from layer_test import run_layer_test

from transplant.modules.half_dropout import HalfDropout

ROWS = 40_000


def kept(layer, channels, rows=ROWS):
    """Return which of ones were kept, as 0 and 1."""
    dropped = np.asarray(layer(np.ones((rows, channels), np.float32), training=True))
    assert set(np.unique(dropped)) == {0.0, 2.0}
    return dropped / 2


@pytest.mark.parametrize("channels", [16, 11])
def test_each_value_is_kept_by_a_fair_coin_of_its_own(channels):
    coins = kept(HalfDropout(seed=1), channels)
    assert coins.shape == (ROWS, channels)
    # Five standard errors: of a mean of coins, 1 / (2 sqrt(n)), and of a correlation, 1 / sqrt(n).
    assert np.abs(coins.mean(axis=0) - 0.5).max() < 5 * 0.5 / np.sqrt(ROWS)
    between_channels = np.corrcoef(coins, rowvar=False) - np.eye(channels)
    assert np.abs(between_channels).max() < 5 / np.sqrt(ROWS)
    between_rows = [np.corrcoef(coins[:-1, c], coins[1:, c])[0, 1] for c in range(channels)]
    assert np.abs(between_rows).max() < 5 / np.sqrt(ROWS)


def test_a_seed_gives_its_masks_and_a_step_another_one():
    one, same, other = (HalfDropout(seed=seed) for seed in (1, 1, 2))
    first = kept(one, 8, 10)
    assert np.array_equal(first, kept(same, 8, 10))
    assert not np.array_equal(first, kept(one, 8, 10))
    assert not np.array_equal(first, kept(other, 8, 10))


def test_gradients_pass_where_values_do_and_twice():
    x = tf.constant(np.random.default_rng(0).normal(size=(3, 5, 8)).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = HalfDropout(seed=1)(x, training=True)
    np.testing.assert_array_equal(tape.gradient(y, x), y / x)


def test_all_is_kept_at_inference():
    x = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    assert np.array_equal(HalfDropout()(x), x)


def test_it_behaves_as_a_layer(tmp_path):
    x = np.random.default_rng(0).normal(size=(2, 3, 5)).astype(np.float32)
    run_layer_test(lambda: HalfDropout(seed=1), x, x.shape, tmp_path)

"""Noise on a poor view: its distribution, what it leaves alone, and that louder noise is the same noise."""

import numpy as np
import pytest
from scipy import stats

from distillation.rdpd.noise import add_noise
from transplant.errors import OptionError

X = np.random.default_rng(0).normal(size=(50, 40, 3)).astype(np.float32)


@pytest.mark.parametrize(("kind", "expected"), [("normal", stats.norm()), ("uniform", stats.uniform(-1, 2))])
def test_the_draws_are_of_the_distribution(kind, expected):
    noisy = add_noise(X, [0, 2], 2.0, kind, 1, "train")
    draws = (noisy[..., [0, 2]] - X[..., [0, 2]]).ravel() / 2
    assert stats.kstest(draws, expected.cdf).pvalue > 0.01
    assert np.array_equal(noisy[..., 1], X[..., 1]) and noisy.dtype == np.float32


def test_louder_noise_is_the_same_noise():
    one, three = (add_noise(X, [1], amplitude, "normal", 1, "test") - X for amplitude in (1.0, 3.0))
    np.testing.assert_allclose(three, 3 * one, atol=1e-5)
    assert not np.allclose(one, add_noise(X, [1], 1.0, "normal", 1, "train") - X), "parts have noise of their own"
    assert not np.allclose(one, add_noise(X, [1], 1.0, "normal", 2, "test") - X), "so have seeds"


def test_no_noise_is_no_copy():
    assert add_noise(X, [0], 0.0, "normal", 1, "train") is X
    with pytest.raises(OptionError, match="normal or uniform"):
        add_noise(X, [0], 1.0, "pink", 1, "train")

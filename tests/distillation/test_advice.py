"""What is said of a finished distillation, on values worked out by hand."""

import numpy as np
import pytest

from distillation.condensation.advice import advice, first_and_last_loss, share_outside


def history(*losses):
    return [{"iteration": number, "loss": loss} for number, loss in enumerate(losses, 1)]


def test_values_count_as_outside_by_channel():
    real = np.array([[[0.0, -9.0], [1.0, 9.0]]])
    x = np.array([[[0.5, 5.0], [2.5, 5.0]], [[-1.1, -10.5], [2.0, 10.0]]])
    assert share_outside(x, real) == pytest.approx(3 / 8)
    (line,) = advice(x, real, history(4, 3, 2, 1))
    assert line.startswith("37.5% of the values lie more than a standard deviation outside") and "--keep-range" in line


def test_a_loss_that_rose_is_told_with_what_to_try():
    real = np.zeros((2, 3, 1))
    (line,) = advice(real, real, history(1, 1.5, 3, 2, 9, 2.5, 3, 2))
    assert "did not fall (1.25 at first, 2.5 at last)" in line and "--data-rate" in line
    assert advice(real, real, history(3, 3, 9, 9, 9, 9, 2, 2)) == []


def test_too_short_a_run_says_nothing_of_its_loss():
    assert first_and_last_loss([1, 2, 3]) == (np.inf, 0)

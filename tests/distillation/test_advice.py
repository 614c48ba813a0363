"""What is said of a finished distillation, on values worked out by hand."""

import numpy as np
import pytest

from distillation.condensation.advice import advice, may_not_have_fallen, share_of_noise_outside, share_outside

FALLING, RISING = np.linspace(4, 1, 16), np.linspace(1, 4, 16)


def history(losses):
    return [{"iteration": number, "loss": loss} for number, loss in enumerate(losses, 1)]


def test_values_count_as_outside_by_channel():
    real = np.array([[[0.0, -9.0], [1.0, 9.0]]])
    x = np.array([[[0.5, 5.0], [2.5, 5.0]], [[-1.1, -10.5], [2.0, 10.0]]])
    assert share_outside(x, real) == pytest.approx(3 / 8)
    (line,) = advice(x, real, history(FALLING), "real")
    assert line.startswith("37.5% of the values lie more than a standard deviation outside") and "--keep-range" in line


def test_noise_that_did_not_move_is_no_sign_of_anything():
    real = np.random.default_rng(0).uniform(-0.8, 1.8, (50, 8, 8, 1))
    noise = np.random.default_rng(1).normal(size=(100, 8, 8, 1))
    assert (
        share_of_noise_outside(real) == pytest.approx(share_outside(noise, real), abs=0.005)
        and share_outside(noise, real) > 0.03
    )
    assert advice(noise, real, history(FALLING), "noise") == []
    assert len(advice(noise, real, history(FALLING), "real")) == 1
    assert len(advice(2 * noise, real, history(FALLING), "noise")) == 1


@pytest.mark.parametrize(("start", "told"), [("noise", True), ("real", False)])
def test_a_loss_that_rose_is_told_with_what_to_try(start, told):
    real = np.zeros((2, 3, 1))
    (line,) = advice(real, real, history(RISING), start)
    assert "no sign of falling" in line and "--data-rate" in line and ("--start real" in line) == told
    assert advice(real, real, history(FALLING), start) == []


def test_a_loss_that_only_trembles_has_not_fallen():
    losses = 2.3 + 0.01 * np.random.default_rng(3).normal(size=40)
    assert may_not_have_fallen(losses)
    assert not may_not_have_fallen(losses - np.linspace(0, 0.1, 40))


def test_too_short_a_run_says_nothing_of_its_loss():
    assert not may_not_have_fallen(RISING[:11]) and may_not_have_fallen(RISING[:12])

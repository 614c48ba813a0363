"""Where values may lie: the simplex against an independent solution, ranges, one-hot columns."""

import dataclasses

import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf

from distillation.condensation.constraints import Constraint, project_to_simplex
from transplant.datasets.labelled_set import LabelledSet
from transplant.errors import DataError, OptionError

LEADS = ("rate", "eye->1", "eye->2", "eye->3", "only->yes", "mask->rate")


def hourly(x):
    n = len(x)
    return LabelledSet(
        x, np.full(n, x.shape[1]), np.arange(n) % 2, ("a", "b"), [f"r{i}" for i in range(n)],
        [f"r{i}" for i in range(n)], 1 / 3600, LEADS, "icu", "v", unit="mixed", indicators=LEADS[1:],
    )  # fmt: skip


def test_the_nearest_point_of_the_simplex():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(6, 4)) * 2
    found = project_to_simplex(tf.constant(points)).numpy()
    for point, projected in zip(points, found):
        best = scipy.optimize.minimize(
            lambda w, point=point: ((w - point) ** 2).sum(),
            np.full(4, 0.25),
            bounds=[(0, 1)] * 4,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            options={"ftol": 1e-14},
        )
        np.testing.assert_allclose(projected, best.x, atol=1e-5)
    np.testing.assert_allclose(project_to_simplex(tf.constant(found)).numpy(), found, atol=1e-12)


def test_columns_of_codes_and_masks_stay_what_they_are():
    rng = np.random.default_rng(1)
    real = rng.uniform(0, 1, size=(4, 5, 6)).astype(np.float32)
    constraint = Constraint.of(hourly(real), real, keeps_range=False)
    x = tf.Variable(rng.normal(size=(3, 5, 6)) * 3, dtype=tf.float32)
    before = x.numpy()
    constraint.apply(x)
    after = x.numpy()
    assert np.array_equal(after[..., 0], before[..., 0])
    np.testing.assert_allclose(after[..., 1:4].sum(axis=-1), 1, atol=1e-6)
    assert after[..., 1:4].min() >= 0
    for column in (4, 5):
        np.testing.assert_allclose(after[..., column], before[..., column].clip(0, 1))


def test_ranges_that_no_value_lies_in_are_refused():
    real = np.random.default_rng(1).uniform(0, 1, size=(4, 5, 6)).astype(np.float32)
    with pytest.raises(OptionError, match=r"Received: 5 9, and 0\.\d+ to 0\.\d+ of rate, none of which"):
        Constraint.of(hourly(real), real, keeps_range=True, clamp=(5, 9))
    real[0, 0, 5] = 1.5
    with pytest.raises(DataError, match=r"from 0 to 1\. Received: .* to 1\.5 in mask->rate"):
        Constraint.of(hourly(real), real, keeps_range=False)


def test_what_a_range_cuts_off_is_counted():
    x = np.zeros((1, 10, 2), np.float32)
    x[0, :3, 0], x[0, 3, 1] = 5, -5
    constraint = Constraint(np.float32([-1, -1]), np.float32([1, 1]))
    assert constraint.share_outside(x) == pytest.approx(0.2)
    assert Constraint.none().share_outside(x) == 0


def test_ranges_are_those_of_the_real_values_or_those_that_are_given():
    real = np.random.default_rng(1).normal(size=(4, 5, 6)).astype(np.float32)
    data = dataclasses.replace(hourly(np.clip(real, 0, 1)), indicators=())
    kept = Constraint.of(data, real, keeps_range=True)
    x = tf.Variable(np.full((1, 5, 6), 99), dtype=tf.float32)
    kept.apply(x)
    np.testing.assert_allclose(x.numpy()[0, 0], real.max(axis=(0, 1)))
    clipped = Constraint.of(data, real, keeps_range=False, clamp=(-1, 1))
    x.assign(tf.fill(x.shape, 99.0))
    clipped.apply(x)
    assert (x.numpy() == 1).all()


def test_no_constraint_changes_nothing():
    x = tf.Variable([[[5.0]]])
    constraint = Constraint.none()
    constraint.apply(x)
    assert not constraint and float(x[0, 0, 0]) == pytest.approx(5)

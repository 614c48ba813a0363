"""Coresets against brute force, and the real examples they are chosen from."""

import itertools

import numpy as np
import pytest

from distillation.condensation.coresets import (
    CORESETS,
    choose_by_herding,
    choose_by_k_means,
    choose_coreset,
    choose_k_centers,
)
from distillation.condensation.real_examples import RealExamples
from transplant.errors import DataError, OptionError


@pytest.fixture
def points():
    return np.random.default_rng(1).normal(size=(30, 3))


def test_herding_takes_what_brings_the_running_mean_nearest(points):
    chosen = choose_by_herding(points, 6, None)
    assert len(set(chosen.tolist())) == 6
    for count in range(1, 7):
        before = chosen[: count - 1].tolist()
        errors = {
            row: np.linalg.norm(points[[*before, row]].mean(axis=0) - points.mean(axis=0))
            for row in range(30)
            if row not in before
        }
        assert chosen[count - 1] == min(errors, key=errors.get)


def test_each_next_center_is_the_farthest_row(points):
    chosen = choose_k_centers(points, 5, None).tolist()
    assert chosen[0] == np.linalg.norm(points - points.mean(axis=0), axis=1).argmin()
    for count in range(1, 5):
        nearest = np.linalg.norm(points[:, None] - points[chosen[:count]], axis=2).min(axis=1)
        assert chosen[count] == nearest.argmax()


def test_k_means_takes_one_row_of_each_cloud():
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [50, 0], [0, 50], [50, 50]])
    clouds = np.concatenate([centre + rng.normal(size=(9, 2)) for centre in centres])
    chosen = choose_by_k_means(clouds, 4, rng)
    assert sorted(chosen // 9) == [0, 1, 2, 3]
    for row in chosen:
        cloud = clouds[row // 9 * 9 : row // 9 * 9 + 9]
        distances = np.linalg.norm(cloud - cloud.mean(axis=0), axis=1)
        assert distances.argmin() == row % 9


@pytest.mark.parametrize("name", CORESETS)
def test_a_coreset_has_as_many_different_rows_of_every_class(name, points):
    y = np.arange(30) % 3
    real = RealExamples(points.astype(np.float32).reshape(30, 3, 1), y, 3)
    rows = choose_coreset(name, real, 4, 5)
    assert y[rows].tolist() == [0] * 4 + [1] * 4 + [2] * 4 and len(set(rows.tolist())) == 12
    assert np.array_equal(rows, choose_coreset(name, real, 4, 5))
    with pytest.raises(OptionError, match="11 of class 0, which has 10"):
        choose_coreset(name, real, 11, 5)


def test_another_seed_draws_others(points):
    real = RealExamples(points.astype(np.float32).reshape(30, 3, 1), np.zeros(30, int), 1)
    draws = [tuple(choose_coreset("random", real, 5, seed)) for seed in range(4)]
    assert all(one != other for one, other in itertools.combinations(draws, 2))


def test_a_class_without_records_is_refused():
    with pytest.raises(DataError, match="none of class 1 of 3"):
        RealExamples(np.zeros((2, 4, 1), np.float32), np.array([0, 2]), 3)


def test_a_batch_of_a_small_class_has_all_of_it():
    y = np.array([0] * 10 + [1] * 3)
    real = RealExamples(np.arange(13, dtype=np.float32).reshape(13, 1, 1), y, 2)
    assert sorted(real.class_batch(1, 256, np.random.default_rng(0)).ravel()) == [10, 11, 12]
    x, labels = real.batch(5, np.random.default_rng(0))
    assert np.array_equal(labels, (x.ravel() >= 10).astype(int)) and len(set(x.ravel())) == 5

"""Which validation records choose an epoch."""

import numpy as np

from distillation.condensation.evaluation import choosing_examples


def test_a_small_validation_set_chooses_whole():
    x, y = np.zeros((2000, 3, 1)), np.zeros(2000, int)
    assert len(choosing_examples(x, y, 1).y) == 2000


def test_of_a_large_one_the_same_2000_records_choose_each_time():
    x = np.arange(6000.0).reshape(6000, 1, 1)
    y = np.arange(6000) % 7
    first, again, other = (choosing_examples(x, y, seed) for seed in (1, 1, 2))
    rows = first.x[:, 0, 0].astype(int)
    assert len(set(rows)) == 2000 and np.array_equal(first.y, y[rows])
    assert np.array_equal(first.x, again.x) and not np.array_equal(first.x, other.x)

import numpy as np
import pytest

from transplant.errors import SplitError
from transplant.training.balance import balanced_subset


def test_each_class_has_as_many_records_as_the_rarest():
    y = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [554, 40, 3446]))
    chosen = balanced_subset(y, 7)
    assert chosen.dtype == np.int64 and (np.diff(chosen) > 0).all()
    assert np.bincount(y[chosen]).tolist() == [40, 40, 40]
    assert set(np.flatnonzero(y == 1)) <= set(chosen)


def test_the_seed_draws():
    y = np.repeat([0, 1], [5, 100])
    first, second, other = (balanced_subset(y, seed).tolist() for seed in (1, 1, 2))
    assert first == second != other
    drawn = np.concatenate([balanced_subset(y, seed)[5:] for seed in range(400)])
    # Each of 100 records is drawn with probability 0.05: 20 of 400 times, standard deviation 4.4.
    assert np.bincount(drawn - 5, minlength=100).min() > 3 and np.bincount(drawn - 5).max() < 45


def test_a_balanced_set_stays_as_it_is():
    assert balanced_subset([1, 0, 0, 1], 0).tolist() == [0, 1, 2, 3]


def test_a_class_without_records_is_refused():
    with pytest.raises(SplitError, match=r"a record of every class. Received: survived 3, died 0;"):
        balanced_subset([0, 0, 0], 0, ("survived", "died"))
    with pytest.raises(SplitError, match="Received: 0 1, 1 0, 2 1;"):
        balanced_subset([0, 2], 0)
    with pytest.raises(SplitError, match="Received: no records"):
        balanced_subset([], 0)

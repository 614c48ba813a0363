import tracemalloc

import numpy as np
import pytest
from sklearn.model_selection import LeaveOneGroupOut, LeaveOneOut

from transplant.errors import SplitError
from transplant.training.leave_one_out import LeftOutFolds, leave_one_group_out, leave_one_out

CLASSES = ("N", "A", "~")


def same(folds, expected):
    pairs = list(zip(folds, expected, strict=True))
    return len(pairs) > 0 and all(
        train.tolist() == train_2.tolist() and test.tolist() == test_2.tolist()
        for (train, test), (train_2, test_2) in pairs
    )


def test_one_record_out_is_as_in_scikit_learn():
    y = np.array([0, 1, 1, 2, 0, 2, 0])
    names = np.array(list("gfedcba"))
    folds = leave_one_out(y, names)
    assert len(folds) == 7 and same(folds, LeaveOneOut().split(y))
    assert folds[0][0].dtype == folds[0][1].dtype == np.int64


def test_one_group_out_is_as_in_scikit_learn_and_sorted_by_name():
    rng = np.random.default_rng(0)
    groups = rng.choice(["p10", "p2", "p1", "q"], 40)
    y = rng.integers(0, 3, 40)
    folds = leave_one_group_out(groups, y)
    assert len(folds) == 4 and same(folds, LeaveOneGroupOut().split(y, y, groups))
    assert [set(groups[test]) for _, test in folds] == [{"p1"}, {"p10"}, {"p2"}, {"q"}]
    assert folds[0][0].dtype == folds[0][1].dtype == np.int64


def test_folds_are_a_sequence():
    folds = leave_one_out(np.zeros(5, int), np.arange(5))
    assert folds[-1][1].tolist() == [4] and folds[-1][0].tolist() == [0, 1, 2, 3]
    assert same(folds[1:3], [folds[1], folds[2]])
    with pytest.raises(IndexError):
        folds[5]
    folds[0][1][:] = 3  # the caller's own
    assert folds[0][1].tolist() == [0]


def test_thousands_of_records_take_no_memory_until_asked_for():
    y = np.arange(20000) % 2
    tracemalloc.start()
    folds = leave_one_out(y, np.arange(20000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # All training parts together would be 20,000 x 19,999 x 8 bytes = 3.2 GB.
    assert isinstance(folds, LeftOutFolds) and peak < 20e6
    train, test = folds[12345]
    assert test.tolist() == [12345] and len(train) == 19999 and 12345 not in train


def test_records_of_one_patient_are_not_left_out_one_by_one():
    with pytest.raises(SplitError, match=r"5 records of 3 groups \(p1 with 3\); leave one group out"):
        leave_one_out([0, 0, 0, 1, 1], ["p1", "p1", "p1", "p2", "p3"])


def test_a_class_of_one_record_would_not_be_trained_on():
    with pytest.raises(SplitError, match=r"Received: 1 record of class ~ \(r4\); give more"):
        leave_one_out([0, 0, 1, 1, 2], range(5), ["r0", "r1", "r2", "r3", "r4"], CLASSES)
    with pytest.raises(SplitError, match="1 record of class 2;"):
        leave_one_out([0, 0, 1, 1, 2], range(5))
    with pytest.raises(SplitError, match="Received: none"):
        leave_one_out([], [])


def test_a_class_of_one_group_would_not_be_trained_on():
    y, groups = [0, 0, 1, 1, 0], ["a", "b", "c", "c", "c"]
    with pytest.raises(SplitError, match="all of class A in group c; give"):
        leave_one_group_out(groups, y, CLASSES)
    assert len(leave_one_group_out(groups)) == 3
    with pytest.raises(SplitError, match=r"2 groups .* or more. Received: a;"):
        leave_one_group_out(["a", "a"])

import argparse

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from transplant.errors import SplitError
from transplant.training.fold_option import parse_folds
from transplant.training.splits import (
    check_disjoint,
    make_folds,
    stratified_folds,
    stratified_split,
    stratified_subset,
)


def labels(counts):
    return np.repeat(np.arange(len(counts)), counts)


def grouped(n_groups, records_each, n_classes, seed=0):
    """Patients with several records each, most of one class."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_groups), records_each)
    main = np.repeat(np.arange(n_groups) % n_classes, records_each)
    y = np.where(rng.random(len(groups)) < 0.8, main, rng.integers(0, n_classes, len(groups)))
    return y, groups.astype(str)


def test_the_papers_sizes():
    y = labels([590, 4040, 1965, 227])
    assert len(y) == 6822
    rest, held = stratified_split(y, np.arange(6822), 0.0625, 2024)
    assert (len(rest), len(held)) == (6395, 427)
    full = labels([738, 5050, 2456, 284])
    rest, held = stratified_split(full, np.arange(8528), 0.2, 2024)
    assert (len(rest), len(held)) == (6822, 1706)


def test_records_without_groups_are_split_as_scikit_learn_does():
    y = labels([30, 90, 40])
    rest, held = stratified_split(y, np.arange(160), 0.25, 7)
    expected_rest, expected_held = train_test_split(np.arange(160), test_size=0.25, random_state=7, stratify=y)
    assert rest.tolist() == sorted(expected_rest) and held.tolist() == sorted(expected_held)


def test_the_same_seed_gives_the_same_split_and_another_seed_another():
    for y, groups in ((labels([40, 60]), np.arange(100)), grouped(30, 4, 3)):
        first, second, other = (stratified_split(y, groups, 0.2, seed)[1].tolist() for seed in (1, 1, 2))
        assert first == second != other


@pytest.mark.parametrize("size", [0.0625, 0.1, 0.2, 0.3, 0.5, 0.75])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_groups_stay_whole_and_the_share_is_met_as_closely_as_they_allow(size, seed):
    y, groups = grouped(60, 5, 3, seed)
    rest, held = stratified_split(y, groups, size, seed)
    assert sorted([*rest, *held]) == list(range(300))
    assert not set(groups[rest]) & set(groups[held])
    assert abs(len(held) / 300 - size) < 0.05
    for index in range(3):
        assert abs((y[held] == index).mean() - (y == index).mean()) < 0.25
        assert (y[rest] == index).any() and (y[held] == index).any()


def test_a_rare_class_of_two_patients_is_on_both_sides():
    y = np.r_[np.zeros(40, int), np.ones(4, int)]
    groups = np.r_[np.repeat(np.arange(10), 4), [20, 20, 21, 21]]
    for seed in range(5):
        rest, held = stratified_split(y, groups, 0.2, seed)
        assert (y[held] == 1).sum() == (y[rest] == 1).sum() == 2
        assert not set(groups[rest]) & set(groups[held])


@pytest.mark.parametrize(
    "y, groups, message",
    [
        ([0, 0, 0, 0, 1], range(5), r"class N needs .*2 patients.*Received: 1 record \(r4\)"),
        ([0, 0, 0, 0, 1, 1], [0, 1, 2, 3, 9, 9], r"class N .*Received: 2 records of 1 patient or recording \(r4, r5\)"),
        (labels([90, 2]), range(92), "each class must be on both sides.*2 records of class N"),
        ([0, 0, 1, 1], range(4), "both sides.*A 2, N 2"),
    ],
)
def test_too_few_records_of_a_class_is_one_clear_sentence(y, groups, message):
    y = np.array(y)
    names = [f"r{i}" for i in range(len(y))]
    with pytest.raises(SplitError, match=message):
        stratified_split(y, np.array(list(groups)), 0.1, 0, names, ("A", "N"))


@pytest.mark.parametrize("size", [0, 1.5, -0.2, -3, float("nan"), float("inf")])
def test_a_size_that_is_neither_a_share_nor_a_number_of_records_is_refused(size):
    with pytest.raises(SplitError, match="between 0 and 1, a number of records is whole"):
        stratified_split(labels([5, 5]), np.arange(10), size, 0)


@pytest.mark.parametrize("size", [10, 11, 1e9])
def test_a_number_that_leaves_nothing_is_refused(size):
    with pytest.raises(SplitError, match=r"records on both sides.*Received: .* to hold out of 10"):
        stratified_split(labels([5, 5]), np.arange(10), size, 0)


def test_a_number_too_small_for_the_classes_says_so():
    with pytest.raises(SplitError, match=r"both sides.*A 5, N 5 and holding out 1 "):
        stratified_split(labels([5, 5]), np.arange(10), 1, 0, None, ("A", "N"))
    with pytest.raises(SplitError, match="of class N, of which holding out 9 leaves one side without"):
        stratified_split(labels([90, 2]), np.arange(92), 9, 0, None, ("A", "N"))


@pytest.mark.parametrize("size", [16954, 16954.0])
def test_a_number_of_records_is_met_exactly(size):
    y = labels([10000, 8954, 10000, 10000, 10000, 10000])  # the classes of Medical MNIST
    rest, held = stratified_split(y, np.arange(58954), size, 2024)
    assert (len(rest), len(held)) == (42000, 16954)
    assert (np.abs(np.bincount(y[held]) - np.bincount(y) * 16954 / 58954) < 1).all()
    expected = train_test_split(np.arange(58954), test_size=16954, random_state=2024, stratify=y)[1]
    assert held.tolist() == sorted(expected)


@pytest.mark.parametrize("count", [23, 1000, 1001, 3300, 10000])
def test_a_number_of_records_is_met_to_half_a_group_where_all_groups_are_as_large(count):
    y = np.repeat(np.arange(500) % 5, 23)
    groups = np.repeat(np.arange(500), 23)
    rest, held = stratified_split(y, groups, count, 0)
    # Each of the five classes needs a group, of 23, on both sides.
    assert len(held) == 23 * max(5, round(count / 23))
    assert not set(groups[rest]) & set(groups[held])
    assert (np.abs(np.bincount(y[held]) - len(held) / 5) <= 23).all()
    assert held.tolist() == stratified_split(y, groups, count, 0)[1].tolist()


@pytest.mark.parametrize("seed", range(6))
def test_no_group_moved_or_exchanged_would_come_nearer_to_the_number(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(3, 30, 14)
    groups = np.repeat(np.arange(14), sizes)
    y = (groups + (rng.random(len(groups)) < 0.2)) % 2
    count = int(rng.integers(20, len(y) - 20))
    rest, held = stratified_split(y, groups, count, seed)
    assert sorted([*rest, *held]) == list(range(len(y)))
    assert not set(groups[rest]) & set(groups[held])
    inside, outside = set(groups[held].tolist()), set(groups[rest].tolist())
    changes = [{a} for a in range(14)] + [{a, b} for a in inside for b in outside]
    for change in changes:
        after = np.isin(groups, list(inside ^ change))
        if len(set(y[after])) == len(set(y[~after])) == 2:
            assert abs(after.sum() - count) >= abs(len(held) - count)


def test_groups_of_many_sizes_meet_a_number_exactly():
    sizes = np.r_[np.arange(1, 41), np.arange(1, 41)]
    groups = np.repeat(np.arange(80), sizes)
    y = np.repeat(np.arange(80) // 40, sizes)
    for count in (17, 400, 777, 1601):
        held = stratified_split(y, groups, count, 3)[1]
        assert len(held) == count
        assert abs((y[held] == 0).mean() - 0.5) < 0.1 or count == 17


def test_tens_of_thousands_of_groups_are_divided_as_evenly():
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(6), [3000, 2500, 2000, 1500, 900, 100])
    groups = np.arange(10000)
    copies = rng.choice(9999, 300, replace=False)
    groups[copies] = groups[copies + 1]
    rest, held = stratified_split(y, groups, 2877, 1)
    assert len(held) == 2877 and not set(groups[rest]) & set(groups[held])
    assert (np.abs(np.bincount(y[held]) - np.bincount(y) * 0.2877) < 20).all()
    folds = stratified_folds(y, groups, 5, 1)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(10000))
    for train, test in folds:
        assert not set(groups[train]) & set(groups[test]) and len(train) + len(test) == 10000
        assert (np.abs(np.bincount(y[test]) - np.bincount(y) / 5) < 20).all()


def test_a_share_is_what_it_was_and_its_number_comes_nearer():
    y, groups = grouped(37, 5, 3)
    by_share, by_number = (stratified_split(y, groups, size, 0)[1] for size in (0.31, 57))
    assert len(by_number) in (55, 60) and abs(len(by_number) - 57) <= abs(len(by_share) - 57)


@pytest.mark.parametrize("y, groups", [(labels([38, 118, 52, 32]), np.arange(240)), grouped(40, 6, 4)])
def test_each_record_is_tested_once_and_no_fold_shares_a_group(y, groups):
    folds = stratified_folds(y, groups, 5, 2024)
    assert len(folds) == 5
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(len(y)))
    for train, test in folds:
        assert not set(groups[train]) & set(groups[test])
        assert len(train) + len(test) == len(y)
        assert abs(len(test) - len(y) / 5) <= 6
        assert set(y[test]) == set(y)
    again = stratified_folds(y, groups, 5, 2024)
    assert all((a[1] == b[1]).all() for a, b in zip(folds, again))


def test_folds_of_ungrouped_records_keep_proportions_to_one_record():
    y = labels([38, 118, 52, 32])
    for _, test in stratified_folds(y, np.arange(240), 5, 1):
        assert (np.abs(np.bincount(y[test]) - np.array([38, 118, 52, 32]) / 5) < 1).all()


def test_too_few_records_for_the_folds():
    with pytest.raises(SplitError, match=r"class ~ needs .* 5 patients.*Received: 4 records"):
        stratified_folds(labels([20, 4]), np.arange(24), 5, 0, ("N", "~"))
    with pytest.raises(SplitError, match="2 folds or more"):
        stratified_folds(labels([20, 4]), np.arange(24), 1, 0)


def test_a_subset_keeps_each_classes_share():
    y = labels([100, 40, 8])
    subset = stratified_subset(y, 0.1, 5)
    assert np.bincount(y[subset]).tolist() == [10, 4, 1]
    assert stratified_subset(y, 1, 5).tolist() == list(range(148))
    assert set(subset) <= set(stratified_subset(y, 0.3, 5))
    assert subset.tolist() == stratified_subset(y, 0.1, 5).tolist() != stratified_subset(y, 0.1, 6).tolist()
    with pytest.raises(SplitError, match="at most 1"):
        stratified_subset(y, 1.1, 5)
    with pytest.raises(SplitError, match=r"a record of every class.*0.05 of the 8 record\(s\) of ~"):
        stratified_subset(y, 0.05, 5, ["N", "A", "~"])


def test_shared_patients_are_named():
    assert check_disjoint(["1", "2"], ["3"]) is None
    with pytest.raises(SplitError, match=r"both training and validation.*2 in both \(201, 7\)"):
        check_disjoint(["7", "201", "3"], ["201", "7", "4"], ("training", "validation"))


@pytest.mark.parametrize("text, expected", [("5", 5), ("2", 2), ("loo", "loo"), ("LOGO", "logo")])
def test_folds_are_a_number_or_a_name(text, expected):
    assert parse_folds(text) == expected


@pytest.mark.parametrize("text", ["1", "0", "-3", "2.5", "five", "", "lpo"])
def test_other_folds_are_refused_by_the_command_line(text):
    with pytest.raises(argparse.ArgumentTypeError, match="from 2, loo .* or logo .*, not " + text):
        parse_folds(text)


def test_folds_of_each_kind():
    y = np.array([0, 0, 1, 1, 0, 1])
    single, pairs = np.arange(6).astype(str), np.array(["b", "b", "c", "a", "c", "a"])
    expected = stratified_folds(y, single, 3, 7)
    for (train, test), (train_2, test_2) in zip(make_folds(y, single, 3, 7), expected, strict=True):
        assert train.tolist() == train_2.tolist() and test.tolist() == test_2.tolist()
    assert [test.tolist() for _, test in make_folds(y, single, "loo", 7)] == [[i] for i in range(6)]
    assert [test.tolist() for _, test in make_folds(y, pairs, "logo", 7)] == [[3, 5], [0, 1], [2, 4]]
    with pytest.raises(SplitError, match=r"1 record of class A \(r2\)"):
        make_folds(y[:3], single[:3], "loo", 7, ("N", "A"), ["r0", "r1", "r2"])
    with pytest.raises(SplitError, match="all of class A in group c"):
        make_folds([0, 1, 0], pairs[1:4], "logo", 7, ("N", "A"))

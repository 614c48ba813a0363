import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from transplant.errors import SplitError
from transplant.training.splits import check_disjoint, stratified_folds, stratified_split, stratified_subset


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
        ([0, 0, 0, 0, 1, 1], [0, 1, 2, 3, 9, 9], r"class N .*Received: 2 records of 1 patient \(r4, r5\)"),
        (labels([90, 2]), range(92), "each class must be on both sides.*2 records of class N"),
        ([0, 0, 1, 1], range(4), "both sides.*A 2, N 2"),
    ],
)
def test_too_few_records_of_a_class_is_one_clear_sentence(y, groups, message):
    y = np.array(y)
    names = [f"r{i}" for i in range(len(y))]
    with pytest.raises(SplitError, match=message):
        stratified_split(y, np.array(list(groups)), 0.1, 0, names, ("A", "N"))


@pytest.mark.parametrize("size", [0, 1, 1.5, -0.2])
def test_a_share_outside_0_to_1_is_refused(size):
    with pytest.raises(SplitError, match="between 0 and 1"):
        stratified_split(labels([5, 5]), np.arange(10), size, 0)


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

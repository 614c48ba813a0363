"""Class offsets against brute force, by hand, and on records they were not fitted on."""

import itertools

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import f1_score

from transplant.errors import DataError, OptionError
from transplant.evaluation import class_offsets
from transplant.evaluation.class_offsets import (
    OFFSET_LIMIT,
    apply_class_offsets,
    fit_class_offsets,
    search_class_offsets,
)

SHARES = (0.09, 0.6, 0.28, 0.03)


def simulate(n, seed, strength=1.0, shares=SHARES):
    """Return (truth, probabilities) of a calibrated classifier of classes with these shares."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(len(shares), size=n, p=shares)
    evidence = rng.normal(size=(n, len(shares))) + strength * np.eye(len(shares))[truth]
    return truth, softmax(strength * evidence + np.log(shares), axis=1)


def macro(truth, prob):
    k = prob.shape[1]
    return f1_score(truth, prob.argmax(axis=1), labels=range(k), average="macro", zero_division=0)


def shifted(prob, offsets):
    return softmax(np.log(prob) + np.asarray(offsets), axis=1)


def test_one_border_by_hand():
    # Class 1 is named from 0.5 on; its two records lie at .30 and .40, those of class 0 at .05, .10 and .20.
    second = np.array([0.05, 0.1, 0.2, 0.3, 0.4])
    prob = np.c_[1 - second, second]
    offsets = search_class_offsets([0, 0, 0, 1, 1], prob, caution=0)
    assert macro(np.array([0, 0, 0, 1, 1]), apply_class_offsets(prob, offsets)) == 1
    # The borders are the log odds of .20 and .30: class 0 has to fall by the middle of ln 4 and ln 7/3, and is first.
    np.testing.assert_allclose(offsets, [-(np.log(4) + np.log(7 / 3)) / 2, 0])


@pytest.mark.parametrize("seed", range(8))
def test_two_classes_agree_with_brute_force(seed):
    truth, prob = simulate(60, seed, shares=(0.8, 0.2))
    found = macro(truth, apply_class_offsets(prob, search_class_offsets(truth, prob, limit=20.0, caution=0)))
    odds = np.sort(np.log(prob[:, 0] / prob[:, 1]))
    borders = [odds[0] - 1, *(odds[:-1] + odds[1:]) / 2, odds[-1] + 1]
    assert found == pytest.approx(max(macro(truth, shifted(prob, [0, border])) for border in borders))


def test_three_classes_come_near_to_brute_force():
    steps = np.linspace(-2.25, 2.25, 16)
    reached = []
    for seed in range(4):
        truth, prob = simulate(80, seed, shares=(0.2, 0.7, 0.1))
        plain = macro(truth, prob)
        best = max(macro(truth, shifted(prob, [a, 0, b])) for a, b in itertools.product(steps, steps))
        found = macro(truth, apply_class_offsets(prob, search_class_offsets(truth, prob, caution=0)))
        assert best > plain + 0.02  # there is something to be found
        reached.append((found - plain) / (best - plain))
    assert min(reached) > 0.6 and np.mean(reached) > 0.9


@pytest.mark.parametrize("fit", [search_class_offsets, fit_class_offsets])
def test_macro_f1_is_never_lowered_where_it_was_fitted(fit):
    for seed in range(12):
        truth, prob = simulate(40, seed, strength=0.5 + seed / 4)
        if seed % 3 == 0:
            prob = np.round(prob, 1) + 1e-3  # ties, as of a decision tree
            prob /= prob.sum(axis=1, keepdims=True)
        if seed % 4 == 0:
            prob = np.eye(4)[prob.argmax(axis=1)]
        assert macro(truth, apply_class_offsets(prob, fit(truth, prob))) >= macro(truth, prob)


def test_offsets_that_would_lower_macro_f1_are_halved_until_they_do_not():
    # The log odds of class 1 are -1.1 in both records of class 0: an offset of 1.1 or more loses them.
    truth, prob = np.array([0, 0, 1]), np.array([[0.75, 0.25], [0.75, 0.25], [0.1, 0.9]])
    np.testing.assert_allclose(class_offsets._without_loss(truth, prob, np.array([0.0, 4.0])), [0, 1])
    np.testing.assert_allclose(class_offsets._without_loss(truth, prob, np.array([0.0, 1.0])), [0, 1])
    np.testing.assert_array_equal(class_offsets._without_loss(truth, prob, np.array([0.0, 1e3])), [0, 0])


def test_what_is_fitted_holds_on_other_records():
    other, other_prob = simulate(20_000, 99)
    gains = []
    for seed in range(6):
        offsets = fit_class_offsets(*simulate(427, seed))
        gains.append(macro(other, apply_class_offsets(other_prob, offsets)) - macro(other, other_prob))
    assert np.mean(gains) > 0.03 and min(gains) > 0.01


def test_few_records_do_less_harm_than_without_the_guard():
    # A strong calibrated classifier leaves next to nothing to gain: what offsets do to other records is harm.
    other, other_prob = simulate(20_000, 99, strength=2.2)

    def mean_gain(fit):
        gains = []
        for seed in range(12):
            truth, prob = simulate(60, seed, strength=2.2)
            gains.append(macro(other, apply_class_offsets(other_prob, fit(truth, prob))) - macro(other, other_prob))
        return np.mean(gains)

    assert mean_gain(fit_class_offsets) > -0.006
    assert mean_gain(lambda *records: search_class_offsets(*records, caution=0)) < -0.012


def test_nothing_to_gain_leaves_zeros():
    prob = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])
    for fit in (search_class_offsets, fit_class_offsets):
        np.testing.assert_array_equal(fit([0, 1, 0], prob), [0, 0])
    uniform = np.full((6, 3), 1 / 3)
    np.testing.assert_array_equal(search_class_offsets([0] * 6, uniform), [0, 0, 0])


def test_an_offset_must_earn_its_size():
    # One of 40 records is gained by an offset: whether that is worth it turns at n times the gain over the size.
    second = np.r_[np.full(36, 0.05), 0.25, 0.6, 0.6, 0.6]
    truth, prob = np.r_[np.zeros(36, int), 1, 1, 1, 1], np.c_[1 - second, second]
    rise = 1 - macro(truth, prob)
    offset = search_class_offsets(truth, prob, caution=0)
    size = np.abs(offset).sum()
    assert size > 1 and macro(truth, apply_class_offsets(prob, offset)) == 1
    just_worth, just_not = 40 * rise / size * 0.99, 40 * rise / size * 1.01
    np.testing.assert_array_equal(search_class_offsets(truth, prob, caution=just_worth), offset)
    np.testing.assert_array_equal(search_class_offsets(truth, prob, caution=just_not), [0, 0])


def test_offsets_stay_within_their_limit_and_depend_on_the_seed_only():
    truth, prob = simulate(80, 1, strength=0.4)
    offsets = fit_class_offsets(truth, prob)
    assert offsets.any() and np.abs(offsets).max() <= OFFSET_LIMIT
    assert np.abs(search_class_offsets(truth, prob, limit=0.1, caution=0)).max() <= 0.1
    np.testing.assert_array_equal(search_class_offsets(truth, prob, limit=0), np.zeros(4))
    np.testing.assert_array_equal(offsets, fit_class_offsets(truth, prob))
    assert (offsets != fit_class_offsets(truth, prob, seed=1)).any()


def test_order_of_records_does_not_matter_to_the_search():
    truth, prob = simulate(80, 2)
    order = np.random.default_rng(0).permutation(80)
    np.testing.assert_allclose(search_class_offsets(truth, prob), search_class_offsets(truth[order], prob[order]))


def test_applying_adds_to_the_log_probabilities():
    _, prob = simulate(20, 3)
    offsets = [0.5, -1, 0, 2]
    np.testing.assert_allclose(apply_class_offsets(prob, offsets), shifted(prob, offsets))
    np.testing.assert_array_equal(apply_class_offsets(prob, np.zeros(4)), prob)
    np.testing.assert_allclose(apply_class_offsets([[0.0, 1.0]], [2.0, 0.0]), [[0, 1]])


def test_bad_arguments_are_refused():
    with pytest.raises(DataError, match="3 labels, 2 records"):
        fit_class_offsets([0, 1, 0], np.full((2, 2), 0.5))
    with pytest.raises(DataError, match="2 classes"):
        apply_class_offsets(np.full((2, 2), 0.5), [0.1, 0.2, 0.3])
    with pytest.raises(OptionError, match="caution=-1"):
        fit_class_offsets([0, 1], np.full((2, 2), 0.5), caution=-1)
    with pytest.raises(OptionError, match="resamples=0"):
        fit_class_offsets([0, 1], np.full((2, 2), 0.5), resamples=0)

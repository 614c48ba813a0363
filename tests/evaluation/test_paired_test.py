"""The Wilcoxon test against scipy and enumeration, and where it is withheld."""

import itertools

import numpy as np
import pytest
import scipy.stats

from transplant.errors import DataError
from transplant.evaluation.paired_test import wilcoxon_signed_rank


def test_agrees_with_scipy_and_with_enumeration_of_all_signs():
    rng = np.random.default_rng(0)
    a = rng.normal(0.7, 0.02, 10)
    b = a + rng.normal(0.02, 0.02, 10)
    ours = wilcoxon_signed_rank(a, b)
    assert ours["p"] == pytest.approx(scipy.stats.wilcoxon(a, b).pvalue)
    ranks = scipy.stats.rankdata(np.abs(b - a))
    sums = np.array([ranks[list(signs)].sum() for signs in itertools.product([False, True], repeat=10)])
    lower = min(ranks[b > a].sum(), ranks[b < a].sum())
    assert ours["statistic"] == lower
    assert ours["p"] == pytest.approx(2 * (sums <= lower).mean())
    assert (ours["pairs"], ours["reason"]) == (10, None)
    assert ours["median_difference"] == pytest.approx(np.median(b - a))


def test_ten_of_ten_has_the_least_p_of_ten_pairs():
    assert wilcoxon_signed_rank(np.zeros(10), np.arange(1, 11))["p"] == pytest.approx(2 / 2**10)


def test_direction_does_not_matter_to_p():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 14))
    forth, back = wilcoxon_signed_rank(a, b), wilcoxon_signed_rank(b, a)
    assert forth["p"] == back["p"] and forth["median_difference"] == -back["median_difference"]


def test_fewer_than_ten_pairs_have_no_p_but_a_reason():
    ours = wilcoxon_signed_rank([0.1] * 9, np.linspace(0.2, 0.3, 9))
    assert (ours["p"], ours["statistic"], ours["pairs"]) == (None, None, 9)
    assert ours["reason"] == "a Wilcoxon test needs 10 pairs that differ; there are 9"
    assert ours["median_difference"] == pytest.approx(0.15)


def test_equal_pairs_do_not_count():
    a = np.arange(12.0)
    b = a + np.r_[0, 0, 0, np.ones(9)]
    assert wilcoxon_signed_rank(a, b)["reason"].endswith("there are 9 (3 more are equal)")
    b[2] += 2
    ours = wilcoxon_signed_rank(a, b)
    assert ours["pairs"] == 10 and ours["p"] == pytest.approx(scipy.stats.wilcoxon((b - a)[2:]).pvalue)


def test_no_pairs_and_bad_scores():
    assert wilcoxon_signed_rank([], [])["median_difference"] is None
    with pytest.raises(DataError, match=r"\(2,\) and \(3,\)"):
        wilcoxon_signed_rank([1, 2], [1, 2, 3])
    with pytest.raises(DataError, match="NaN"):
        wilcoxon_signed_rank([1, np.nan], [1, 2])

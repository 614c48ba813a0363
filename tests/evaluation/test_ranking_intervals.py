"""Draws of AUROC, AUPRC and min(+P, Se) against scikit-learn on the weights of each draw, and a case by hand."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from transplant.evaluation.ranking_intervals import draw_rankings


def weights_of(n, draws, seed, unit=None):
    """Return how often each record occurs in each draw, drawn one by one."""
    rng = np.random.default_rng([seed, 1])
    units = np.arange(n) if unit is None else unit
    n_units = units.max() + 1
    return [np.bincount(rng.integers(n_units, size=n_units), minlength=n_units)[units] for _ in range(draws)]


def brute_minimum(member, score, weights):
    """Return the largest min(precision, recall) over all thresholds, by looking at each."""
    best = 0.0
    for threshold in score[weights > 0]:
        called = score >= threshold
        hits = weights[called & member].sum()
        best = max(best, min(hits / weights[called].sum(), hits / weights[member].sum()))
    return best


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize(("decimals", "share"), [(1, 0.3), (6, 0.5), (2, 0.7), (0, 0.5)])
def test_two_classes_agree_with_scikit_learn_draw_by_draw(decimals, share, grouped):
    rng = np.random.default_rng(decimals)
    truth = (rng.random(60) < share).astype(int)
    score = np.round(rng.beta(2 + truth, 3), decimals)
    unit = rng.permutation(np.arange(60) % 17) if grouped else None
    (found,) = draw_rankings(truth, [np.stack([1 - score, score], axis=1)], unit, 40, seed=3)
    member = truth == 1
    for number, weights in enumerate(weights_of(60, 40, 3, unit)):
        assert found["roc_auc"][number] == pytest.approx(roc_auc_score(member, score, sample_weight=weights))
        expected = average_precision_score(member, score, sample_weight=weights)
        assert found["pr_auc"][number] == pytest.approx(expected)
        assert found["min_precision_recall"][number] == pytest.approx(brute_minimum(member, score, weights))


def test_more_classes_agree_with_scikit_learn_draw_by_draw():
    rng = np.random.default_rng(5)
    truth = rng.integers(3, size=50)
    prob = np.round(rng.dirichlet(np.ones(3), size=50), 1)
    (found,) = draw_rankings(truth, [prob], None, 20, seed=7)
    assert found.keys() == {"roc_auc", "pr_auc"}
    for number, weights in enumerate(weights_of(50, 20, 7)):
        for name, score in (("roc_auc", roc_auc_score), ("pr_auc", average_precision_score)):
            expected = [score(truth == c, prob[:, c], sample_weight=weights) for c in range(3)]
            assert found[name][number] == pytest.approx(np.mean(expected))


def test_a_class_that_a_draw_lacks_is_left_out_of_its_mean():
    truth = np.array([0, 0, 0, 1, 1, 1, 2])
    prob = np.random.default_rng(0).dirichlet(np.ones(3), size=7)
    (found,) = draw_rankings(truth, [prob], None, 60, seed=0)
    lacking, expected = 0, []
    for weights in weights_of(7, 60, 0):
        drawn = [c for c in range(3) if 0 < weights[truth == c].sum() < 7]
        lacking += drawn == [0, 1]
        areas = [roc_auc_score(truth == c, prob[:, c], sample_weight=weights) for c in drawn]
        expected += [np.mean(areas)] if areas else []
    assert lacking > 5  # the only record of the third class is missing from a third of the draws
    np.testing.assert_allclose(found["roc_auc"], expected)


def test_draws_of_one_class_are_left_out():
    # Of two records, one of each class, half of the draws hold one twice; the others rank them rightly.
    (found,) = draw_rankings(np.array([0, 1]), [np.eye(2)], None, 400, seed=0)
    assert 150 < len(found["roc_auc"]) < 250
    for values in found.values():
        assert (values == 1).all()
    (found,) = draw_rankings(np.array([1, 1]), [np.eye(2)], None, 400, seed=0)
    assert all(len(values) == 0 for values in found.values())


def test_models_have_the_same_draws():
    rng = np.random.default_rng(1)
    truth = np.array([0, 0, 0, 0, 1, 1])
    prob = rng.dirichlet(np.ones(2), size=6)
    of_a, of_b = draw_rankings(truth, [prob, prob[:, ::-1]], None, 200, seed=0)
    # The order reversed: every pair that was right is wrong, draw by draw.
    np.testing.assert_allclose(of_a["roc_auc"] + of_b["roc_auc"], 1)
    assert len(of_a["pr_auc"]) == len(of_b["pr_auc"]) < 200

"""Mean scores of several networks, and their paired intervals, against draws worked out one by one."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, roc_auc_score

from transplant.evaluation.network_means import mean_scores, paired_difference_of_means
from transplant.evaluation.ranking_intervals import draw_weights


def networks(truth, count, strength, seed):
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        score = 1 / (1 + np.exp(-(strength * (2 * truth - 1) + rng.normal(size=len(truth)))))
        found.append(np.stack([1 - score, score], axis=1))
    return found


@pytest.fixture
def case():
    truth = np.random.default_rng(0).integers(2, size=80)
    return truth, networks(truth, 2, 0.4, 1), networks(truth, 3, 0.9, 2)


def test_scores_are_those_of_scikit_learn(case):
    truth, first, _ = case
    found = mean_scores(truth, first)
    for index, probabilities in enumerate(first):
        chosen, score = probabilities.argmax(axis=1), probabilities[:, 1]
        assert found["accuracy"][index] == pytest.approx(accuracy_score(truth, chosen))
        assert found["macro_f1"][index] == pytest.approx(f1_score(truth, chosen, average="macro"))
        assert found["roc_auc"][index] == pytest.approx(roc_auc_score(truth, score))
        assert found["pr_auc"][index] == pytest.approx(average_precision_score(truth, score))


@pytest.mark.parametrize("grouped", [False, True])
def test_every_draw_takes_the_same_records_for_all_networks(case, grouped):
    truth, first, second = case
    groups = [f"p{index // 4}" for index in range(80)] if grouped else None
    unit = np.unique(groups, return_inverse=True)[1] if grouped else None
    found = paired_difference_of_means(truth, first, second, groups, draws=40, seed=3)
    scores = {
        "accuracy": lambda rows, found: accuracy_score(truth[rows], found[rows].argmax(axis=1)),
        "macro_f1": lambda rows, found: f1_score(truth[rows], found[rows].argmax(axis=1), average="macro"),
        "roc_auc": lambda rows, found: roc_auc_score(truth[rows], found[rows, 1]),
        "pr_auc": lambda rows, found: average_precision_score(truth[rows], found[rows, 1]),
    }
    for name, score in scores.items():
        sample = []
        for _, weights in draw_weights(80, unit, 40, 3):
            for of_draw in weights:
                rows = np.repeat(np.arange(80), of_draw)
                means = [np.mean([score(rows, network) for network in part]) for part in (first, second)]
                sample.append(means[1] - means[0])
        assert found[name]["low"] == pytest.approx(np.quantile(sample, 0.025), abs=1e-6), name
        assert found[name]["high"] == pytest.approx(np.quantile(sample, 0.975), abs=1e-6), name
        everything = np.arange(80)
        means = [np.mean([score(everything, network) for network in part]) for part in (first, second)]
        assert found[name]["difference"] == pytest.approx(means[1] - means[0])


def test_more_than_two_classes_are_counted_without_rankings():
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=60)
    first, second = ([rng.dirichlet(np.ones(3), size=60) for _ in range(2)] for _ in range(2))
    found = paired_difference_of_means(truth, first, second, draws=20, rankings=False)
    assert set(found) == {"accuracy", "macro_f1"}

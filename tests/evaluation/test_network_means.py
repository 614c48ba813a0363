"""Mean scores of several networks, and intervals of their differences, against draws one by one and scipy."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, roc_auc_score

from transplant.evaluation.network_means import (
    difference_of_means,
    difference_over_splits,
    draw_scores,
    intervals_of_means,
    mean_scores,
    welch_margin,
)
from transplant.evaluation.ranking_intervals import draw_weights


def networks(truth, count, strength, seed):
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        score = 1 / (1 + np.exp(-(strength * (2 * truth - 1) + rng.normal(size=len(truth)))))
        found.append(np.stack([1 - score, score], axis=1))
    return found


def paired_difference(truth, first, second, groups=None, draws=2000, seed=0):
    return difference_of_means(*(draw_scores(truth, part, groups, draws, seed) for part in (first, second)))


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
    found = paired_difference(truth, first, second, groups, draws=40, seed=3)
    alone = intervals_of_means(draw_scores(truth, second, groups, draws=40, seed=3))
    scores = {
        "accuracy": lambda rows, found: accuracy_score(truth[rows], found[rows].argmax(axis=1)),
        "macro_f1": lambda rows, found: f1_score(truth[rows], found[rows].argmax(axis=1), average="macro"),
        "roc_auc": lambda rows, found: roc_auc_score(truth[rows], found[rows, 1]),
        "pr_auc": lambda rows, found: average_precision_score(truth[rows], found[rows, 1]),
    }
    for name, score in scores.items():
        sample, of_second = [], []
        everything = np.arange(80)
        of_parts = [np.array([score(everything, network) for network in part]) for part in (first, second)]
        for _, weights in draw_weights(80, unit, 40, 3):
            for of_draw in weights:
                rows = np.repeat(np.arange(80), of_draw)
                means = [np.mean([score(rows, network) for network in part]) for part in (first, second)]
                sample.append(means[1] - means[0])
                of_second.append(means[1])
        units = 20 if grouped else 80
        parts = [(np.var(sample, ddof=1), units - 1)]
        parts += [(np.var(of_part, ddof=1) / len(of_part), len(of_part) - 1) for of_part in of_parts]
        difference = of_parts[1].mean() - of_parts[0].mean()
        assert found[name]["difference"] == pytest.approx(difference)
        assert found[name]["low"] == pytest.approx(difference - welch_margin(parts), abs=1e-6), name
        assert found[name]["high"] == pytest.approx(difference + welch_margin(parts), abs=1e-6), name
        mean, std = of_parts[1].mean(), of_parts[1].std(ddof=1)
        margin = welch_margin([(np.var(of_second, ddof=1), units - 1), (std**2 / 3, 2)])
        interval = alone[name].pop("interval")
        assert alone[name] == pytest.approx({"mean": mean, "std": std}), name
        assert interval == pytest.approx({"low": mean - margin, "high": mean + margin}, abs=1e-6), name


def test_an_interval_of_a_mean_ends_where_scores_do():
    truth = np.arange(40) % 2
    right = np.stack([1.0 - truth, truth], axis=1)
    for wrong, end in ((1, "high"), (39, "low")):
        found = np.where(np.arange(40)[:, None] < wrong, 1 - right, right)
        of_one = intervals_of_means(draw_scores(truth, [found], draws=200))["accuracy"]
        interval = of_one["interval"]
        assert 0 <= interval["low"] < of_one["mean"] < interval["high"] <= 1
        assert of_one["mean"] == pytest.approx(1 - wrong / 40)
        assert interval[end] == float(end == "high")


def test_the_margin_is_that_of_scipys_welch_test():
    rng = np.random.default_rng(5)
    first, second = rng.normal(0, 1, 4), rng.normal(1, 3, 7)
    interval = stats.ttest_ind(second, first, equal_var=False).confidence_interval(0.9)
    margin = welch_margin([(part.var(ddof=1) / len(part), len(part) - 1) for part in (first, second)], level=0.9)
    assert margin == pytest.approx((interval.high - interval.low) / 2)
    assert welch_margin([(0.0, 3), (0.0, 4)]) == 0


def test_networks_that_differ_widen_the_interval_and_one_network_does_not(case):
    truth, first, second = case
    alike = paired_difference(truth, first[:1] * 3, second[:1] * 3, draws=200)["accuracy"]
    alone = paired_difference(truth, first[:1], second[:1], draws=200)["accuracy"]
    differing = paired_difference(truth, [1 - first[0], *first], second[:1] * 3, draws=200)["accuracy"]
    width = {name: found["high"] - found["low"] for name, found in (("alone", alone), ("differing", differing))}
    assert alike == pytest.approx(alone)
    assert width["differing"] > 3 * width["alone"]


def test_of_one_group_alone_records_are_drawn(case):
    truth, first, second = case
    alone = paired_difference(truth, first, second, ["p"] * 80, draws=50)
    assert alone == paired_difference(truth, first, second, draws=50)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    # Accuracy of networks that are right with a chance of their own, and records that are hard for all.
    rng, inside = np.random.default_rng(7), 0
    for _ in range(120):
        hard = rng.normal(size=150)
        skills = rng.normal(0.4, 0.3, 4), rng.normal(0.9, 0.3, 4)
        truth = np.zeros(150, np.int64)
        parts = [
            [np.eye(2)[(hard + rng.normal(size=150) > skill).astype(int)] for skill in of_part] for of_part in skills
        ]
        found = paired_difference(truth, *parts, draws=100)["accuracy"]
        # Of a record and a network: P(hard + noise <= skill), and skill is normal too.
        expected = np.diff(stats.norm.cdf(np.array([0.4, 0.9]) / np.sqrt(2 + 0.3**2)))[0]
        inside += found["low"] <= expected <= found["high"]
    # A little more often, because what depends on record and network counts twice.
    assert 0.92 * 120 <= inside <= 0.995 * 120


def test_rankings_are_compared_where_there_are_two_classes_of_records():
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=60)
    first, second = ([rng.dirichlet(np.ones(3), size=60) for _ in range(2)] for _ in range(2))
    found = paired_difference(truth, first, second, draws=20)
    areas = [np.mean([roc_auc_score(truth, one, multi_class="ovr") for one in part]) for part in (first, second)]
    assert found["roc_auc"]["difference"] == pytest.approx(areas[1] - areas[0])
    assert found["roc_auc"]["low"] < found["roc_auc"]["difference"] < found["roc_auc"]["high"]
    assert set(found) == {"accuracy", "macro_f1", "roc_auc", "pr_auc"}
    of_one_class = paired_difference(np.ones(60, int), first, second, draws=20)
    assert "interval" not in intervals_of_means(draw_scores(np.ones(60, int), first, draws=20))["roc_auc"]
    assert set(of_one_class) == {"accuracy", "macro_f1"}


def test_macro_f1_may_be_over_some_classes_alone():
    rng = np.random.default_rng(0)
    truth, network = rng.integers(2, size=60), rng.dirichlet(np.ones(3), size=60)
    found = draw_scores(truth, [network], draws=5, seed=2, f1_classes=[0, 1])
    expected = f1_score(truth, network.argmax(axis=1), labels=[0, 1], average="macro")
    assert found.observed["macro_f1"] == pytest.approx([expected])
    of_all = draw_scores(truth, [network], draws=5, seed=2)
    assert found.drawn["macro_f1"] == pytest.approx(of_all.drawn["macro_f1"] * 3 / 2)  # the third has an F1 of 0


def test_pairs_of_networks_count_by_their_differences(case):
    truth, first, _ = case
    second = [np.clip(network + np.array([-0.03, 0.03]), 0, 1) for network in first]  # each much like its pair
    scores = [draw_scores(truth, networks, draws=60, seed=3) for networks in (first, second)]
    found = difference_of_means(*scores, are_pairs=True)
    for name, values in found.items():
        sample = scores[1].drawn[name].mean(axis=0) - scores[0].drawn[name].mean(axis=0)
        of_pairs = scores[1].observed[name] - scores[0].observed[name]
        margin = welch_margin([(sample.var(ddof=1), 79), (of_pairs.var(ddof=1) / 2, 1)])
        assert values["difference"] == pytest.approx(of_pairs.mean())
        assert values["high"] - values["difference"] == pytest.approx(margin)
    with pytest.raises(ValueError, match="Received: 1 and 2"):
        difference_of_means(draw_scores(truth, first[:1], draws=5), scores[1], are_pairs=True)


def test_divisions_that_share_records_widen_the_interval():
    first, second = [0.70, 0.72, 0.69, 0.75], [0.74, 0.73, 0.73, 0.77]
    found = difference_over_splits(first, second, n_train=80, n_test=20)
    low, high = stats.ttest_rel(second, first).confidence_interval()
    assert found["difference"] == pytest.approx((low + high) / 2) == pytest.approx(0.0275)
    # Independent divisions have 1/4 where these have 1/4 + 20/80.
    assert found["high"] - found["low"] == pytest.approx((high - low) * 2**0.5)

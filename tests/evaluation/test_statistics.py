"""Bootstrap intervals against scipy, hand-worked cases and simulated coverage."""

import itertools

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from transplant.errors import DataError, OptionError
from transplant.evaluation import metrics, ranking_intervals, statistics

CLASSES = list("ANO~")


def simulate(seed, n=200, accuracy=0.7):
    """Return (truth, probabilities) of a classifier that is right with the given probability."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(4, size=n, p=[0.15, 0.5, 0.25, 0.1])
    said = np.where(rng.random(n) < accuracy, truth, rng.integers(4, size=n))
    prob = rng.dirichlet(np.ones(4), size=n) * 0.5 + 0.5 * np.eye(4)[said]
    return truth, prob


def test_macro_f1_interval_agrees_with_scipy():
    truth, prob = simulate(0)
    predicted = prob.argmax(axis=1)

    def macro(truth, predicted):
        return f1_score(truth, predicted, labels=range(4), average="macro", zero_division=0)

    theirs = scipy.stats.bootstrap(
        (truth, predicted), macro, paired=True, vectorized=False, n_resamples=800, method="percentile", rng=0
    ).confidence_interval
    ours = statistics.bootstrap_interval(truth, prob, CLASSES, draws=10_000)
    assert ours["low"] == pytest.approx(theirs.low, abs=0.012)
    assert ours["high"] == pytest.approx(theirs.high, abs=0.012)
    assert ours["estimate"] == pytest.approx(macro(truth, predicted))
    assert (ours["unit"], ours["units"], ours["draws"], ours["level"]) == ("records", 200, 10_000, 0.95)


def test_roc_auc_interval_agrees_with_scipy():
    rng = np.random.default_rng(4)
    truth = np.repeat([0, 1], 40)
    score = np.round(rng.normal(truth * 1.0, 1.0), 1)  # rounded, so that ties occur
    prob = np.stack([-score, score], axis=1)
    theirs = scipy.stats.bootstrap(
        (truth, score), roc_auc_score, paired=True, vectorized=False, n_resamples=600, method="percentile", rng=1
    ).confidence_interval
    ours = statistics.bootstrap_interval(truth, prob, ["a", "b"], metric="roc_auc", draws=2000)
    assert ours["estimate"] == pytest.approx(roc_auc_score(truth, score))
    assert ours["low"] == pytest.approx(theirs.low, abs=0.025)
    assert ours["high"] == pytest.approx(theirs.high, abs=0.025)


def test_accuracy_interval_is_binomial():
    truth = np.zeros(100, int)
    prob = np.where(np.arange(100)[:, None] % 4 == 0, [0.1, 0.9], [0.9, 0.1])  # 75 of 100 right
    ours = statistics.bootstrap_interval(truth, prob, ["a", "b"], metric="accuracy", draws=20_000)
    low, high = scipy.stats.binom(100, 0.75).ppf([0.025, 0.975]) / 100
    assert ours["low"] == pytest.approx(low, abs=0.011) and ours["high"] == pytest.approx(high, abs=0.011)


def test_distribution_of_three_records_by_enumeration():
    truth, predicted = np.array([0, 1, 1]), np.array([0, 1, 0])
    exact = [
        f1_score(truth[list(rows)], predicted[list(rows)], labels=[0, 1], average="macro", zero_division=0)
        for rows in itertools.product(range(3), repeat=3)
    ]
    cells = truth * 2 + predicted
    counts = statistics._draw_counts(cells, 4, None, 40_000, seed=0).reshape(-1, 2, 2)
    drawn = statistics._count_metrics(counts, ["a", "b"])["macro_f1"]
    values, occurrences = np.unique(np.round(exact, 9), return_counts=True)
    for value, share in zip(values, occurrences / 27):
        assert np.isclose(drawn, value).mean() == pytest.approx(share, abs=0.01)


def test_groups_are_drawn_whole():
    # Two patients, one always right, one always wrong: a draw has accuracy 0, 1/2 or 1 in proportion 1:2:1.
    truth = np.zeros(20, int)
    prob = np.eye(2)[np.repeat([0, 1], 10)]
    groups = np.repeat(["p1", "p2"], 10)
    counts = statistics._draw_counts(truth * 2 + prob.argmax(1), 4, np.repeat([0, 1], 10), 20_000, seed=0)
    accuracy = counts[:, 0] / counts.sum(axis=1)
    for value, share in ((0, 0.25), (0.5, 0.5), (1, 0.25)):
        assert (accuracy == value).mean() == pytest.approx(share, abs=0.015)
    ours = statistics.bootstrap_interval(truth, prob, ["a", "b"], metric="accuracy", groups=groups)
    assert (ours["low"], ours["high"], ours["unit"], ours["units"]) == (0, 1, "groups", 2)


def test_groups_of_unequal_size_agree_with_a_plain_loop():
    truth, prob = simulate(6, n=90)
    groups = np.random.default_rng(0).integers(12, size=90)
    members = [np.flatnonzero(groups == g) for g in range(12)]
    rng = np.random.default_rng(1)
    plain = []
    for _ in range(800):
        rows = np.concatenate([members[g] for g in rng.integers(12, size=12)])
        plain.append(f1_score(truth[rows], prob[rows].argmax(1), labels=range(4), average="macro", zero_division=0))
    ours = statistics.bootstrap_interval(truth, prob, CLASSES, groups=groups)
    np.testing.assert_allclose([ours["low"], ours["high"]], np.quantile(plain, [0.025, 0.975]), atol=0.02)


def test_one_record_per_group_is_the_record_bootstrap():
    truth, prob = simulate(8)
    of_records = statistics.bootstrap_intervals(truth, prob, CLASSES, draws=5000)
    of_groups = statistics.bootstrap_intervals(truth, prob, CLASSES, groups=np.arange(200), draws=5000)
    for name in ("macro_f1", "accuracy", "challenge_f1", "roc_auc"):
        assert of_groups[name]["low"] == pytest.approx(of_records[name]["low"], abs=0.012)
        assert of_groups[name]["high"] == pytest.approx(of_records[name]["high"], abs=0.012)


def test_intervals_cover_the_true_value_about_as_often_as_they_say():
    truth, prob = simulate(100, n=200_000)
    population = f1_score(truth, prob.argmax(1), average="macro")
    covered = 0
    for seed in range(200):
        truth, prob = simulate(seed, n=150)
        interval = statistics.bootstrap_interval(truth, prob, CLASSES, draws=400, metric="macro_f1")
        covered += interval["low"] <= population <= interval["high"]
    assert 0.88 <= covered / 200 <= 0.99


def test_paired_interval_is_narrower_than_that_of_independent_models():
    truth, prob_a = simulate(1, n=400)
    prob_b = prob_a.copy()
    changed = np.flatnonzero(prob_a.argmax(1) != truth)[:20]
    prob_b[changed] = np.eye(4)[truth[changed]]  # b is a with twenty errors mended
    paired = statistics.paired_bootstrap(truth, prob_a, prob_b, CLASSES)["macro_f1"]
    a = statistics.bootstrap_interval(truth, prob_a, CLASSES)
    b = statistics.bootstrap_interval(truth, prob_b, CLASSES, seed=1)
    unpaired_width = np.hypot(a["high"] - a["low"], b["high"] - b["low"])
    assert paired["high"] - paired["low"] < 0.6 * unpaired_width
    assert paired["difference"] == pytest.approx(b["estimate"] - a["estimate"])
    assert paired["low"] > 0 and paired["share_above_zero"] == 1


def test_paired_interval_agrees_with_a_plain_loop():
    truth, prob_a = simulate(1)
    prob_b = np.roll(prob_a, 1, axis=0) * 0.4 + prob_a

    def macro(rows, prob):
        return f1_score(truth[rows], prob[rows].argmax(1), labels=range(4), average="macro", zero_division=0)

    rng = np.random.default_rng(2)
    draws = [rng.integers(200, size=200) for _ in range(800)]
    plain = np.array([macro(rows, prob_b) - macro(rows, prob_a) for rows in draws])
    ours = statistics.paired_bootstrap(truth, prob_a, prob_b, CLASSES)
    np.testing.assert_allclose(
        [ours["macro_f1"]["low"], ours["macro_f1"]["high"]], np.quantile(plain, [0.025, 0.975]), atol=0.012
    )
    assert ours["macro_f1"]["share_above_zero"] == pytest.approx((plain > 0).mean(), abs=0.04)
    assert list(ours["f1"]) == CLASSES


def test_swapping_the_models_flips_the_difference_and_equal_models_differ_by_nothing():
    truth, prob_a = simulate(1)
    prob_b = simulate(2)[1]
    forth = statistics.paired_bootstrap(truth, prob_a, prob_b, CLASSES)["macro_f1"]
    back = statistics.paired_bootstrap(truth, prob_b, prob_a, CLASSES)["macro_f1"]
    assert forth["difference"] == pytest.approx(-back["difference"])
    assert forth["low"] == pytest.approx(-back["high"], abs=0.01)
    none = statistics.paired_bootstrap(truth, prob_a, prob_a, CLASSES)["macro_f1"]
    assert (none["difference"], none["low"], none["high"], none["share_above_zero"]) == (0, 0, 0, 0)


def test_same_seed_same_interval_another_seed_another():
    truth, prob = simulate(3)
    once = statistics.bootstrap_intervals(truth, prob, CLASSES, draws=300, seed=5)
    assert once == statistics.bootstrap_intervals(truth, prob, CLASSES, draws=300, seed=5)
    assert once != statistics.bootstrap_intervals(truth, prob, CLASSES, draws=300, seed=6)


def test_auc_draws_are_fewer_and_stated_and_chunks_do_not_matter(monkeypatch):
    truth, prob = simulate(3)
    groups = np.random.default_rng(0).integers(30, size=200)
    whole = statistics.bootstrap_intervals(truth, prob, CLASSES, groups=groups, draws=3000)
    assert (whole["roc_auc"]["draws"], whole["pr_auc"]["draws"], whole["macro_f1"]["draws"]) == (2000, 2000, 3000)
    monkeypatch.setattr(ranking_intervals, "_CHUNK_VALUES", 3000)
    assert statistics.bootstrap_intervals(truth, prob, CLASSES, groups=groups, draws=3000) == whole


def test_metrics_that_are_not_defined_are_refused_by_name():
    truth, prob = [0, 1], np.eye(2)
    assert statistics.bootstrap_intervals(truth, prob, ["a", "b"], draws=50)["challenge_f1"] is None
    assert statistics.bootstrap_interval(truth, prob, ["a", "b"], metric="f1:b", draws=50)["estimate"] == 1
    with pytest.raises(OptionError, match="macro_f1"):
        statistics.bootstrap_interval(truth, prob, ["a", "b"], metric="challenge_f1", draws=50)


def binary(seed, n=150, share=0.2, shift=1.0):
    """Return (truth, probabilities of two classes), rounded so that ties occur."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < share).astype(int)
    score = np.round(1 / (1 + np.exp(1 - rng.normal(shift * truth, 1.0))), 2)
    return truth, np.stack([1 - score, score], axis=1)


def test_two_classes_have_intervals_of_all_that_ranks_them():
    truth, prob = binary(0)
    found = statistics.bootstrap_intervals(truth, prob, ["survived", "died"])
    estimates = {
        "roc_auc": roc_auc_score(truth, prob[:, 1]),
        "pr_auc": average_precision_score(truth, prob[:, 1]),
        "min_precision_recall": metrics.min_precision_recall(truth, prob),
    }
    for name, estimate in estimates.items():
        assert found[name]["estimate"] == pytest.approx(estimate)
        assert found[name]["low"] < estimate < found[name]["high"]
        assert (found[name]["draws"], found[name]["units"], found[name]["level"]) == (2000, 150, 0.95)
        assert statistics.bootstrap_interval(truth, prob, ["survived", "died"], metric=name) == found[name]


def test_more_classes_have_no_min_precision_recall_and_one_class_has_no_ranking():
    truth, prob = simulate(0)
    found = statistics.bootstrap_intervals(truth, prob, CLASSES, draws=100)
    assert found["min_precision_recall"] is None and found["pr_auc"]["draws"] == 100
    found = statistics.bootstrap_intervals([1, 1], np.eye(2), ["a", "b"], draws=100)
    assert found["roc_auc"] is found["pr_auc"] is found["min_precision_recall"] is None
    assert found["accuracy"]["estimate"] == 0.5


def test_paired_difference_of_the_ranking_agrees_with_a_plain_loop():
    truth, prob_a = binary(1)
    prob_b = binary(1, shift=2.0)[1]
    scores = {
        "roc_auc": lambda truth, prob: roc_auc_score(truth, prob[:, 1]),
        "pr_auc": lambda truth, prob: average_precision_score(truth, prob[:, 1]),
        "min_precision_recall": metrics.min_precision_recall,
    }
    ours = statistics.paired_bootstrap(truth, prob_a, prob_b, ["a", "b"], draws=150, seed=9)
    rng = np.random.default_rng([9, 1])  # the stream of the ranking's draws
    draws = [rng.integers(150, size=150) for _ in range(150)]
    for name, score in scores.items():
        plain = [score(truth[rows], prob_b[rows]) - score(truth[rows], prob_a[rows]) for rows in draws]
        np.testing.assert_allclose([ours[name]["low"], ours[name]["high"]], np.quantile(plain, [0.025, 0.975]))
        assert ours[name]["difference"] == pytest.approx(score(truth, prob_b) - score(truth, prob_a))
        assert ours[name]["share_above_zero"] == np.mean(np.array(plain) > 1e-12)
        assert (ours[name]["draws"], ours[name]["unit"]) == (150, "records")


def test_paired_rankings_are_drawn_of_two_classes_or_where_asked():
    truth, prob = simulate(1)
    other = simulate(2)[1]
    usual = statistics.paired_bootstrap(truth, prob, other, CLASSES, draws=50)
    assert usual["roc_auc"] is usual["pr_auc"] is usual["min_precision_recall"] is None
    asked = statistics.paired_bootstrap(truth, prob, other, CLASSES, draws=50, rankings=True)
    assert asked["roc_auc"]["difference"] == pytest.approx(
        metrics.roc_auc(truth, other) - metrics.roc_auc(truth, prob)
    )
    assert asked["macro_f1"] == usual["macro_f1"] and asked["min_precision_recall"] is None
    truth, prob = binary(0)
    assert statistics.paired_bootstrap(truth, prob, prob, "ab", draws=50, rankings=False)["roc_auc"] is None


def test_all_pairs_by_auroc_are_those_of_the_paired_bootstrap():
    truth, prob = binary(1)
    models = {"a": prob, "b": binary(1, shift=2.0)[1], "c": np.full((150, 2), 0.5)}
    groups = np.arange(150) // 2
    pairs = statistics.paired_auroc(truth, models, "ab", groups, draws=200, seed=4)
    assert [list(others) for others in pairs.values()] == [[], ["a"], ["a", "b"]]
    for name, others in pairs.items():
        for other, found in others.items():
            pair = statistics.paired_bootstrap(truth, models[other], models[name], "ab", groups, draws=200, seed=4)
            assert found == pair["roc_auc"]
    assert statistics.paired_auroc(np.ones(4, int), {"a": prob[:4], "b": prob[:4]}, "ab")["b"] == {"a": None}


def test_too_little_to_draw_from_is_refused():
    with pytest.raises(DataError, match="two records"):
        statistics.bootstrap_intervals([0], [[1.0, 0.0]], ["a", "b"])
    with pytest.raises(DataError, match="two groups"):
        statistics.bootstrap_intervals([0, 1], np.eye(2), ["a", "b"], groups=["p", "p"])
    with pytest.raises(DataError, match="3 groups, 2 records"):
        statistics.bootstrap_intervals([0, 1], np.eye(2), ["a", "b"], groups=["p", "q", "r"])


def test_verdict():
    assert statistics.verdict(0.0101, 0.05) == "better: the 95% interval [+0.010, +0.050] lies above 0"
    assert statistics.verdict(-0.05, -0.01) == "worse: the 95% interval [-0.050, -0.010] lies below 0"
    assert statistics.verdict(-0.01, 0.05) == "no difference shown: the 95% interval [-0.010, +0.050] contains 0"
    assert statistics.verdict(0.0, 0.05).startswith("no difference shown: the 95% interval [+0.000,")
    assert statistics.verdict(0.1, 0.2, level=0.9).startswith("better: the 90% interval")


def test_verdict_never_shows_zero_for_an_end_that_is_not():
    assert statistics.verdict(0.0004, 0.05) == "better: the 95% interval [+4e-04, +0.050] lies above 0"
    assert "[-0.001, +1e-04] contains 0" in statistics.verdict(-0.0006, 0.0001)

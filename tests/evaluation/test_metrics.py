"""Metrics against scikit-learn and hand-worked cases."""

import json

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from transplant.errors import DataError, OptionError
from transplant.evaluation import metrics
from transplant.evaluation.evaluate import evaluate_predictions


def random_case(seed, n=60, k=4, present=None):
    """Return (truth, probabilities) with the given classes in the truth, probabilities rounded so that ties occur."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(range(k) if present is None else present, size=n)
    return truth, np.round(rng.dirichlet(np.ones(k), size=n), 1)


@pytest.mark.parametrize("present", [None, [0, 1, 2], [1], [0, 3]])
@pytest.mark.parametrize("seed", range(5))
def test_f1_accuracy_and_confusion_agree_with_scikit_learn(seed, present):
    truth, prob = random_case(seed, present=present)
    predicted = prob.argmax(axis=1)
    labels = range(4)
    ours = metrics.classification_metrics(truth, prob, list("ANO~"))
    per_class = sklearn_metrics.f1_score(truth, predicted, labels=labels, average=None, zero_division=0)
    macro = sklearn_metrics.f1_score(truth, predicted, labels=labels, average="macro", zero_division=0)
    assert list(ours["f1"]) == list("ANO~")
    np.testing.assert_allclose(list(ours["f1"].values()), per_class, atol=1e-15)
    assert ours["macro_f1"] == pytest.approx(macro, abs=1e-15)
    assert metrics.macro_f1(truth, predicted, 4) == pytest.approx(macro, abs=1e-15)
    assert ours["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(truth, predicted))
    np.testing.assert_array_equal(ours["confusion"], sklearn_metrics.confusion_matrix(truth, predicted, labels=labels))
    assert ours["challenge_f1"] == pytest.approx(per_class[:3].mean())


def test_areas_agree_with_scikit_learn_when_all_classes_are_present():
    rng = np.random.default_rng(3)
    truth = np.concatenate([np.arange(4), rng.integers(4, size=80)])
    prob = rng.dirichlet(np.ones(4), size=84)
    ours = metrics.classification_metrics(truth, prob, list("ANO~"))
    one_hot = np.eye(4)[truth]
    assert ours["roc_auc"] == pytest.approx(sklearn_metrics.roc_auc_score(truth, prob, multi_class="ovr"))
    assert ours["pr_auc"] == pytest.approx(sklearn_metrics.average_precision_score(one_hot, prob, average="macro"))
    assert ours["absent_classes"] == []


def test_absent_class_is_named_and_left_out_of_the_areas():
    truth = [0, 0, 1, 1]
    prob = [[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.2, 0.7, 0.1], [0.4, 0.5, 0.1]]
    ours = metrics.classification_metrics(truth, prob, ["a", "b", "c"])
    # Class a: scores .8 .3 against .2 .4, three of four pairs in order. Class b: .7 .5 against .1 .6, three of four.
    assert ours["roc_auc"] == pytest.approx(0.75)
    assert ours["absent_classes"] == ["c"]
    assert ours["support"] == {"a": 2, "b": 2, "c": 0}
    assert ours["confusion"] == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]
    # F1: a = 2/3, b = 4/5, c = 0.
    assert ours["macro_f1"] == pytest.approx((2 / 3 + 4 / 5) / 3)


def test_two_classes_are_scored_by_the_second_one():
    # Ranked: died, survived, died, survived, survived (twice 0.2), died.
    truth = [1, 0, 1, 0, 0, 1]
    score = np.array([0.9, 0.8, 0.7, 0.2, 0.2, 0.1])
    ours = metrics.classification_metrics(truth, np.stack([1 - score, score], axis=1), ("survived", "died"))
    assert ours["positive_class"] == "died"
    # Of 3 x 3 pairs: the first is before 3 others, the second before 2, the last before none.
    assert ours["roc_auc"] == pytest.approx(5 / 9)
    # Precision at each positive record, a third of the recall each: 1/1, 2/3, 3/6.
    assert ours["pr_auc"] == pytest.approx((1 + 2 / 3 + 1 / 2) / 3)
    # The three most probable: precision 2/3 and recall 2/3.
    assert ours["min_precision_recall"] == pytest.approx(2 / 3)
    # The mean over both classes, which is not reported, is another number.
    both = sklearn_metrics.average_precision_score(np.eye(2)[truth], np.stack([1 - score, score], 1), average="macro")
    assert abs(ours["pr_auc"] - both) > 0.03


@pytest.mark.parametrize("seed", range(5))
def test_min_precision_recall_is_the_best_of_all_thresholds(seed):
    rng = np.random.default_rng(seed)
    truth = np.append([0, 1], rng.integers(2, size=40))
    score = np.round(rng.random(42), 1)
    best = 0
    for threshold in np.unique(score):
        called = score >= threshold
        both = sklearn_metrics.precision_score(truth, called), sklearn_metrics.recall_score(truth, called)
        best = max(best, min(both))
    assert metrics.min_precision_recall(truth, np.stack([1 - score, score], axis=1)) == pytest.approx(best)


def test_only_two_classes_have_a_positive_one():
    ours = metrics.classification_metrics([0, 1, 2], np.eye(3), "abc")
    assert ours["positive_class"] is None and ours["min_precision_recall"] is None
    assert ours["pr_auc"] == 1


def test_one_class_has_no_area():
    ours = metrics.classification_metrics([1, 1], [[0.5, 0.5], [0.1, 0.9]], ["a", "b"])
    assert ours["roc_auc"] is None and ours["pr_auc"] is None and ours["min_precision_recall"] is None
    assert ours["accuracy"] == 0.5  # the tie goes to the class that comes first


def test_challenge_score_needs_its_three_classes_and_ignores_noise():
    truth, prob = [0, 1, 2, 3], np.eye(4)[[0, 1, 2, 0]]
    # A is found once and claimed once too often: F1 2/3; N and O are right; noise (0) does not count.
    assert metrics.classification_metrics(truth, prob, ["A", "N", "O", "~"])["challenge_f1"] == pytest.approx(8 / 9)
    assert metrics.classification_metrics(truth, prob, ["a", "n", "o", "~"])["challenge_f1"] is None


def test_one_hot_and_index_labels_give_the_same_json():
    truth, prob = random_case(0)
    of_indices = metrics.classification_metrics(truth, prob, list("ANO~"))
    of_one_hot = metrics.classification_metrics(np.eye(4)[truth], prob.astype(np.float64), list("ANO~"))
    assert json.dumps(of_indices) == json.dumps(of_one_hot)


@pytest.mark.parametrize(
    ("truth", "prob", "words"),
    [
        ([0, 4], np.ones((2, 4)), r"0\.\.3"),
        ([0.0, 1.0], np.ones((2, 4)), "class indices"),
        ([[1, 1, 0, 0]], np.ones((1, 4)), "exactly one"),
        ([[1, 0]], np.ones((1, 4)), "one column per class"),
        ([0, 1], np.ones((3, 4)), "shape"),
        ([0, 1], [[np.nan] * 4, [0.25] * 4], "1 of 2 rows"),
        (np.zeros(0, int), np.zeros((0, 4)), "at least one"),
    ],
)
def test_bad_input_is_refused(truth, prob, words):
    with pytest.raises(DataError, match=words):
        metrics.classification_metrics(truth, prob, list("ANO~"))


def test_monitored_values():
    truth, prob = random_case(1)
    predicted = prob.argmax(axis=1)
    assert metrics.monitored_value("acc", truth, prob) == pytest.approx((truth == predicted).mean())
    assert metrics.monitored_value("f1", truth, prob) == pytest.approx(
        sklearn_metrics.f1_score(truth, predicted, average="macro", labels=range(4), zero_division=0)
    )
    strict = np.random.default_rng(0).dirichlet(np.ones(4), size=60)
    assert metrics.monitored_value("loss", truth, strict) == pytest.approx(
        sklearn_metrics.log_loss(truth, strict, labels=range(4))
    )
    assert metrics.monitored_value("auc", truth, strict) == pytest.approx(
        sklearn_metrics.roc_auc_score(truth, strict, multi_class="ovr")
    )
    one_hot = np.eye(4)[truth]
    assert metrics.monitored_value("auprc", truth, strict) == pytest.approx(
        sklearn_metrics.average_precision_score(one_hot, strict, average="macro")
    )
    died = (truth == 1).astype(int)
    assert metrics.monitored_value("auprc", died, strict[:, :2]) == pytest.approx(
        sklearn_metrics.average_precision_score(died, strict[:, 1])
    )


def test_monitored_auc_of_one_class_and_unknown_names_are_refused():
    for name in ("auc", "auprc"):
        with pytest.raises(OptionError, match=f"--val-metric {name} needs records of two classes"):
            metrics.monitored_value(name, [0, 0], [[0.5, 0.5], [0.5, 0.5]])
    with pytest.raises(OptionError, match="loss, acc, f1, auc, auprc"):
        metrics.better("precision", 1.0, 0.5)


def test_better():
    assert metrics.better("loss", 0.4, 0.5) and not metrics.better("loss", 0.5, 0.4)
    assert metrics.better("val_f1", 0.5, 0.4) and not metrics.better("f1", 0.4, 0.4)
    assert metrics.better("auprc", 0.5, 0.4) and not metrics.better("val_auprc", 0.3, 0.4)
    assert metrics.better("acc", 0.1, None) and metrics.better("acc", 0.1, float("nan"))
    assert not metrics.better("loss", float("nan"), 2.0)


def test_evaluate_adds_intervals_around_the_estimate():
    truth, prob = random_case(2, n=80)
    result = evaluate_predictions(truth, prob, list("ANO~"), draws=500)
    interval = result["intervals"]["macro_f1"]
    assert interval["estimate"] == result["macro_f1"]
    assert interval["low"] < result["macro_f1"] < interval["high"]
    assert evaluate_predictions([0], [[1.0, 0.0]], ["a", "b"])["intervals"] is None
    assert evaluate_predictions([0, 1], np.eye(2), ["a", "b"], groups=["p", "p"])["intervals"] is None

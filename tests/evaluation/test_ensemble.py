"""Ensembles: means by hand and scipy, records matched by name, unlike runs refused."""

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import gmean
from sklearn.metrics import log_loss

from transplant.errors import DataError, OptionError
from transplant.evaluation.ensemble import ensemble_predictions
from transplant.evaluation.predictions import read_predictions, write_predictions


def run(prob, names=("r1", "r2"), classes=("A", "N"), truth=None):
    predictions = {"y_prob": np.asarray(prob, float), "classes": list(classes), "record_names": list(names)}
    return predictions | ({} if truth is None else {"y_true": np.asarray(truth)})


ONE = run([[0.9, 0.1], [0.4, 0.6]], truth=[[1, 0], [0, 1]])
OTHER = run([[0.2, 0.8], [0.5, 0.5]], names=["r2", "r1"], truth=[[0, 1], [1, 0]])


def test_arithmetic_mean_by_name():
    result = ensemble_predictions([ONE, OTHER])
    np.testing.assert_allclose(result["y_prob"], [[0.7, 0.3], [0.3, 0.7]])
    assert (result["classes"], result["record_names"]) == (["A", "N"], ["r1", "r2"])
    np.testing.assert_array_equal(result["y_true"], [[1, 0], [0, 1]])


def test_classes_in_another_order_are_matched_by_name():
    turned = run([[0.8, 0.2], [0.5, 0.5]], names=["r2", "r1"], classes=["N", "A"], truth=[[1, 0], [0, 1]])
    np.testing.assert_allclose(ensemble_predictions([ONE, turned])["y_prob"], [[0.7, 0.3], [0.3, 0.7]])


def test_geometric_mean_is_scipy_s_and_the_softmax_of_mean_logits():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(3, 5, 4))
    runs = [run(softmax(z, axis=1), names=range(5), classes="ANO~") for z in logits]
    ours = ensemble_predictions(runs, mean="geometric")["y_prob"]
    products = gmean(softmax(logits, axis=2), axis=0)
    np.testing.assert_allclose(ours, products / products.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(ours, softmax(logits.mean(axis=0), axis=1))


@pytest.mark.parametrize("mean", ["arithmetic", "geometric"])
def test_log_loss_is_at_most_the_members_average(mean):
    rng = np.random.default_rng(1)
    truth = rng.integers(4, size=60)
    probs = [softmax(2 * rng.normal(size=(60, 4)) + np.eye(4)[truth], axis=1) for _ in range(5)]
    members = np.mean([log_loss(truth, p) for p in probs])
    result = ensemble_predictions([run(p, names=range(60), classes="ANO~") for p in probs], mean)["y_prob"]
    assert log_loss(truth, result) < members
    np.testing.assert_allclose(result.sum(axis=1), 1)


def test_a_class_that_one_member_rules_out():
    runs = [run([[1.0, 0.0]], names=["r"]), run([[0.2, 0.8]], names=["r"])]
    np.testing.assert_allclose(ensemble_predictions(runs)["y_prob"], [[0.6, 0.4]])
    assert ensemble_predictions(runs, "geometric")["y_prob"][0, 1] < 1e-15


def test_files_of_runs(tmp_path):
    names, truth = ["r1", "r2"], [0, 1]
    for number, prob in enumerate((ONE["y_prob"], OTHER["y_prob"])):
        write_predictions(tmp_path / f"{number}.csv", names, truth, prob, ["A", "N"])
    result = ensemble_predictions([read_predictions(tmp_path / f"{number}.csv") for number in range(2)])
    np.testing.assert_allclose(result["y_prob"], (ONE["y_prob"] + OTHER["y_prob"]) / 2)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (run(OTHER["y_prob"], names=["r1", "r3"]), "same records.*run 2 lacks r2 and has r3"),
        (run(OTHER["y_prob"][:1], names=["r1"]), "lacks r2 and has none"),
        (run(OTHER["y_prob"], classes=["A", "O"]), "same classes.*lacks N and has O"),
        (run(OTHER["y_prob"], names=["r1", "r1"]), "r1 repeated in run 2"),
        (run(OTHER["y_prob"], truth=[[0, 1], [0, 1]]), "different ones for r1"),
        ({"y_prob": OTHER["y_prob"], "classes": ["A", "N"]}, "matched by record name.*run 2"),
        (run([[3.0, -2.0], [0.5, 0.5]]), "1 of 2 rows"),
        (run([[np.nan, 0.5], [0.5, 0.5]]), "1 of 2 rows"),
    ],
)
def test_unlike_runs_are_refused(other, message):
    with pytest.raises(DataError, match=message):
        ensemble_predictions([ONE, other])


def test_no_runs_and_unknown_means_are_refused():
    with pytest.raises(DataError, match="at least one run"):
        ensemble_predictions([])
    with pytest.raises(OptionError, match="arithmetic or geometric"):
        ensemble_predictions([ONE], mean="median")

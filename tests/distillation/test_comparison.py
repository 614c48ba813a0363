"""What learners are trained on beside a distilled set: real examples of the training part, as many of each class."""

import dataclasses

import numpy as np
import pytest
from labelled_sets import grouped_set
from made_problems import divided, made_set, problem_of

from distillation.condensation import comparison
from distillation.condensation.comparison import Comparison
from transplant.signals.normalization import Normalization


@pytest.fixture(scope="module")
def problem():
    """30 records to learn from, 10 of each class, 15 for validation, 15 for the test; each begins with its number."""
    data = grouped_set(steps=4)
    x = data.x.copy()
    x[:, 0, 0] = np.arange(60)
    parts = divided(dataclasses.replace(data, x=x), 30, 15, 15)
    return problem_of(*parts, Normalization.none(1))


@pytest.fixture
def trained(monkeypatch):
    """The sets that networks and classifiers are given, in place of any training: learner -> list of (x, targets)."""
    taken = {}

    class RecordingEvaluator:
        def __init__(self, model, recipe, validation, seed):
            self._name = model.name
            taken.setdefault("validation", []).append(validation)

        def probabilities(self, x, targets, test, number):
            of_learner = taken.setdefault(self._name, [])
            taken.setdefault("test", []).append(test)
            taken.setdefault("numbers", []).append(number)
            of_learner.append((np.asarray(x), np.asarray(targets)))
            return np.tile([0.5, 0.3, 0.2], (len(test), 1))

    def record(name, x, targets, test, seed, limit):
        taken.setdefault(name, []).append((x, targets))
        taken.setdefault("test", []).append(test)
        return np.tile([0.5, 0.3, 0.2], (len(test), 1))

    monkeypatch.setattr(comparison, "Evaluator", RecordingEvaluator)
    monkeypatch.setattr(comparison, "classifier_probabilities", record)
    return taken


def compare(problem, made, networks=3, seed=1, lines=None, **special):
    return Comparison(made, problem, networks, seed, log=(lines if lines is not None else []).append, **special)


def numbers(x):
    """Return the records' numbers, which are their first values."""
    return x[:, 0, 0].astype(int).tolist()


@pytest.mark.parametrize("learner", ["logistic", "random-forest"])
@pytest.mark.parametrize("per_class", [1, 4, 10])
def test_random_sets_have_as_many_of_each_class_as_the_distilled_one(per_class, learner, problem, trained):
    made = made_set(problem.train, per_class, x=np.full((3 * per_class, 4, 1), -7.0))
    judge = compare(problem, made)
    rows = judge.network_rows(learner) if learner == "logistic" else judge.classifier_rows(learner)
    assert [row.trained_on for row in rows] == ["distilled", "random", "whole set"]
    sets = trained[learner]
    if learner == "logistic":
        own, random, whole = sets[:3], sets[3:6], sets[6:]
        assert len(whole) == 3 and trained["numbers"] == [0, 1, 2] * 3
    else:  # a classifier has one fit where nothing but the examples is random
        own, random, whole = sets[:1], sets[1:4], sets[4:]
        assert len(whole) == 1
    for x, targets in own:
        assert (x == -7).all() and np.array_equal(targets, made.targets)
    for x, targets in random:
        drawn = numbers(x)
        assert len(set(drawn)) == len(drawn) == 3 * per_class
        assert set(drawn) <= set(range(30))  # no record of validation or test
        np.testing.assert_array_equal(x, problem.train.x[drawn])
        np.testing.assert_array_equal(targets, np.eye(3)[problem.train.y[drawn]])
        assert np.bincount(problem.train.y[drawn]).tolist() == [per_class] * 3
    for x, targets in whole:
        assert numbers(x) == list(range(30)) and np.array_equal(targets, np.eye(3)[problem.train.y])
    assert judge.notes == []


def test_random_sets_differ_between_networks_and_seeds_and_are_the_same_for_every_learner(problem, trained):
    made = made_set(problem.train, 4)
    judge = compare(problem, made, networks=4)
    judge.network_rows("logistic", with_whole=False)
    judge.network_rows("mlp3", with_whole=False)
    judge.classifier_rows("logistic-regression", with_whole=False)
    found = [[numbers(x) for x, _ in trained[name][-4:]] for name in ("logistic", "mlp3", "logistic-regression")]
    assert found[0] == found[1] == found[2]
    compare(problem, made, networks=4, seed=2).network_rows("logistic", with_whole=False)
    sets = [tuple(sorted(drawn)) for drawn in [*found[0], *(numbers(x) for x, _ in trained["logistic"][-4:])]]
    assert len(set(sets)) == 8


def test_epochs_are_chosen_by_validation_and_predictions_are_of_the_test(problem, trained):
    judge = compare(problem, made_set(problem.train, 2))
    judge.network_rows("logistic")
    judge.classifier_rows("random-forest")
    for validation in trained["validation"]:
        np.testing.assert_array_equal(validation.x, problem.validation.x)
        np.testing.assert_array_equal(validation.y, problem.validation.y)
    assert len(trained["test"]) == 9 + 5
    for test in trained["test"]:
        np.testing.assert_array_equal(test, problem.test.x)


def test_where_the_rarest_class_is_smaller_random_sets_are_and_a_note_says_so(problem, trained):
    of_last = np.flatnonzero(problem.train.y == 2)
    train = problem.train.select(np.setdiff1d(np.arange(30), of_last[3:]))
    few = problem_of(train, problem.validation, problem.test, problem.normalization)
    lines = []
    judge = compare(few, made_set(problem.train, 5), lines=lines)
    assert judge.notes == [
        "the rarest class has 3 real examples: random sets have as many of each, not 5, and are smaller than the "
        "distilled one"
    ]
    assert lines == judge.notes
    judge.network_rows("logistic", with_whole=False)
    own, random = trained["logistic"][:3], trained["logistic"][3:]
    assert [len(x) for x, _ in own] == [15] * 3
    for x, targets in random:
        assert targets.sum(axis=0).tolist() == [3, 3, 3] and set(of_last[:3]) <= set(numbers(x))
    assert compare(few, made_set(problem.train, 3)).notes == []


def test_values_are_standardised_as_the_distilled_set_was(trained):
    train, validation, test = divided(grouped_set(steps=4), 30, 15, 15)
    own = Normalization("zscore", "train", (2.0,), (4.0,))
    judge = compare(problem_of(train, validation, test, own), made_set(train, normalization=own))
    judge.network_rows("logistic")
    np.testing.assert_allclose(trained["test"][0], (test.x - 2) / 4, rtol=1e-6)
    np.testing.assert_allclose(trained["validation"][0].x, (validation.x - 2) / 4, rtol=1e-6)
    np.testing.assert_allclose(trained["logistic"][-1][0], (train.x - 2) / 4, rtol=1e-6)


@pytest.mark.parametrize(
    ("epochs", "per_class", "records", "expected"),
    [
        (None, 2, 30, 1000),  # 300 updates on the small set are too few: a thousand, of one batch an epoch
        (2000, 2, 30, 2000),
        (None, 2, 660, 333),  # a thousand updates of three batches an epoch
        (600, 100, 660, 400),  # 600 epochs of two batches are 1,200 updates
        (1, 2, 660_000, 1),  # 2,579 batches, and never no epoch at all
    ],
)
def test_the_whole_set_has_as_many_updates_as_the_small_one_and_no_fewer_than_a_thousand(
    epochs, per_class, records, expected, problem
):
    judge = compare(problem, made_set(problem.train, per_class), epochs=epochs)
    judge._real = dataclasses.replace(judge._real, y=np.arange(records) % 3)
    assert judge.whole_epochs == expected


def test_what_networks_are_trained_on_is_augmented_as_it_was_distilled_unless_something_else_is_asked_for(problem):
    for distilled_so, asked, epochs, kind in (
        (False, None, 300, "not augmented"),
        (True, None, 1000, "augmented"),
        (True, False, 300, "not augmented"),
        (False, True, 1000, "augmented"),
    ):
        recipe = compare(problem, made_set(problem.train, 2, {"augment": distilled_so}), augment=asked).recipe
        assert recipe.epochs == epochs and f"{epochs} epochs on small sets, {kind};" in str(recipe)

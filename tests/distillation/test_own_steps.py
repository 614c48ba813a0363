"""A vanilla set's own steps and rates, in its file's order, against gradient descent written out in numpy."""

import types

import numpy as np
import pytest
from labelled_sets import grouped_set, hourly_set
from linear_descent import LinearDescent
from made_problems import divided, made_set, problem_of
from sklearn.metrics import roc_auc_score

from distillation.condensation.comparison import BY_OWN_STEPS, Comparison, summarise
from distillation.condensation.distilled_set import DistilledSet
from distillation.condensation.evaluation import follow_steps, predict
from distillation.condensation.methods import settle_options
from distillation.condensation.networks import build_network, drawn_weights
from distillation.condensation.siamese_augmentation import NO_AUGMENTATION
from distillation.condensation.streams import LOOK, OWN_STEPS, WEIGHTS, stream
from distillation.condensation.validation_look import ValidationLook

STEPS = np.array([1, 0, 1, 1, 0, 0, 1, 0])  # the examples of both steps among each other
RATES = (0.9, 0.1, 0.4, 0.7)  # of step 0, step 1, step 0, step 1


def vanilla_set(train, **options):
    """Return eight examples with learned labels, for two steps that are gone through twice."""
    made = made_set(train, 4)
    targets = np.random.default_rng(2).dirichlet(np.ones(len(made.classes)), len(made))
    return made_set(train, 4, options, {"method": "vanilla"}, targets=targets, rates=RATES, step=STEPS)


def descended(made, weights):
    """Return the `LinearDescent` that the set's four steps leave of first weights."""
    descent = LinearDescent(*weights)
    for step, rate in ((0, 0.9), (1, 0.1), (0, 0.4), (1, 0.7)):
        descent.step(made.x[step == STEPS], made.targets[step == STEPS], rate)
    return descent


@pytest.fixture(scope="module")
def parts():
    return divided(hourly_set(60, hours=4), 30, 15, 15)


@pytest.fixture(scope="module")
def model():
    return build_network("logistic", (4, 4), 2)


@pytest.mark.parametrize("scheme", ["uniform", "xavier"])
def test_steps_and_rates_are_followed_in_the_order_of_the_file(scheme, parts, model, tmp_path):
    vanilla_set(parts[0]).save(tmp_path / "distilled.npz")
    made = DistilledSet.load(tmp_path)
    follow_steps(model, made, 7, scheme)
    expected = descended(made, drawn_weights(model, 7, scheme))
    for found, weight in zip(model.get_weights(), expected.weights):
        np.testing.assert_allclose(found, weight, atol=2e-6)
    np.testing.assert_allclose(predict(model, made.x), expected.probabilities(made.x), atol=2e-6)
    # What is known of the order would be seen: no two rates and no two steps are alike.
    turned = LinearDescent(*drawn_weights(model, 7, scheme))
    for step, rate in ((0, 0.1), (1, 0.9), (0, 0.4), (1, 0.7)):
        turned.step(made.x[step == STEPS], made.targets[step == STEPS], rate)
    assert np.abs(turned.weights[0] - expected.weights[0]).max() > 0.01


def test_steps_that_are_followed_again_begin_anew(parts, model):
    made = vanilla_set(parts[0])
    follow_steps(model, made, 7, "uniform")
    before = model.get_weights()
    follow_steps(model, made, 8, "uniform")
    assert np.abs(model.get_weights()[0] - before[0]).max() > 0.01
    follow_steps(model, made, 7, "uniform")
    for first, again in zip(before, model.get_weights()):
        np.testing.assert_array_equal(first, again)


def test_a_set_of_fixed_first_weights_is_judged_with_these_and_another_with_fresh_ones(parts, model):
    problem = problem_of(*parts)
    for init, seeds in (
        ("fixed", [stream(5, WEIGHTS)]),
        ("random", [stream(11, OWN_STEPS, 0), stream(11, OWN_STEPS, 1), stream(11, OWN_STEPS, 2)]),
    ):
        made = vanilla_set(parts[0], init=init, scheme="xavier")
        row = Comparison(made, problem, 3, seed=11, log=lambda line: None).own_steps_row()
        assert (row.learner, row.trained_on, row.how) == ("logistic", "distilled", BY_OWN_STEPS)
        assert len(row.probabilities) == len(seeds)
        for found, seed in zip(row.probabilities, seeds):
            expected = descended(made, drawn_weights(model, seed, "xavier")).probabilities(problem.inputs("test"))
            np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize(("init", "seed"), [("fixed", stream(3, WEIGHTS)), ("random", stream(3, LOOK, 0))])
def test_a_look_at_a_vanilla_set_follows_its_steps_and_reads_validation_alone(init, seed, parts, model):
    problem, made = problem_of(*parts), vanilla_set(parts[0])
    y = np.random.default_rng(0).permutation(problem.validation.y)  # so that the score is no round one
    seen = types.SimpleNamespace(
        validation=types.SimpleNamespace(y=y), inputs={"validation": problem.inputs("validation")}.__getitem__
    )
    options = settle_options("vanilla", {"ipc": 4, "seed": 3, "scheme": "uniform", "init": init})
    look = ValidationLook(model, seen, options, NO_AUGMENTATION)
    expected = descended(made, drawn_weights(model, seed, "uniform")).probabilities(problem.inputs("validation"))
    assert look(made) == pytest.approx(roc_auc_score(y, expected[:, 1]), abs=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_network_that_diverges_counts_as_guessing_and_is_told_of(n_classes):
    data = hourly_set(60, hours=4) if n_classes == 2 else grouped_set(steps=4)
    train, val, test = divided(data, 30, 15, 15)
    made = made_set(train, 2, provenance={"method": "vanilla"}, rates=np.full(8, 3e38))
    comparison = Comparison(made, problem_of(train, val, test), 2, seed=1, log=lambda line: None)
    row = comparison.own_steps_row()
    assert all(np.allclose(found, 1 / n_classes) for found in row.probabilities)
    assert comparison.notes == ["logistic, own steps: 2 diverged and count as guessing"]
    summary = summarise([row], test.y, test.group_ids)
    assert summary[0]["roc_auc"]["mean"] == pytest.approx(0.5)

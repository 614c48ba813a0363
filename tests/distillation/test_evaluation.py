"""A fresh network on a few examples: how it is trained, and that validation alone says which of its epochs is kept."""

import types

import numpy as np
import pytest
import tensorflow as tf
from labelled_sets import grouped_set, hourly_set
from linear_descent import LinearDescent, softmax
from made_problems import divided, made_set, problem_of
from sklearn.metrics import f1_score, log_loss, roc_auc_score

from distillation.condensation import evaluation
from distillation.condensation.evaluation import Evaluator, Examples, TrainingRecipe
from distillation.condensation.methods import settle_options
from distillation.condensation.networks import build_network, drawn_weights
from distillation.condensation.siamese_augmentation import NO_AUGMENTATION
from distillation.condensation.streams import EVALUATION, LOOK, stream
from distillation.condensation.validation_look import ValidationLook

# Two values a record: of validation the first one tells the classes apart, of the test the second one, and the
# other one tells them the wrong way round.
Y = np.array([0, 0, 0, 1, 1, 1])
RISING, FALLING = np.array([-3.0, -2, -1, 1, 2, 3]), np.array([1.5, 0.5, 2.5, -2.5, -0.5, -1.5])
VALIDATION = np.stack([RISING, FALLING], axis=1)[:, :, None]
IN_ORDER, TEST = Examples(VALIDATION, Y), VALIDATION[:, ::-1]
BY_FIRST, BY_SECOND, BY_NONE = ([[0, 1.0], [0, 0]], [0, 0]), ([[0, 0], [0, 1.0]], [0, 0]), ([[0, 0]] * 2, [0, 0])


def linear(weights, x):
    """Return the probabilities of a linear network in numpy."""
    return softmax(np.asarray(x, np.float64).reshape(len(x), -1) @ np.array(weights[0]) + np.array(weights[1]))


@pytest.fixture
def scripted(monkeypatch):
    """A function from the weights that training is to leave, look by look, to what is kept for a test set."""

    def kept(script, test=TEST, validation=IN_ORDER, n_classes=2):
        class ScriptedTrainer:
            def __init__(self, model, *_):
                self.rate, self._model = tf.Variable(0.0), model

            def reset(self):
                self._left = iter(script)

            def train(self, *_):
                self._model.set_weights([np.array(weight) for weight in next(self._left)])

        monkeypatch.setattr(evaluation, "NetworkTrainer", ScriptedTrainer)
        model = build_network("logistic", validation.x.shape[1:], n_classes)
        recipe = TrainingRecipe(epochs=len(script), looks=len(script))
        evaluator = Evaluator(model, recipe, validation, seed=1)
        return evaluator.probabilities(validation.x[:1], np.eye(n_classes)[:1], test, 0)

    return kept


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_epoch_is_the_best_on_validation_though_another_is_best_on_the_test(place, scripted):
    script = [BY_SECOND, BY_NONE, BY_SECOND]
    script[place] = BY_FIRST
    scores = [[roc_auc_score(Y, linear(weights, x)[:, 1]) for weights in script] for x in (VALIDATION, TEST)]
    assert np.argmax(scores[0]) == place and scores[0][place] == 1 and scores[1][place] == 0
    np.testing.assert_allclose(scripted(script), linear(BY_FIRST, TEST), atol=1e-6)


def test_of_equal_scores_the_smaller_loss_is_kept_and_of_equal_losses_the_first(scripted):
    flat, fit, wrong = (([[0, slope], [0, 0]], [0, bias]) for slope, bias in ((0.1, 0), (2.0, 0), (1.0, 6.0)))
    losses = [log_loss(Y, linear(weights, VALIDATION)) for weights in (flat, fit, wrong)]
    assert losses[1] < losses[0] < losses[2]
    assert {roc_auc_score(Y, linear(weights, VALIDATION)[:, 1]) for weights in (flat, fit, wrong)} == {1.0}
    np.testing.assert_allclose(scripted([flat, fit, wrong]), linear(fit, TEST), atol=1e-6)
    # The same on all validation records, another thing on the test.
    blind = Examples(VALIDATION * [[1], [0]], Y)
    other = ([[0, 2.0], [0, 5.0]], [0, 0])
    np.testing.assert_allclose(scripted([flat, fit, other], validation=blind), linear(fit, TEST), atol=1e-6)


def test_the_score_comes_before_the_loss(scripted):
    certain = ([[0, 1.0], [0, 0]], [0, 6.0])  # most pairs in order, and far too often the second class
    unsure = ([[0, 0.3], [0, 0.1]], [0, 0])
    hard = Examples(np.concatenate([VALIDATION, [[[0.2], [-9]], [[0.1], [9]]]]), np.append(Y, [1, 0]))
    scores = [roc_auc_score(hard.y, linear(weights, hard.x)[:, 1]) for weights in (certain, unsure)]
    losses = [log_loss(hard.y, linear(weights, hard.x)) for weights in (certain, unsure)]
    assert scores[0] > scores[1] and losses[0] > losses[1]
    np.testing.assert_allclose(scripted([certain, unsure], validation=hard), linear(certain, TEST), atol=1e-6)


def test_of_more_classes_macro_f1_chooses_and_a_loss_breaks_ties(scripted):
    y = np.array([0, 0, 0, 0, 1, 2])
    x = np.eye(3)[y][:, :, None]
    diagonal, none = 2 * np.eye(3), np.zeros(3)
    mostly_first = (np.zeros((3, 3)), np.array([2.0, 0, 0]))  # two thirds right, two classes never found
    two_found = (np.diag([0.0, 2, 2]) - np.eye(3)[0] * [[1], [0], [0]], none)
    script = [mostly_first, two_found, (diagonal / 4, none), (diagonal, none), (diagonal / 2, none), mostly_first]
    found = [linear(weights, x) for weights in script]
    scores = [f1_score(y, of_look.argmax(axis=1), average="macro", zero_division=0) for of_look in found]
    losses = [log_loss(y, of_look) for of_look in found]
    assert max(scores[:2]) < 1 and scores[2:5] == [1] * 3 and np.argmin(losses[2:5]) == 1
    test = np.random.default_rng(0).normal(size=(5, 3, 1))
    kept = scripted(script, test, Examples(x, y), 3)
    np.testing.assert_allclose(kept, linear((diagonal, none), test), atol=1e-6)


def two_classes(n, seed):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    return Examples(rng.normal(0.4 * y[:, None, None], 1, (n, 3, 2)).astype(np.float32), y)


def test_training_and_choice_are_those_of_gradient_descent_written_out():
    train, validation, test = two_classes(12, 1), two_classes(40, 2), two_classes(9, 3)
    targets = 0.8 * np.eye(2)[train.y] + 0.1  # labels that are no one-hot codes
    recipe = TrainingRecipe(epochs=40, rate=0.6, momentum=0.8, weight_decay=0.02, looks=8)
    model = build_network("logistic", (3, 2), 2)
    evaluator = Evaluator(model, recipe, validation, seed=4)
    places = []
    for number in (0, 3):
        descent = LinearDescent(*drawn_weights(model, stream(4, EVALUATION, number), "uniform"), 0.8, 0.02)
        looks = []
        for epoch in range(1, 41):
            descent.step(train.x, targets, 0.6 if epoch <= 20 else 0.06)  # twelve examples are one batch
            if epoch % 5 == 0:
                found = descent.probabilities(validation.x)
                key = (roc_auc_score(validation.y, found[:, 1]), -log_loss(validation.y, found))
                looks.append((key, descent.probabilities(test.x)))
        places.append(max(range(8), key=lambda place: looks[place][0]))
        expected = looks[places[-1]][1]
        assert np.abs(expected - looks[-1][1]).max() > 1e-3  # the last look would be seen to be another one
        found = evaluator.probabilities(train.x, targets, test.x, number)
        np.testing.assert_allclose(found, expected, atol=2e-5)
    assert max(places) < 7


def test_predictions_for_any_test_come_from_the_same_weights():
    train, validation = two_classes(10, 1), two_classes(30, 2)
    one, other = two_classes(7, 3).x, 100 * two_classes(11, 4).x
    model = build_network("mlp3", (3, 2), 2)
    evaluator = Evaluator(model, TrainingRecipe(epochs=12, rate=0.3, looks=4), validation, seed=4)
    targets = np.eye(2)[train.y]
    first = evaluator.probabilities(train.x, targets, one, 0)
    weights = model.get_weights()
    apart = evaluator.probabilities(train.x, targets, one, 1)
    second = evaluator.probabilities(train.x, targets, other, 0)
    for before, after in zip(weights, model.get_weights()):
        np.testing.assert_array_equal(before, after)
    both = evaluator.probabilities(train.x, targets, np.concatenate([one, other]), 0)
    np.testing.assert_allclose(both, np.concatenate([first, second]), atol=1e-6)
    assert np.abs(first - apart).max() > 0.01  # another number is another network


def test_a_recipe_has_all_its_epochs_and_a_tenth_of_the_rate_in_the_second_half(monkeypatch):
    taken = []

    class RecordingTrainer:
        def __init__(self, model, rate, momentum, weight_decay, augmentation):
            assert (rate, momentum, weight_decay) == (0.01, 0.9, 5e-4) and augmentation is NO_AUGMENTATION
            self.rate = tf.Variable(rate)

        def reset(self):
            taken.clear()

        def train(self, x, targets, epochs, rng):
            taken.extend([float(self.rate)] * epochs)

    monkeypatch.setattr(evaluation, "NetworkTrainer", RecordingTrainer)
    evaluator = Evaluator(build_network("logistic", (2, 1), 2), TrainingRecipe(), IN_ORDER, seed=1)
    evaluator.probabilities(VALIDATION, np.eye(2)[Y], TEST, 0)
    np.testing.assert_allclose(taken, [0.01] * 150 + [0.001] * 150, rtol=1e-6)


@pytest.mark.parametrize(("data", "measure"), [(grouped_set(), "macro-F1"), (hourly_set(60), "AUROC")])
def test_a_look_at_a_running_distillation_scores_a_short_training_on_validation_alone(data, measure):
    train, validation, test = divided(data, 30, 15, 15)
    problem, made = problem_of(train, validation, test), made_set(train, 4)
    # Of the real data nothing but validation can be read.
    seen = types.SimpleNamespace(validation=validation, inputs={"validation": problem.inputs("validation")}.__getitem__)
    model = build_network("logistic", made.input_shape, len(made.classes))
    options = settle_options("dc", {"seed": 3, "scheme": "uniform"})
    look = ValidationLook(model, seen, options, NO_AUGMENTATION)
    found = look(made)
    descent = LinearDescent(*drawn_weights(model, stream(3, LOOK, 0), "uniform"), 0.9, 5e-4)
    scores = []
    for epoch in range(1, 101):
        # Of five looks the last two are in the second half of the training.
        descent.step(made.x, made.targets, 0.01 if epoch <= 60 else 0.001)
        if epoch % 20 == 0:
            probabilities = descent.probabilities(problem.inputs("validation"))
            if measure == "AUROC":
                scores.append(roc_auc_score(validation.y, probabilities[:, 1]))
            else:
                scores.append(f1_score(validation.y, probabilities.argmax(axis=1), average="macro"))
    assert look.measure == measure and found == pytest.approx(max(scores), abs=1e-6)
    assert found == look(made)

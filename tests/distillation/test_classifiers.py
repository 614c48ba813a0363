"""Classifiers of scikit-learn on label probabilities."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from distillation.condensation.classifiers import CLASSIFIERS, classifier_probabilities

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 3, 1)).astype(np.float32)
TEST = RNG.normal(size=(5, 3, 1)).astype(np.float32)


def test_hard_labels_are_what_scikit_learn_takes():
    y = np.arange(12) % 3
    expected = LogisticRegression(max_iter=1000).fit(X[..., 0], y).predict_proba(TEST[..., 0])
    found = classifier_probabilities("logistic-regression", X, np.eye(4)[y], TEST, 1)
    np.testing.assert_allclose(found[:, :3], expected, atol=1e-6)
    assert found.shape == (5, 4) and not found[:, 3].any()


def test_an_example_counts_for_each_class_as_much_as_its_label_says():
    # Shares of quarters: four records of hard labels say the same.
    quarters = RNG.multinomial(4, [0.5, 0.3, 0.2], size=12)
    rows, y = np.repeat(np.arange(12), 4), np.concatenate([np.repeat(np.arange(3), row) for row in quarters])
    # Four times the weight against the same penalty is a quarter of C.
    expected = LogisticRegression(C=0.25, max_iter=1000).fit(X[rows, :, 0], y).predict_proba(TEST[..., 0])
    found = classifier_probabilities("logistic-regression", X, quarters / 4, TEST, 1)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_learned_labels_that_all_lean_to_one_class_can_be_learned_from(name):
    found = classifier_probabilities(name, X, np.tile([0.9, 0.1], (12, 1)), TEST, 1)
    # A forest of bootstrap samples draws the rare rows now more, now less often.
    tolerance = 0.15 if name == "random-forest" else 0.06
    np.testing.assert_allclose(found, np.tile([0.9, 0.1], (5, 1)), atol=tolerance)

"""The loss against numbers worked by hand, Keras' cross-entropy and finite differences."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_class_weight

from transplant.errors import OptionError
from transplant.training.class_weights import class_weights
from transplant.training.losses import WeightedFocalLoss, classifier_loss

LABELS = np.array([0, 0, 0, 1, 2, 2])
LOGITS = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32) * 2


def probabilities():
    p = np.exp(LOGITS.astype(np.float64))
    return p / p.sum(1, keepdims=True)


def test_plain_it_is_cross_entropy():
    found = WeightedFocalLoss(np.ones(3))(LABELS, LOGITS).numpy()
    assert found == pytest.approx(log_loss(LABELS, probabilities(), labels=[0, 1, 2]), rel=1e-6)
    assert found == pytest.approx(
        keras.losses.SparseCategoricalCrossentropy(from_logits=True)(LABELS, LOGITS).numpy(), rel=1e-6
    )


def test_what_asks_for_nothing_is_kerass_own_loss():
    assert type(classifier_loss(np.ones(3))) is keras.losses.SparseCategoricalCrossentropy
    asked = [(np.array([1, 1, 1.1]), 0, 0), (np.ones(3), 0.5, 0), (np.ones(3), 0, 0.1)]
    assert all(type(classifier_loss(*arguments)) is WeightedFocalLoss for arguments in asked)


def test_weights_and_focus_by_hand():
    weights, gamma = np.array([0.5, 3.0, 1.0]), 2.0
    own = probabilities()[np.arange(6), LABELS]
    expected = weights[LABELS] * (1 - own) ** gamma * -np.log(own)
    found = WeightedFocalLoss(weights, gamma).call(LABELS, LOGITS).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_smoothing_is_kerass():
    expected = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)(np.eye(3)[LABELS], LOGITS)
    assert WeightedFocalLoss(np.ones(3), smoothing=0.2)(LABELS, LOGITS).numpy() == pytest.approx(
        expected.numpy(), rel=1e-6
    )


def test_the_gradient_is_that_of_finite_differences():
    loss = WeightedFocalLoss(np.array([0.5, 3.0, 1.0]), gamma=1.5, smoothing=0.1)
    x = tf.Variable(LOGITS)
    with tf.GradientTape() as tape:
        value = loss(LABELS, x)
    found = tape.gradient(value, x).numpy()
    for place in [(0, 0), (3, 1), (5, 2), (5, 0)]:
        moved = [LOGITS.astype(np.float64).copy() for _ in range(2)]
        moved[0][place] -= 1e-2
        moved[1][place] += 1e-2
        low, high = (float(loss(LABELS, m.astype(np.float32))) for m in moved)
        assert found[place] == pytest.approx((high - low) / 2e-2, abs=2e-4)


def test_a_sure_and_right_answer_has_a_finite_gradient():
    x = tf.Variable([[60.0, 0.0, 0.0]])
    with tf.GradientTape() as tape:
        value = WeightedFocalLoss(np.ones(3), gamma=2.0)(np.array([0]), x)
    assert np.isfinite(tape.gradient(value, x).numpy()).all() and float(value) < 1e-6


def test_balanced_weights_are_scikit_learns():
    found = class_weights(LABELS, 3, "balanced")
    np.testing.assert_allclose(found, compute_class_weight("balanced", classes=np.arange(3), y=LABELS))


def test_every_kind_has_a_mean_of_one_over_the_records():
    assert class_weights(LABELS, 3, "none").tolist() == [1, 1, 1]
    found = class_weights(LABELS, 3, "sqrt")
    np.testing.assert_allclose(found[1] / found[0], 3**0.5)
    assert found[LABELS].mean() == pytest.approx(1)
    with_absent = class_weights(LABELS, 4, "balanced")
    assert np.isfinite(with_absent).all() and with_absent[LABELS].mean() == pytest.approx(1)
    with pytest.raises(OptionError, match="none, sqrt, balanced"):
        class_weights(LABELS, 3, "inverse")

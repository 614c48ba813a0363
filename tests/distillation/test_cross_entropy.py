"""Cross-entropy against Keras', and the derivative that TensorFlow's kernel leaves out."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from distillation.condensation.cross_entropy import cross_entropy


def mixed_derivative(loss_of, labels, logits, along):
    """d/d labels of the derivative of a loss in the logits, along a direction."""
    with tf.GradientTape() as outer:
        outer.watch(labels)
        with tf.GradientTape() as inner:
            inner.watch(logits)
            loss = loss_of(labels, logits)
        slope = tf.reduce_sum(inner.gradient(loss, logits) * along)
    return outer.gradient(slope, labels)


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    labels = tf.nn.softmax(tf.constant(rng.normal(size=(4, 3))))
    return labels, tf.constant(rng.normal(size=(4, 3))), tf.constant(rng.normal(size=(4, 3)))


def test_it_is_the_loss_of_keras(case):
    labels, logits, _ = case
    expected = keras.losses.CategoricalCrossentropy(from_logits=True, dtype="float64")(labels, logits)
    assert float(cross_entropy(labels, logits)) == pytest.approx(float(expected), rel=1e-12)


def test_the_mixed_derivative_in_labels_is_right(case):
    # The derivative in a logit is (softmax - label) / 4, where the labels of an example add up to 1.
    labels, logits, along = case
    found = mixed_derivative(cross_entropy, labels, logits, along).numpy()
    direction = np.random.default_rng(1).normal(size=(4, 3))
    direction -= direction.mean(axis=1, keepdims=True)
    assert (found * direction).sum() == pytest.approx(-(along.numpy() * direction).sum() / 4, rel=1e-9)


def test_that_of_tensorflow_is_nothing(case):
    """Why this loss exists; if this fails, TensorFlow has mended it."""

    def theirs(labels, logits):
        return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels, logits))

    found = mixed_derivative(theirs, *case)
    assert found is None or not np.asarray(found).any()

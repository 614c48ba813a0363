"""The terms of RDPD's loss against scipy, numbers worked out by hand, and finite differences."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import entr, log_softmax, rel_entr, softmax

from distillation.rdpd.losses import (
    LabelCombination,
    attention_loss,
    check_temperature,
    hard_loss,
    soft_floor,
    soft_loss,
)
from transplant.errors import OptionError

RNG = np.random.default_rng(0)
LOGITS, TEACHER = RNG.normal(0, 2, (7, 4)), RNG.normal(0, 2, (7, 4))
LABELS = RNG.integers(4, size=7)


@pytest.fixture(autouse=True)
def in_float64(float64):
    """Everything here is compared to many digits."""


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_hard_labels(temperature):
    expected = -log_softmax(LOGITS / temperature, axis=1)[np.arange(7), LABELS].mean()
    assert float(hard_loss(LABELS, LOGITS, temperature)) == pytest.approx(expected, rel=1e-12)


def test_soft_labels_by_hand():
    # Teacher 3:1 at T = 2, student 1:1: CE = ln 2, times T^2 = 4.
    teacher, student = np.array([[2 * np.log(3), 0.0]]), np.zeros((1, 2))
    assert float(soft_loss(teacher, student, 2.0)) == pytest.approx(4 * np.log(2))
    assert float(soft_floor(teacher, 2.0)) == pytest.approx(-4 * (0.75 * np.log(0.75) + 0.25 * np.log(0.25)))


@pytest.mark.parametrize("temperature", [1.0, 5.0])
def test_soft_labels_are_a_divergence_and_the_teachers_entropy(temperature):
    teacher, student = (softmax(logits / temperature, axis=1) for logits in (TEACHER, LOGITS))
    divergence = rel_entr(teacher, student).sum(axis=1).mean()
    floor = float(soft_floor(TEACHER, temperature))
    assert floor == pytest.approx(temperature**2 * entr(teacher).sum(axis=1).mean(), rel=1e-10)
    assert float(soft_loss(TEACHER, LOGITS, temperature)) - floor == pytest.approx(
        temperature**2 * divergence, rel=1e-10
    )


def test_the_gradient_of_soft_labels_keeps_its_size():
    """At a high temperature T^2 CE tends to a squared distance of logits, whatever T (Hinton et al. 2015)."""
    sizes = []
    for temperature in (50.0, 500.0):
        x = tf.Variable(LOGITS)
        with tf.GradientTape() as tape:
            loss = soft_loss(TEACHER, x, temperature)
        sizes.append(np.linalg.norm(tape.gradient(loss, x)))
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)


def test_attention_in_both_directions():
    student, teacher = (softmax(values, axis=1) for values in (LOGITS, TEACHER))
    paper, release = (rel_entr(*pair).sum(axis=1).mean() for pair in ((student, teacher), (teacher, student)))
    assert float(attention_loss(teacher, student)) == pytest.approx(paper, rel=1e-10)
    assert float(attention_loss(teacher, student, "teacher-student")) == pytest.approx(release, rel=1e-10)
    assert float(attention_loss(teacher, teacher)) == pytest.approx(0, abs=1e-12)
    with pytest.raises(OptionError, match="Received: both"):
        attention_loss(teacher, student, "both")


def test_attention_that_is_all_on_one_segment_is_finite():
    one, other = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    assert float(attention_loss(one, other)) == pytest.approx(-np.log(keras.config.epsilon()))
    half = np.array([[0.5, 0.5]])
    assert float(attention_loss(half, one)) == pytest.approx(np.log(2))


@pytest.mark.parametrize("per_class", [False, True])
def test_combined_labels(per_class):
    layer = LabelCombination(3.0, per_class)
    assert np.allclose(layer(LOGITS), 0.5 * softmax(LOGITS, axis=1) + 0.5 * softmax(LOGITS / 3, axis=1))
    bias = np.array([0.3, -0.2, 0.1, 0.0]) if per_class else 0.3
    layer.set_weights([np.array(0.7), np.array(-0.4), bias * np.ones(layer.b.shape)])
    expected = 0.7 * softmax(LOGITS, axis=1) - 0.4 * softmax(LOGITS / 3, axis=1) + bias
    np.testing.assert_allclose(layer(LOGITS), expected, rtol=1e-12)
    with tf.GradientTape() as tape:
        loss = hard_loss(LABELS, layer(LOGITS))
    of_w1, of_w2, of_b = tape.gradient(loss, [variable.value for variable in (layer.w1, layer.w2, layer.b)])
    assert abs(of_w1) > 1e-4 and abs(of_w2) > 1e-4
    # The published scalar moves all classes alike: nothing is learned about it.
    assert np.abs(of_b).max() > 1e-3 if per_class else abs(float(of_b)) < 1e-15


def test_gradients_are_finite_differences():
    layer = LabelCombination(2.0)
    layer.build((7, 4))
    teacher_attention = softmax(TEACHER, axis=1)
    losses = {
        "hard": lambda x: hard_loss(LABELS, x, 2.0),
        "soft": lambda x: soft_loss(TEACHER, x, 2.0),
        "attention": lambda x: attention_loss(teacher_attention, tf.nn.softmax(x)),
        "release": lambda x: attention_loss(teacher_attention, tf.nn.softmax(x), "teacher-student"),
        "combined": lambda x: hard_loss(LABELS, layer(x)),
    }
    for name, loss in losses.items():
        x = tf.Variable(LOGITS)
        with tf.GradientTape() as tape:
            value = loss(x)
        found = tape.gradient(value, x).numpy()
        for row, column in ((0, 1), (3, 2), (6, 0)):
            step = np.zeros_like(LOGITS)
            step[row, column] = 1e-6
            expected = (float(loss(LOGITS + step)) - float(loss(LOGITS - step))) / 2e-6
            assert found[row, column] == pytest.approx(expected, rel=1e-6, abs=1e-9), name


@pytest.mark.parametrize("temperature", [0, -1, float("inf"), float("nan")])
def test_a_temperature_is_above_zero(temperature):
    with pytest.raises(OptionError, match="a temperature is above 0"):
        check_temperature(temperature)


def test_records_that_no_teacher_has_seen_count_nothing_in_what_is_imitated():
    seen = np.array([1, 0, 1, 1, 0, 1, 0], np.float64)
    share = seen.mean()
    rows = np.flatnonzero(seen)
    for weighted, alone in (
        (soft_loss(TEACHER, LOGITS, 2.0, seen), soft_loss(TEACHER[rows], LOGITS[rows], 2.0)),
        (soft_floor(TEACHER, 2.0, seen), soft_floor(TEACHER[rows], 2.0)),
        (
            attention_loss(softmax(TEACHER, axis=1), softmax(LOGITS, axis=1), weights=seen),
            attention_loss(softmax(TEACHER[rows], axis=1), softmax(LOGITS[rows], axis=1)),
        ),
    ):
        # A mean over all records: each has the weight that it has in the hard labels.
        assert float(weighted) == pytest.approx(share * float(alone), rel=1e-12)

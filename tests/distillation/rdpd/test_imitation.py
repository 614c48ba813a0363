"""The model that trains students and teachers: its loss, what moves, what is logged."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax, rel_entr, softmax

from distillation.rdpd.imitation import build_imitation
from distillation.rdpd.methods import METHODS
from transplant.modules.segment_rnn import SegmentRnnSize, build_segment_rnn

SIZE = SegmentRnnSize(8, 4, 3, 2, 3)
T = 2.5


def case(method, seed=0, **options):
    """Return a compiled model, records and targets of 6 records of 3 segments and 4 classes."""
    network = build_segment_rnn((24, 2), 4, SIZE, seed=1)
    model = build_imitation(network, METHODS[method], T, **options)
    model.compile(keras.optimizers.Adam(1e-2))
    rng = np.random.default_rng(seed)
    targets = {
        "labels": np.array([0, 1, 2, 3, 0, 1]),
        "teacher_logits": rng.normal(0, 2, (6, 4)).astype(np.float32),
        "teacher_attention": softmax(rng.normal(0, 1, (6, 3)), axis=1).astype(np.float32),
    }
    return model, rng.normal(size=(6, 24, 2)).astype(np.float32), targets


def expected_terms(outputs, targets):
    logits, attention = (np.asarray(values, np.float64) for values in outputs[:2])
    rows, labels = np.arange(6), targets["labels"]
    teacher = softmax(targets["teacher_logits"] / T, axis=1)
    mixture = 0.5 * softmax(logits, axis=1) + 0.5 * softmax(logits / T, axis=1)
    return {
        "hard": -log_softmax(logits, axis=1)[rows, labels].mean(),
        "soft": -(T**2) * (teacher * log_softmax(logits / T, axis=1)).sum(axis=1).mean(),
        "attention": rel_entr(attention, targets["teacher_attention"]).sum(axis=1).mean(),
        "combined": -log_softmax(mixture, axis=1)[rows, labels].mean(),
    }


@pytest.mark.parametrize("method", METHODS)
def test_the_loss_is_the_sum_of_the_methods_terms(method):
    model, x, targets = case(method)
    expected = expected_terms(model(x, training=False), targets)
    found = model.evaluate(x, targets, batch_size=6, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(sum(expected[term] for term in METHODS[method]), rel=1e-5)
    if method != "direct":
        for term in METHODS[method]:
            assert found[term] == pytest.approx(expected[term], rel=1e-5)
        teacher = softmax(targets["teacher_logits"] / T, axis=1)
        student = softmax(np.asarray(model(x)[0]) / T, axis=1)
        assert found["soft_kl"] == pytest.approx(T**2 * rel_entr(teacher, student).sum(axis=1).mean(), rel=1e-3)
    correct = np.asarray(model(x)[0]).argmax(axis=1) == targets["labels"]
    assert found["acc"] == pytest.approx(correct.mean())


def test_batches_of_different_sizes_count_by_their_records():
    model, x, targets = case("rdpd")
    whole = model.evaluate(x, targets, batch_size=6, verbose=0, return_dict=True)
    parts = model.evaluate(x, targets, batch_size=4, verbose=0, return_dict=True)
    assert parts == pytest.approx(whole, rel=1e-5)


def test_a_teacher_learns_at_its_temperature():
    network = build_segment_rnn((24, 2), 4, SIZE, seed=1)
    model, (_, x, targets) = build_imitation(network, METHODS["direct"], hard_temperature=T), case("direct")
    logits = np.asarray(network(x)[0])
    expected = -log_softmax(logits / T, axis=1)[np.arange(6), targets["labels"]].mean()
    model.compile("adam")
    assert model.evaluate(x, targets, verbose=0, return_dict=True)["loss"] == pytest.approx(expected, rel=1e-5)


def test_training_moves_the_network_and_the_combination():
    model, x, targets = case("rdpd", per_class_bias=True)
    before = [weight.copy() for weight in model.get_weights()]
    losses = model.fit(x, targets, epochs=30, batch_size=6, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert all(not np.array_equal(old, new) for old, new in zip(before, model.get_weights()))


def test_an_exact_student_has_no_divergence():
    model, x, targets = case("rdpd-r2")
    logits, attention = model(x, training=False)
    targets |= {"teacher_logits": np.asarray(logits), "teacher_attention": np.asarray(attention)}
    found = model.evaluate(x, targets, verbose=0, return_dict=True)
    assert found["soft_kl"] == pytest.approx(0, abs=1e-5) and found["attention"] == pytest.approx(0, abs=1e-6)


def test_the_direction_of_attention_is_chosen():
    model, x, targets = case("rdpd-r2", direction="teacher-student")
    attention = np.asarray(model(x, training=False)[1], np.float64)
    expected = rel_entr(targets["teacher_attention"], attention).sum(axis=1).mean()
    found = model.evaluate(x, targets, verbose=0, return_dict=True)["attention"]
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_step_runs_in_a_graph():
    model, x, targets = case("rdpd")
    step = tf.function(model.train_step)
    logs = step((tf.constant(x), {name: tf.constant(value) for name, value in targets.items()}))
    assert set(logs) == {"loss", "acc", "hard", "soft", "attention", "combined", "soft_kl"}


def test_a_record_without_a_teacher_has_hard_and_combined_labels_alone():
    model, x, targets = case("rdpd")
    targets["has_teacher"] = np.array([1, 1, 0, 1, 0, 1], np.float32)
    found = model.evaluate(x, targets, batch_size=6, verbose=0, return_dict=True)
    logits, attention = (np.asarray(values, np.float64) for values in model(x)[:2])
    teacher = softmax(targets["teacher_logits"] / T, axis=1)
    soft = -(T**2) * (teacher * log_softmax(logits / T, axis=1)).sum(axis=1)
    of_attention = rel_entr(attention, targets["teacher_attention"]).sum(axis=1)
    assert found["soft"] == pytest.approx((soft * targets["has_teacher"]).sum() / 6, rel=1e-5)
    assert found["attention"] == pytest.approx((of_attention * targets["has_teacher"]).sum() / 6, rel=1e-4)
    expected = expected_terms((logits, attention), targets)
    for term in ("hard", "combined"):
        assert found[term] == pytest.approx(expected[term], rel=1e-5)

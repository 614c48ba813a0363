"""Gradient matching and distribution matching against what is worked out step by step."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from distillation.condensation.constraints import Constraint
from distillation.condensation.distribution_matching import DistributionMatching
from distillation.condensation.gradient_distance import gradient_distance
from distillation.condensation.gradient_matching import GradientMatching
from distillation.condensation.methods import settle_options
from distillation.condensation.networks import build_network, draw_weights, network_variables
from distillation.condensation.real_examples import RealExamples
from distillation.condensation.siamese_augmentation import SiameseAugmentation
from distillation.condensation.streams import WEIGHTS, stream
from distillation.condensation.synthetic_set import SyntheticSet, check_numbers
from transplant.errors import OptionError, TrainingError

SHAPE, CLASSES = (8, 8, 1), 3


def real_examples(n=30):
    rng = np.random.default_rng(0)
    y = np.arange(n) % CLASSES
    # A bright row each: instance normalisation would not see how bright an image is.
    x = rng.normal(0, 0.3, (n, *SHAPE))
    x[np.arange(n), 2 * y] += 3
    return RealExamples(x.astype(keras.config.floatx()), y, CLASSES)


def build(method, kind, augmentation=None, start="noise", **given):
    options = settle_options(method, {"ipc": 2, "seed": 3, **given})
    options = dataclasses.replace(options, scheme="uniform")
    real = real_examples()
    synthetic = SyntheticSet.begin(real, options.ipc, start, 1, options.soft_labels)
    model = build_network("convnet3", SHAPE, CLASSES, width=4)
    extra = {} if augmentation is None else {"augmentation": augmentation}
    return kind(real, synthetic, model, Constraint.none(), options, **extra), synthetic, model, real


def test_one_step_of_gradient_matching_by_hand(float64):
    run, synthetic, model, real = build("dc", GradientMatching, data_rate=0.1, outer_loops=1)
    before = synthetic.x.numpy()
    loss = run.step(1)["loss"]
    # All ten real examples of a class are in its batch; the network is the one of (seed, iteration).
    draw_weights(model, stream(3, WEIGHTS, 1), "uniform")
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def gradients(x, label):
        with tf.GradientTape() as tape:
            value = loss_of(np.full(x.shape[0], label), model(x))
        return tape.gradient(value, network_variables(model))

    x = tf.Variable(before)
    with tf.GradientTape() as tape:
        distances = [
            gradient_distance(
                gradients(tf.constant(real.x[real.y == label]), label), gradients(x[2 * label : 2 * label + 2], label)
            )
            for label in range(CLASSES)
        ]
        total = tf.add_n(distances)
    assert loss == pytest.approx(float(total) / CLASSES, rel=1e-9)
    np.testing.assert_allclose(synthetic.x.numpy(), before - 0.1 * tape.gradient(total, x), rtol=1e-6, atol=1e-9)


def test_the_network_is_trained_on_the_examples_between_two_matchings():
    run, synthetic, model, _ = build("dc", GradientMatching, outer_loops=2, inner_loops=3, data_rate=1e-12)
    run.step(1)
    trained = [weight.numpy() for weight in network_variables(model)]
    draw_weights(model, stream(3, WEIGHTS, 1), "uniform")
    weights, loss_of = network_variables(model), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for _ in range(3):  # the six examples are one batch, so their order does not matter
        with tf.GradientTape() as tape:
            loss = loss_of(synthetic.y, model(synthetic.x))
        for weight, gradient in zip(weights, tape.gradient(loss, weights)):
            weight.assign_sub(0.01 * gradient)
    for found, expected in zip(trained, weights):
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_one_step_of_distribution_matching_by_hand(float64):
    run, synthetic, model, real = build("dm", DistributionMatching, start="real", data_rate=0.5)
    before = synthetic.x.numpy()
    loss = run.step(1)["loss"]
    draw_weights(model, stream(3, WEIGHTS, 1), "uniform")
    features, x = model.get_layer("backbone"), tf.Variable(before)
    with tf.GradientTape() as tape:
        total = tf.add_n(
            [
                tf.reduce_sum(
                    tf.square(
                        tf.reduce_mean(features(real.x[real.y == label]), axis=0)
                        - tf.reduce_mean(features(x[2 * label : 2 * label + 2]), axis=0)
                    )
                )
                for label in range(CLASSES)
            ]
        )
    assert loss == pytest.approx(float(total), rel=1e-9)
    np.testing.assert_allclose(synthetic.x.numpy(), before - 0.5 * tape.gradient(total, x), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("method", "kind"), [("dc", GradientMatching), ("dm", DistributionMatching)])
def test_matching_moves_examples_towards_their_class(method, kind):
    run, synthetic, _, _ = build(method, kind, data_rate=1.0)
    # The same iteration has the same network and the same real examples: what is left is a descent.
    losses = [run.step(1)["loss"] for _ in range(60)]
    assert min(losses[-10:]) < 0.75 * losses[0]
    assert np.isfinite(synthetic.x.numpy()).all()


def test_soft_labels_are_learned_by_gradient_matching():
    run, synthetic, _, _ = build("dc", GradientMatching, soft_labels=True)
    before = synthetic.targets().numpy()
    np.testing.assert_allclose(before.max(axis=1), 0.9, rtol=1e-5)
    run.step(1)
    assert not np.array_equal(before, synthetic.targets().numpy())


def test_real_and_synthetic_examples_are_augmented_alike():
    """An example that equals its only real one has the gradient of that one under every transform.

    Under two transforms the distance is above 3 of 51 rows.
    """
    rng = np.random.default_rng(0)
    real = RealExamples(rng.normal(size=(CLASSES, *SHAPE)).astype(np.float32), np.arange(CLASSES), CLASSES)
    options = dataclasses.replace(settle_options("dsa", {"ipc": 1, "seed": 3, "data_rate": 1e-12}), scheme="uniform")
    synthetic = SyntheticSet.begin(real, 1, "real", 1)
    model = build_network("convnet3", SHAPE, CLASSES, width=16)
    run = GradientMatching(real, synthetic, model, Constraint.none(), options, SiameseAugmentation(SHAPE))
    for iteration in range(1, 12):
        assert run.step(iteration)["loss"] == pytest.approx(0, abs=1)


def test_numbers_that_are_none_are_named():
    with pytest.raises(TrainingError, match=r"iteration 7: the examples must be numbers\. Received: 1 of 2 values"):
        check_numbers("the examples", np.array([1.0, np.nan]), 7)


def test_options_of_other_methods_are_refused():
    with pytest.raises(OptionError, match="--method dm has no use for --inner-loops"):
        settle_options("dm", {"inner_loops": 3})
    with pytest.raises(OptionError, match="--ipc 5 for --distill-steps 2"):
        settle_options("vanilla", {"ipc": 5, "distill_steps": 2})
    with pytest.raises(OptionError, match="Received: mtt"):
        settle_options("mtt", {})
    with pytest.raises(OptionError, match="LOW HIGH"):
        settle_options("dc", {"clamp": (1, -1)})


@pytest.mark.parametrize(("ipc", "loops"), [(1, (1, 1)), (5, (1, 1)), (10, (10, 50)), (50, (50, 10)), (99, (50, 10))])
def test_loops_are_the_published_ones(ipc, loops):
    options = settle_options("dc", {"ipc": ipc})
    assert (options.outer_loops, options.inner_loops) == loops


def test_steps_of_vanilla_divide_the_examples():
    assert [settle_options("vanilla", {"ipc": ipc}).distill_steps for ipc in (1, 7, 10, 12, 50)] == [1, 7, 10, 6, 10]

"""Vanilla distillation: its gradient by finite differences through the whole unrolled training, and its course."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from distillation.condensation.constraints import Constraint
from distillation.condensation.learned_rates import LearnedRates
from distillation.condensation.methods import settle_options
from distillation.condensation.networks import build_network, draw_weights, network_variables
from distillation.condensation.real_examples import RealExamples
from distillation.condensation.synthetic_set import SyntheticSet
from distillation.condensation.twice_differentiable import GRAPH
from distillation.condensation.vanilla import VanillaDistillation

SHAPE, CLASSES = (5, 2), 3


def real_examples(n=30, seed=0, shape=SHAPE):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % CLASSES
    x = rng.normal(y.reshape(-1, *[1] * len(shape)), 0.3, (n, *shape))
    return RealExamples(x.astype(keras.config.floatx()), y, CLASSES)


def build(arch="mlp3", shape=SHAPE, **given):
    options = settle_options("vanilla", {"ipc": 2, "distill_epochs": 2, "first_rate": 0.1, "seed": 3} | given)
    options = dataclasses.replace(options, scheme=options.scheme or "uniform")
    real = real_examples(shape=shape)
    copies = options.distill_steps
    synthetic = SyntheticSet.begin(real, options.ipc // copies, "noise", 1, options.soft_labels, copies)
    model = build_network(arch, shape, CLASSES, compiler=GRAPH)
    return VanillaDistillation(real, synthetic, model, Constraint.none(), options), synthetic, model, real


def own_weights(model):
    return [tf.convert_to_tensor(weight) for weight in network_variables(model)]


def loss_by_hand(run, synthetic, model, real):
    """The loss after the steps, taken one by one on the network itself."""
    loss_of = keras.losses.CategoricalCrossentropy(from_logits=True)
    weights = network_variables(model)
    before = [weight.numpy() for weight in weights]
    rates, targets = run.rates.values().numpy(), synthetic.targets().numpy()
    per_step = len(synthetic.y) // 2
    for number in range(4):
        rows = slice(number % 2 * per_step, (number % 2 + 1) * per_step)
        with tf.GradientTape() as tape:
            loss = loss_of(targets[rows], model(synthetic.x.numpy()[rows]))
        for weight, gradient in zip(weights, tape.gradient(loss, weights)):
            weight.assign_sub(rates[number] * gradient)
    loss = float(loss_of(np.eye(CLASSES)[real.y], model(real.x)))
    for weight, value in zip(weights, before):
        weight.assign(value)
    return loss


@pytest.mark.parametrize("soft_labels", [False, True])
def test_the_gradient_goes_through_all_steps(float64, soft_labels):
    run, synthetic, model, real = build(soft_labels=soft_labels)
    draw_weights(model, 5, "uniform")
    (loss,), gradients = run._gradients([own_weights(model)], real.x, real.y)
    assert float(loss) == pytest.approx(loss_by_hand(run, synthetic, model, real), rel=1e-9)
    rng = np.random.default_rng(0)
    learned = [*synthetic.variables().values(), run.rates.raw]
    assert len(gradients) == len(learned) == (3 if soft_labels else 2)
    for variable, gradient in zip(learned, gradients):
        direction, value = rng.normal(size=variable.shape), variable.numpy()
        ends = []
        for sign in (1, -1):
            variable.assign(value + sign * 1e-6 * direction)
            ends.append(loss_by_hand(run, synthetic, model, real))
        variable.assign(value)
        difference = (ends[0] - ends[1]) / 2e-6
        assert float(np.sum(gradient.numpy() * direction)) == pytest.approx(difference, rel=1e-5)


@pytest.mark.parametrize(("arch", "shape"), [("lenet", (12, 12, 1)), ("cnn", (16, 2))])
def test_the_gradient_of_networks_side_by_side_is_the_sum_of_theirs(float64, arch, shape):
    run, synthetic, model, real = build(arch, shape, soft_labels=True)
    weights = [run.draw(1, network) for network in range(2)]
    losses, together = run._gradients(weights, real.x, real.y)
    alone = [run._gradients([of_network], real.x, real.y) for of_network in weights]
    for loss, of_network, ((own_loss,), _) in zip(losses, weights, alone):
        for variable, value in zip(network_variables(model), of_network):
            variable.assign(value)
        assert float(loss) == pytest.approx(loss_by_hand(run, synthetic, model, real), rel=1e-9)
        assert float(loss) == pytest.approx(float(own_loss), rel=1e-12)
    for gradient, *own in zip(together, *[gradients for _, gradients in alone]):
        assert np.abs(gradient).max() > 0
        np.testing.assert_allclose(gradient, sum(own), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("given", [{"init": "fixed"}, {"distill_epochs": 1}, {"soft_labels": True}])
def test_an_update_is_the_same_with_networks_side_by_side_or_in_turn(float64, given):
    found = []
    for in_turn in (False, True):
        run, synthetic, _, _ = build("lenet", (12, 12, 1), networks=3, **given)
        assert run._at_once == (4 if "distill_epochs" in given else 2)  # three networks: all, or two and one
        if in_turn:
            run._at_once = 1
        loss = run.step(1)["loss"]
        found.append([loss, synthetic.x.numpy(), run.rates.raw.numpy()])
    for one, other in zip(*found):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


def test_long_unrolled_training_is_traced_for_one_network():
    assert build("lenet", (12, 12, 1), distill_epochs=15)[0]._at_once == 1
    assert build("mlp3", distill_epochs=1)[0]._at_once == 1


def test_examples_of_a_step_hold_every_class_once():
    _, synthetic, _, _ = build(ipc=4, distill_steps=4)
    assert synthetic.y.tolist() == [0, 1, 2] * 4


def test_the_loss_of_fresh_networks_falls():
    run, _, _, _ = build(iterations=40, networks=2, data_rate=0.05, first_rate=1.0)
    losses = [run.step(iteration)["loss"] for iteration in range(1, 41)]
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])


def test_fixed_first_weights_are_always_the_same_and_fresh_ones_never():
    for init, same in (("fixed", True), ("random", False)):
        run, _, _, _ = build(init=init)
        assert np.array_equal(run.draw(1, 0)[0], run.draw(2, 0)[0]) == same
        assert np.array_equal(run.draw(1, 0)[0], run.draw(1, 1)[0]) == same


def test_the_rate_of_the_examples_is_halved():
    run, _, _, _ = build(decay_every=2, data_rate=0.08)
    found = []
    for iteration in range(1, 6):
        run.step(iteration)
        found.append(float(run.optimizer.learning_rate))
    np.testing.assert_allclose(found, [0.08, 0.08, 0.04, 0.04, 0.02], rtol=1e-6)


def test_learned_rates_begin_where_they_are_told_and_stay_positive():
    rates = LearnedRates(3, 0.02)
    np.testing.assert_allclose(rates.values().numpy(), 0.02, rtol=1e-5)
    rates.raw.assign([-50.0, 0.0, 50.0])
    assert (rates.values().numpy() > 0).all()

"""Vanilla dataset distillation: differentiate through the training itself.

A network takes T steps of gradient descent on synthetic examples, each with a learning rate of its own;
its loss on real examples is differentiated with respect to examples and rates, through all the steps.

Source: Wang et al., "Dataset distillation" (2018), algorithm 1.
"""

import keras
import numpy as np
import tensorflow as tf

from distillation.condensation.checkpoint import optimizer_state
from distillation.condensation.cross_entropy import cross_entropy
from distillation.condensation.learned_rates import LearnedRates
from distillation.condensation.networks import draw_weights, network_variables
from distillation.condensation.streams import BATCH, WEIGHTS, stream

FIXED = "fixed"


class VanillaDistillation:
    """One run of vanilla distillation.

    Args:
        real: `RealExamples`.
        synthetic: `SyntheticSet` whose copies are the steps.
        model: network, built.
        constraint: `Constraint`.
        options: `MethodOptions`: distill_steps, distill_epochs, init, networks, first_rate, data_rate,
            decay_every, real_batch, scheme, seed, learn_rates.
    """

    def __init__(self, real, synthetic, model, constraint, options):
        self._real, self.synthetic, self._model = real, synthetic, model
        self._constraint, self._options = constraint, options
        self._weights = network_variables(model)
        self._state = [variable.value for variable in model.non_trainable_variables]
        self.rates = LearnedRates(options.distill_steps * options.distill_epochs, options.first_rate)
        self._learned = [*synthetic.variables().values(), *([self.rates.raw] if options.learn_rates else [])]
        self.optimizer = keras.optimizers.Adam(float(options.data_rate), beta_1=0.5, beta_2=0.999)
        self.optimizer.build(self._learned)
        self._gradients = tf.function(self._differentiate, jit_compile=options.xla)

    def step(self, iteration):
        """Update examples and rates by the loss of networks trained on them.

        Args:
            iteration: from 1; with the options' seed it decides everything random.

        Returns:
            dict: "loss", on real examples after the T steps, the mean over networks.
        """
        options = self._options
        self.optimizer.learning_rate = options.data_rate * 0.5 ** ((iteration - 1) // options.decay_every)
        x, y = self._real.batch(options.real_batch, np.random.default_rng(stream(options.seed, BATCH, iteration)))
        x, losses, total = tf.constant(x), [], None
        for network in range(options.networks):
            self.draw(iteration, network)
            loss, gradients = self._gradients(x, y)
            losses.append(float(loss))
            total = gradients if total is None else [one + other for one, other in zip(total, gradients)]
        self.optimizer.apply([gradient / options.networks for gradient in total], self._learned)
        self._constraint.apply(self.synthetic.x)
        return {"loss": float(np.mean(losses))}

    def draw(self, iteration, network):
        """Give the network its first weights: always the same ones if they are fixed."""
        options = self._options
        which = () if options.init == FIXED else (iteration, network)
        draw_weights(self._model, stream(options.seed, WEIGHTS, *which), options.scheme)

    def variables(self):
        """Return dict name -> variable of what a run goes on from."""
        return self.synthetic.variables() | {"raw_rates": self.rates.raw} | optimizer_state(self.optimizer)

    def _differentiate(self, x, y):
        """Return the loss on real examples after all steps, and its gradients in what is learned."""
        per_step = self.synthetic.x.shape[0] // self._options.distill_steps
        real_targets = tf.one_hot(y, self._real.n_classes, dtype=self.synthetic.x.dtype)
        with tf.GradientTape() as tape:
            rates, targets = self.rates.values(), self.synthetic.targets()
            weights = [tf.convert_to_tensor(weight) for weight in self._weights]
            for number in range(self._options.distill_steps * self._options.distill_epochs):
                first = number % self._options.distill_steps * per_step
                rows = slice(first, first + per_step)
                weights = self._descend(weights, self.synthetic.x[rows], targets[rows], rates[number])
            loss = cross_entropy(real_targets, self._logits(weights, x))
        return loss, [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, self._learned)]

    def _descend(self, weights, x, targets, rate):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            loss = cross_entropy(targets, self._logits(weights, x))
        return [weight - rate * gradient for weight, gradient in zip(weights, tape.gradient(loss, weights))]

    def _logits(self, weights, x):
        return self._model.stateless_call(weights, self._state, x, training=False)[0]

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
from distillation.condensation.networks import drawn_weights
from distillation.condensation.side_by_side import SideBySide
from distillation.condensation.streams import BATCH, WEIGHTS, stream

FIXED = "fixed"
_DESCENTS = 8  # in one graph, where networks share layers: each takes a second or two to trace, and its memory


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
        self._networks = SideBySide(model)
        descents = options.distill_steps * options.distill_epochs
        self._at_once = max(1, _DESCENTS // descents) if self._networks.share_layers else 1
        self.rates = LearnedRates(descents, options.first_rate)
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
        for first in range(0, options.networks, self._at_once):
            networks = range(first, min(first + self._at_once, options.networks))
            of_networks, gradients = self._gradients([self.draw(iteration, network) for network in networks], x, y)
            losses += of_networks.numpy().tolist()
            total = gradients if total is None else [one + other for one, other in zip(total, gradients)]
        self.optimizer.apply([gradient / options.networks for gradient in total], self._learned)
        self._constraint.apply(self.synthetic.x)
        return {"loss": float(np.mean(losses))}

    def draw(self, iteration, network):
        """Return the first weights of a network, as a list of tensors: always the same ones if they are fixed."""
        options = self._options
        which = () if options.init == FIXED else (iteration, network)
        values = drawn_weights(self._model, stream(options.seed, WEIGHTS, *which), options.scheme)
        return [tf.constant(value, variable.dtype) for value, variable in zip(values, self._model.trainable_variables)]

    def variables(self):
        """Return dict name -> variable of what a run goes on from."""
        return self.synthetic.variables() | {"raw_rates": self.rates.raw} | optimizer_state(self.optimizer)

    def _differentiate(self, weights, x, y):
        """Return each network's loss on real examples after all steps, and their sum's gradients in what is learned."""
        per_step = self.synthetic.x.shape[0] // self._options.distill_steps
        real_targets = tf.one_hot(y, self._real.n_classes, dtype=self.synthetic.x.dtype)
        with tf.GradientTape() as tape:
            rates, targets = self.rates.values(), self.synthetic.targets()
            for number in range(self._options.distill_steps * self._options.distill_epochs):
                first = number % self._options.distill_steps * per_step
                rows = slice(first, first + per_step)
                weights = self._descend(weights, self.synthetic.x[rows], targets[rows], rates[number])
            losses = self._losses(weights, x, real_targets)
        return losses, [tf.convert_to_tensor(gradient) for gradient in tape.gradient(losses, self._learned)]

    def _descend(self, weights, x, targets, rate):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            losses = self._losses(weights, x, targets)
        # A network's loss depends on its own weights alone, so that the sum's gradients are those of each.
        gradients = tape.gradient(losses, weights)
        return tf.nest.map_structure(lambda weight, gradient: weight - rate * gradient, weights, gradients)

    def _losses(self, weights, x, targets):
        return tf.stack([cross_entropy(targets, logits) for logits in self._networks.logits(weights, x)])

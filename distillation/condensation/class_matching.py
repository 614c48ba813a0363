"""What the matching methods share: class by class, synthetic examples are moved towards what real ones do."""

import abc

import keras
import numpy as np
import tensorflow as tf

from distillation.condensation.checkpoint import optimizer_state
from distillation.condensation.networks import draw_weights
from distillation.condensation.siamese_augmentation import NO_AUGMENTATION
from distillation.condensation.streams import BATCH, WEIGHTS, stream


class ClassMatching(abc.ABC):
    """A method that compares a batch of real examples of each class with all its synthetic ones.

    A subclass says what is compared, in `of_real` and `distance`, and when, in `step`.

    Args:
        real: `RealExamples`.
        synthetic: `SyntheticSet` with one copy.
        model: network, built.
        constraint: `Constraint`.
        options: `MethodOptions`: data_rate, data_momentum, real_batch, scheme, seed, and those of the method.
        augmentation: `SiameseAugmentation`. Defaults to none.
    """

    def __init__(self, real, synthetic, model, constraint, options, augmentation=NO_AUGMENTATION):
        self.real, self.synthetic, self.model, self.options = real, synthetic, model, options
        self._constraint, self._augmentation = constraint, augmentation
        self.learned = list(synthetic.variables().values())
        self.optimizer = keras.optimizers.SGD(float(options.data_rate), momentum=options.data_momentum)
        self.optimizer.build(self.learned)
        # One small graph that serves every class: the fastest form on a CPU, and traced once.
        self.class_gradients = tf.function(self._differentiate, reduce_retracing=True, jit_compile=options.xla)

    @abc.abstractmethod
    def of_real(self, batch, label):
        """Return what is known of real examples (n, *shape) of a class, of which nothing is differentiated."""

    @abc.abstractmethod
    def distance(self, of_real, x, targets):
        """Return how far synthetic examples with label probabilities are from it, a scalar tensor."""

    def begin(self, iteration):
        """Give the network the fresh weights of an iteration; return the generator of its batches."""
        seed = self.options.seed
        draw_weights(self.model, stream(seed, WEIGHTS, iteration), self.options.scheme)
        return np.random.default_rng(stream(seed, BATCH, iteration))

    def match(self, rng):
        """Move the examples of all classes once; return the list of their distances before.

        Args:
            rng: `np.random.Generator`.
        """
        losses, gradients = [], [tf.zeros_like(variable) for variable in self.learned]
        for label in range(self.real.n_classes):
            choice, draws = self._augmentation.draw(rng)
            batch = tf.constant(self.real.class_batch(label, self.options.real_batch, rng))
            loss, of_class = self.class_gradients(batch, tf.constant(label), choice, draws)
            losses.append(float(loss))
            gradients = [total + part for total, part in zip(gradients, of_class)]
        # Classes' examples are disjoint, so that one update of all is an update of each.
        self.optimizer.apply(gradients, self.learned)
        self._constraint.apply(self.synthetic.x)
        return losses

    def variables(self):
        """Return dict name -> variable of what a run goes on from."""
        return self.synthetic.variables() | optimizer_state(self.optimizer)

    def _differentiate(self, real_batch, label, choice, draws):
        """Return the distance of a class, and its gradients in what is learned."""
        of_real = self.of_real(self._augmentation(real_batch, choice, draws), label)
        with tf.GradientTape() as tape:
            x, targets = self.synthetic.of_class(label)
            loss = self.distance(of_real, self._augmentation(x, choice, draws), targets)
        return loss, [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, self.learned)]

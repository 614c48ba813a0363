"""Gradient matching (DC), and with siamese augmentation DSA.

Synthetic examples are moved until they teach a network what real ones teach it: its gradient on the
synthetic examples of a class points where that on real ones does, at fresh networks and all along their
training on the synthetic set.

Source: Zhao et al., "Dataset condensation with gradient matching" (2021), algorithm 1; Zhao and Bilen,
"Dataset condensation with differentiable siamese augmentation" (2021).
"""

import numpy as np
import tensorflow as tf

from distillation.condensation.class_matching import ClassMatching
from distillation.condensation.cross_entropy import cross_entropy
from distillation.condensation.gradient_distance import gradient_distance
from distillation.condensation.network_training import NetworkTrainer
from distillation.condensation.networks import network_variables
from distillation.condensation.siamese_augmentation import NO_AUGMENTATION


class GradientMatching(ClassMatching):
    """One run of DC, or with an augmentation of DSA.

    Arguments are those of `ClassMatching`; of the options it also takes outer_loops, inner_loops and network_rate.
    """

    def __init__(self, real, synthetic, model, constraint, options, augmentation=NO_AUGMENTATION):
        super().__init__(real, synthetic, model, constraint, options, augmentation)
        self._weights = network_variables(model)
        self._trainer = NetworkTrainer(model, options.network_rate, augmentation=augmentation)

    def step(self, iteration):
        """Begin with a fresh network, and match its gradients while it is trained on the synthetic set.

        Args:
            iteration: from 1; with the options' seed it decides everything random.

        Returns:
            dict: "loss", the distance of a class and step on average.
        """
        rng, losses = self.begin(iteration), []
        for outer in range(self.options.outer_loops):
            losses += self.match(rng)
            if outer < self.options.outer_loops - 1:
                self._trainer.train(self.synthetic.x, self.synthetic.targets(), self.options.inner_loops, rng)
        return {"loss": float(np.mean(losses))}

    def of_real(self, batch, label):
        """Return the network's gradients on real examples of a class."""
        labels = tf.fill(tf.shape(batch)[:1], label)
        return self._gradients(batch, tf.one_hot(labels, self.real.n_classes, dtype=batch.dtype))

    def distance(self, of_real, x, targets):
        """Return how far the gradients on synthetic examples are from those."""
        return gradient_distance(of_real, self._gradients(x, targets))

    def _gradients(self, x, targets):
        with tf.GradientTape() as tape:
            loss = cross_entropy(targets, self.model(x, training=False))
        return tape.gradient(loss, self._weights)

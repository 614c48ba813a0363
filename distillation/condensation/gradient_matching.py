"""Gradient matching (DC), and with siamese augmentation DSA.

Synthetic examples are moved until they teach a network what real ones teach it: its gradient on the
synthetic examples of a class points where that on real ones does, at fresh networks and all along their
training on the synthetic set.

Source: Zhao et al., "Dataset condensation with gradient matching" (2021), algorithm 1; Zhao and Bilen,
"Dataset condensation with differentiable siamese augmentation" (2021).
"""

import keras
import numpy as np
import tensorflow as tf

from distillation.condensation.cross_entropy import cross_entropy
from distillation.condensation.gradient_distance import gradient_distance
from distillation.condensation.network_training import NetworkTrainer
from distillation.condensation.networks import draw_weights, network_variables
from distillation.condensation.siamese_augmentation import SiameseAugmentation
from distillation.condensation.streams import BATCH, WEIGHTS, stream


class GradientMatching:
    """One run of DC or DSA.

    Args:
        real: `RealExamples`.
        synthetic: `SyntheticSet` with one copy.
        model: network, built.
        constraint: `Constraint`.
        options: `MethodOptions`: outer_loops, inner_loops, data_rate, data_momentum, network_rate,
            real_batch, scheme, seed.
        augmentation: `SiameseAugmentation` for DSA. Defaults to None: DC.
    """

    def __init__(self, real, synthetic, model, constraint, options, augmentation=None):
        self._real, self._synthetic, self._model = real, synthetic, model
        self._constraint, self._options, self._augmentation = constraint, options, augmentation
        self._weights = network_variables(model)
        self.learned = list(synthetic.variables().values())
        self.optimizer = keras.optimizers.SGD(float(options.data_rate), momentum=options.data_momentum)
        self.optimizer.build(self.learned)
        self._trainer = NetworkTrainer(model, options.network_rate, augmentation=augmentation)
        # One small graph that serves every class: the fastest form on a CPU, and traced once.
        self.class_gradients = tf.function(self._class_distance, reduce_retracing=True)

    def step(self, iteration):
        """Begin with a fresh network, and match its gradients while it is trained on the synthetic set.

        Args:
            iteration: from 1; with the options' seed it decides everything random.

        Returns:
            dict: "loss", the distance of a class and step on average.
        """
        options, rng = self._options, np.random.default_rng(stream(self._options.seed, BATCH, iteration))
        draw_weights(self._model, stream(options.seed, WEIGHTS, iteration), options.scheme)
        losses = []
        for outer in range(options.outer_loops):
            gradients = [tf.zeros_like(variable) for variable in self.learned]
            for label in range(self._real.n_classes):
                choice, draws = self._augmentation.draw(rng) if self._augmentation else SiameseAugmentation.nothing()
                batch = tf.constant(self._real.class_batch(label, options.real_batch, rng))
                loss, of_class = self.class_gradients(batch, tf.constant(label), choice, draws)
                losses.append(float(loss))
                gradients = [total + part for total, part in zip(gradients, of_class)]
            # Classes' examples are disjoint, so that one update of all is an update of each.
            self.optimizer.apply(gradients, self.learned)
            self._constraint.apply(self._synthetic.x)
            if outer < options.outer_loops - 1:
                self._trainer.train(self._synthetic.x, self._synthetic.targets(), options.inner_loops, rng)
        return {"loss": float(np.mean(losses))}

    def variables(self):
        """Return dict name -> variable of what a run goes on from."""
        state = {f"optimizer/{i}": variable for i, variable in enumerate(self.optimizer.variables)}
        return self._synthetic.variables() | state

    def _class_distance(self, real_batch, label, choice, draws):
        """Return the distance of a class, and its gradients in what is learned."""
        if self._augmentation:
            real_batch = self._augmentation(real_batch, choice, draws)
        labels = tf.fill(tf.shape(real_batch)[:1], label)
        one_hot = tf.one_hot(labels, self._real.n_classes, dtype=real_batch.dtype)
        of_real = self._network_gradients(real_batch, one_hot)
        with tf.GradientTape() as tape:
            x, targets = self._synthetic.of_class(label)
            if self._augmentation:
                x = self._augmentation(x, choice, draws)
            loss = gradient_distance(of_real, self._network_gradients(x, targets))
        found = tape.gradient(loss, self.learned)
        return loss, [tf.convert_to_tensor(gradient) for gradient in found]

    def _network_gradients(self, x, targets):
        with tf.GradientTape() as tape:
            loss = cross_entropy(targets, self._model(x, training=False))
        return tape.gradient(loss, self._weights)

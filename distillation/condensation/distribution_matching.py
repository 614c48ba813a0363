"""Distribution matching (DM): the mean features of a class's synthetic examples are moved to those of its real ones.

Networks are fresh and stay untrained, and nothing is differentiated twice: the cheapest method.

Source: Zhao and Bilen, "Dataset condensation with distribution matching" (2023), algorithm 1.
"""

import keras
import numpy as np
import tensorflow as tf

from distillation.condensation.networks import draw_weights
from distillation.condensation.siamese_augmentation import SiameseAugmentation
from distillation.condensation.streams import BATCH, WEIGHTS, stream


class DistributionMatching:
    """One run of DM.

    Args:
        real: `RealExamples`.
        synthetic: `SyntheticSet` with one copy; its labels are the classes.
        model: network, built.
        constraint: `Constraint`.
        options: `MethodOptions`: data_rate, data_momentum, real_batch, scheme, seed.
        augmentation: `SiameseAugmentation`, or None.
    """

    def __init__(self, real, synthetic, model, constraint, options, augmentation=None):
        self._real, self._synthetic, self._model = real, synthetic, model
        self._constraint, self._options, self._augmentation = constraint, options, augmentation
        self._features = model.get_layer("backbone")
        self._learned = [synthetic.x]
        self.optimizer = keras.optimizers.SGD(float(options.data_rate), momentum=options.data_momentum)
        self.optimizer.build(self._learned)
        self._step = tf.function(self._class_distance, reduce_retracing=True)

    def step(self, iteration):
        """Match the mean features of all classes in one fresh network.

        Args:
            iteration: from 1; with the options' seed it decides everything random.

        Returns:
            dict: "loss", the squared distance of the means, summed over classes.
        """
        rng = np.random.default_rng(stream(self._options.seed, BATCH, iteration))
        draw_weights(self._model, stream(self._options.seed, WEIGHTS, iteration), self._options.scheme)
        total, gradient = 0.0, tf.zeros_like(self._synthetic.x)
        for label in range(self._real.n_classes):
            choice, draws = self._augmentation.draw(rng) if self._augmentation else SiameseAugmentation.nothing()
            batch = tf.constant(self._real.class_batch(label, self._options.real_batch, rng))
            loss, of_class = self._step(batch, tf.constant(label), choice, draws)
            total, gradient = total + float(loss), gradient + of_class
        self.optimizer.apply([gradient], self._learned)
        self._constraint.apply(self._synthetic.x)
        return {"loss": total}

    def variables(self):
        """Return dict name -> variable of what a run goes on from."""
        state = {f"optimizer/{i}": variable for i, variable in enumerate(self.optimizer.variables)}
        return self._synthetic.variables() | state

    def _class_distance(self, real_batch, label, choice, draws):
        """Return the squared distance of a class's mean features, and its gradient in all examples."""
        if self._augmentation:
            real_batch = self._augmentation(real_batch, choice, draws)
        real_mean = tf.reduce_mean(self._features(real_batch, training=False), axis=0)
        with tf.GradientTape() as tape:
            x, _ = self._synthetic.of_class(label)
            if self._augmentation:
                x = self._augmentation(x, choice, draws)
            mean = tf.reduce_mean(self._features(x, training=False), axis=0)
            loss = tf.reduce_sum(tf.square(real_mean - mean))
        return loss, tf.convert_to_tensor(tape.gradient(loss, self._learned)[0])

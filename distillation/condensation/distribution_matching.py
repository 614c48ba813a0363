"""Distribution matching (DM): the mean features of a class's synthetic examples are moved to those of its real ones.

Networks are fresh and stay untrained, and nothing is differentiated twice: the cheapest method.

Source: Zhao and Bilen, "Dataset condensation with distribution matching" (2023), algorithm 1.
"""

import tensorflow as tf

from distillation.condensation.class_matching import ClassMatching


class DistributionMatching(ClassMatching):
    """One run of DM; the labels of the synthetic set are the classes. Arguments are those of `ClassMatching`."""

    def step(self, iteration):
        """Match the mean features of all classes in one fresh network.

        Args:
            iteration: from 1; with the options' seed it decides everything random.

        Returns:
            dict: "loss", the squared distance of the means, summed over classes.
        """
        return {"loss": sum(self.match(self.begin(iteration)))}

    def of_real(self, batch, label):
        """Return the mean features of real examples."""
        return self._mean_features(batch)

    def distance(self, of_real, x, targets):
        """Return the squared distance of the means."""
        return tf.reduce_sum(tf.square(of_real - self._mean_features(x)))

    def _mean_features(self, x):
        return tf.reduce_mean(self.model.get_layer("backbone")(x, training=False), axis=0)

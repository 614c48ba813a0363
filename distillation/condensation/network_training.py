"""Training of a network on a synthetic set, which is small enough to be a tensor."""

import tensorflow as tf

from distillation.condensation.cross_entropy import cross_entropy
from distillation.condensation.networks import network_variables
from distillation.condensation.siamese_augmentation import NO_AUGMENTATION

BATCH = 256


class NetworkTrainer:
    """Trains one network, again and again from fresh weights, by gradient descent.

    Args:
        model: network, built.
        rate: learning rate.
        momentum: of the gradient. Defaults to 0.
        weight_decay: added to the gradient, times the weights, as in PyTorch's SGD. Defaults to 0.
        augmentation: `SiameseAugmentation`, drawn for each example of each batch. Defaults to none.
        training: whether dropout is on. Defaults to True.
    """

    def __init__(self, model, rate, momentum=0.0, weight_decay=0.0, augmentation=NO_AUGMENTATION, training=True):
        self._model, self._augmentation, self._training = model, augmentation, training
        self._weights = network_variables(model)
        self.rate = tf.Variable(rate, dtype=tf.float32, trainable=False)
        self._momentum, self._weight_decay = momentum, weight_decay
        self._velocities = [tf.Variable(tf.zeros_like(weight), trainable=False) for weight in self._weights]
        self._step = tf.function(self._descend, reduce_retracing=True)

    def reset(self):
        """Forget the momentum, for a network with fresh weights."""
        for velocity in self._velocities:
            velocity.assign(tf.zeros_like(velocity))

    def train(self, x, targets, epochs, rng):
        """Train for epochs over all examples in a new order each, in batches of 256.

        Args:
            x: tensor (examples, *shape).
            targets: tensor of probabilities (examples, classes).
            epochs: how many.
            rng: `np.random.Generator` of orders and augmentation.
        """
        n = x.shape[0]
        for _ in range(epochs):
            order = rng.permutation(n)
            for first in range(0, n, BATCH):
                rows = order[first : first + BATCH]
                self._step(tf.gather(x, rows), tf.gather(targets, rows), *self._augmentation.draw(rng, len(rows)))

    def step(self, x, targets):
        """Take one step on a batch as it is, of a trainer without augmentation."""
        x, targets = tf.convert_to_tensor(x, tf.float32), tf.convert_to_tensor(targets, tf.float32)
        self._step(x, targets, *NO_AUGMENTATION.draw(None))

    def _descend(self, x, targets, choice, draws):
        x = self._augmentation(x, choice, draws)
        with tf.GradientTape() as tape:
            loss = cross_entropy(targets, self._model(x, training=self._training))
        for weight, velocity, gradient in zip(self._weights, self._velocities, tape.gradient(loss, self._weights)):
            gradient = gradient + self._weight_decay * weight if self._weight_decay else gradient
            if self._momentum:
                velocity.assign(self._momentum * velocity + gradient)
                gradient = velocity
            weight.assign_sub(self.rate * gradient)
        return loss

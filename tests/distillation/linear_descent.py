"""Gradient descent on multinomial logistic regression, written out in numpy: the oracle of networks named logistic."""

import numpy as np


def softmax(logits):
    """Return probabilities (records, classes)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


class LinearDescent:
    """Weights that follow the gradient of the mean cross-entropy.

    Args:
        kernel, bias: first weights (values, classes) and (classes,).
        momentum: of the gradient. Defaults to 0.
        decay: added to the gradient, times the weights. Defaults to 0.
    """

    def __init__(self, kernel, bias, momentum=0.0, decay=0.0):
        self.weights = [np.array(kernel, np.float64), np.array(bias, np.float64)]
        self._velocities = [np.zeros_like(weight) for weight in self.weights]
        self._momentum, self._decay = momentum, decay

    def step(self, x, targets, rate):
        """Take one step on records (records, *shape) and label probabilities (records, classes)."""
        x = np.asarray(x, np.float64).reshape(len(x), -1)
        error = (self.probabilities(x) - targets) / len(x)
        for weight, velocity, gradient in zip(self.weights, self._velocities, (x.T @ error, error.sum(axis=0))):
            velocity *= self._momentum
            velocity += gradient + self._decay * weight
            weight -= rate * velocity

    def probabilities(self, x):
        """Return what the weights of now say of records."""
        kernel, bias = self.weights
        return softmax(np.asarray(x, np.float64).reshape(len(x), -1) @ kernel + bias)

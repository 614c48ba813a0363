"""A moving average of the weights, beside the weights that are trained."""

import contextlib

import keras
import tensorflow as tf

from transplant.training.weights import is_random_state, named_variables


class WeightAverage:
    """Averages a model's weights over the training steps, exponentially.

    After step t: average += (1 - d) (weights - average), d = min(decay, (1 + t) / (10 + t)),
    so that a short run does not end on its initial weights. The moving moments of
    batch normalisation are averaged alike: they belong to the weights of the
    same steps. Training itself never sees the average.

    Create it inside the scope of the strategy that the model was built in.

    Args:
        model: built and compiled `keras.Model`.
        decay: in (0, 1), e.g. 0.999.

    Source: Polyak and Juditsky (1992); the rule for d is that of TensorFlow's
    `tf.train.ExponentialMovingAverage`.
    """

    def __init__(self, model, decay):
        self._decay = decay
        self._strategy = model.distribute_strategy
        self._steps = model.optimizer.iterations
        self._variables = [v for key, v in named_variables(model).items() if not is_random_state(key)]
        self._averages = [keras.Variable(_array(v), dtype=v.dtype, trainable=False) for v in self._variables]

    def update(self):
        """Take in the weights after a training step; part of the step's graph."""
        steps = tf.cast(self._steps.value, tf.float32)
        share = 1.0 - tf.minimum(self._decay, (1.0 + steps) / (10.0 + steps))

        def move(average, weight):
            average.assign_sub((average - weight) * tf.cast(share, average.dtype))

        for average, variable in zip(self._averages, self._variables):
            self._strategy.extended.update(average.value, move, args=(variable.value,))

    @contextlib.contextmanager
    def applied(self):
        """Give the model the averages inside the block, and its own weights back after it."""
        own = [_array(v) for v in self._variables]
        _assign(self._variables, [_array(a) for a in self._averages])
        try:
            yield
        finally:
            _assign(self._variables, own)

    def take_over(self):
        """Set the averages to the model's weights as they are now."""
        _assign(self._averages, [_array(v) for v in self._variables])


def _array(variable):
    return keras.ops.convert_to_numpy(variable)


def _assign(variables, values):
    for variable, value in zip(variables, values):
        variable.assign(value)

"""Several networks of one architecture on the same records: their first convolutions are one.

A processor adds sixteen float32 numbers at once, and LeNet's first convolution has six filters. Networks that see
the same records can have theirs in one convolution with the filters of all, whatever their weights are.
"""

import itertools

import keras
import tensorflow as tf

from transplant.modules.block_max_pooling import BlockMaxPooling
from transplant.modules.narrow_convolution import LANES

_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D)
_POOLINGS = (
    keras.layers.AveragePooling1D,
    keras.layers.AveragePooling2D,
    keras.layers.MaxPooling1D,
    keras.layers.MaxPooling2D,
    BlockMaxPooling,
)


class SideBySide:
    """The logits of several networks on the same records.

    The layers of one model serve them all. Where it begins with a convolution of fewer than 16 filters, that layer,
    its pooling and its ReLU are computed for all networks at once; what follows, and any other model, for one
    after the other. Values and derivatives are the same either way, to rounding.

    Args:
        model: network of `build_network`.

    Attributes:
        share_layers: whether networks side by side are any faster.

    Example:
        >>> model = build_network("lenet", (28, 28, 1), 10)
        >>> weights = [[tf.constant(value) for value in drawn_weights(model, seed, "xavier")] for seed in (1, 2)]
        >>> [logits.shape for logits in SideBySide(model).logits(weights, tf.zeros((5, 28, 28, 1)))]
        [TensorShape([5, 10]), TensorShape([5, 10])]
    """

    def __init__(self, model):
        backbone = model.get_layer("backbone")
        self._model, (_, first, *others) = model, backbone.layers
        self.share_layers = isinstance(first, _CONVOLUTIONS) and first.filters < LANES  # as many leave none idle
        if self.share_layers:
            # A pooling adds the same bias to all it pools: of the fewer values that it leaves, that is the same.
            linear = first.activation is keras.activations.linear
            self._convolution, self._poolings = first, _leading(others, _POOLINGS) if linear else []
            self._others = _leading(others[len(self._poolings) :], (*_POOLINGS, keras.layers.ReLU))
            self._tail = keras.Model([first, *self._poolings, *self._others][-1].output, backbone.output)
            self._head = model.get_layer("head")

    def logits(self, weights, x):
        """Return the logits of every network.

        Args:
            weights: list of the networks' lists of tensors, in the order of the model's trainable variables.
            x: records, (batch, *input_shape).

        Returns:
            list of tensors (batch, classes).
        """
        if len(weights) == 1 or not self.share_layers:
            return [_output(self._model, of_network, x) for of_network in weights]
        kernels, biases = (tf.concat(parts, -1) for parts in zip(*[of_network[:2] for of_network in weights]))
        joint = self._convolution.convolution_op(x, kernels)
        for pooling in self._poolings:
            joint = pooling(joint)
        joint = self._convolution.activation(tf.nn.bias_add(joint, biases))
        for layer in self._others:
            joint = layer(joint)
        shares = tf.split(joint, len(weights), axis=-1)
        return [
            _output(self._head, of_network[-2:], _output(self._tail, of_network[2:-2], share))
            for of_network, share in zip(weights, shares)
        ]


def _leading(layers, kinds):
    """Return the layers before the first that is none of these kinds."""
    return list(itertools.takewhile(lambda layer: isinstance(layer, kinds), layers))


def _output(layer, weights, x):
    state = [variable.value for variable in layer.non_trainable_variables]
    return layer.stateless_call(weights, state, x, training=False)[0]

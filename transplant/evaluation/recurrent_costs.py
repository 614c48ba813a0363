"""What recurrent layers cost: the work of one step, as often as there are steps.

All steps are counted, those that a mask leaves out too: a padded record takes as
long as a full one.
"""

import math

import keras

from transplant.evaluation.activation_costs import activation_cost
from transplant.evaluation.cost_terms import NoRuleError, elementwise, multiply_adds

RECURRENT_LAYERS = (keras.layers.RNN, keras.layers.GRU, keras.layers.LSTM, keras.layers.SimpleRNN)


def gru_unit(cell):
    """Return the element-wise operations of a unit of a GRU for one step.

    They are both gates' activations, the candidate's, the product with the
    reset gate, and z * h + (1 - z) * candidate: 19 with sigmoid and tanh. With
    `reset_after` the sums over input and state are apart, and three more
    additions join them and their second bias; without biases one.
    """
    operations = 2 * activation_cost(cell.recurrent_activation) + activation_cost(cell.activation) + 1 + 4
    if cell.reset_after:
        operations += 3 if cell.use_bias else 1
    return operations


def lstm_unit(cell):
    """Return the element-wise operations of a unit of an LSTM for one step.

    They are three gates' activations, the candidate's, f * c + i * candidate, and
    o * activation(c): 28 with sigmoid and tanh.
    """
    return 3 * activation_cost(cell.recurrent_activation) + 2 * activation_cost(cell.activation) + 3 + 1


def simple_unit(cell):
    """Return the element-wise operations of a unit of a plain recurrent cell for one step: its activation."""
    return activation_cost(cell.activation)


_UNITS = {
    keras.layers.GRUCell: gru_unit,
    keras.layers.LSTMCell: lstm_unit,
    keras.layers.SimpleRNNCell: simple_unit,
}


def recurrent_terms(layer, inputs, outputs):
    """The products of a cell with input and state at every step, and its element-wise work."""
    cell = layer.cell
    if type(cell) not in _UNITS:
        raise NoRuleError(f"no rule for the cell {type(cell).__name__}")
    batch, steps, features = inputs[0].shape
    # A kernel has the weights of all gates side by side.
    width = cell.recurrent_kernel.shape[-1]
    return [
        multiply_adds(batch * steps, width, features + cell.units),
        *elementwise("gates", _UNITS[type(cell)](cell), batch * steps, cell.units),
    ]


def bidirectional_terms(layer, inputs, outputs):
    """A recurrent layer in both directions, and how their outputs are joined."""
    directions = (layer.forward_layer, layer.backward_layer)
    if any(type(direction) not in RECURRENT_LAYERS for direction in directions):
        raise NoRuleError(f"no rule for {type(layer.forward_layer).__name__} in two directions")
    # Of a sum and a product there is one operation a value, of a mean two; outputs side by side are none.
    each = {"sum": 1, "mul": 1, "ave": 2}.get(layer.merge_mode, 0)
    return [
        *(term for direction in directions for term in recurrent_terms(direction, inputs, outputs)),
        *elementwise("merge", each, math.prod(outputs[0].shape)),
    ]

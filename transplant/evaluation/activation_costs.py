"""Operations of activation functions, for one value each."""

import keras

from transplant.evaluation.cost_terms import NoRuleError, elementwise

# As they are written with exponentials: a sigmoid 1 / (1 + exp(-x)) negates, exponentiates, adds and divides; a tanh
# (exp(x) - exp(-x)) / (exp(x) + exp(-x)) negates, exponentiates twice, subtracts, adds and divides; a softmax compares
# every value for the maximum, subtracts it, exponentiates, adds and divides.
_COSTS = {
    "linear": 0,
    "relu": 1,
    "relu6": 2,
    "leaky_relu": 2,
    "elu": 4,
    "exponential": 1,
    "softplus": 3,
    "softsign": 3,
    "hard_sigmoid": 4,
    "sigmoid": 4,
    "silu": 5,
    "tanh": 6,
    "softmax": 5,
}


def activation_cost(activation):
    """Return the operations of an activation for one value.

    Args:
        activation: the function, as a layer keeps it.

    Raises:
        NoRuleError: if nothing says what it costs.
    """
    name = activation_name(activation)
    # A function of one's own may have the name of one of Keras'.
    if name not in _COSTS or activation is not getattr(keras.activations, name):
        raise NoRuleError(f"no rule for the activation {name}")
    return _COSTS[name]


def activation_terms(activation, *times):
    """Return the terms of an activation of so many values.

    Args:
        activation: the function, as a layer keeps it.
        *times: number of values, as factors.

    Raises:
        NoRuleError: if nothing says what it costs.
    """
    return elementwise(activation_name(activation), activation_cost(activation), *times)


def activation_name(activation):
    """Return what an activation is called."""
    return getattr(activation, "__name__", type(activation).__name__)

"""What operations cost that are joined to a network without a layer, such as those that make masks."""

import math

from transplant.evaluation.cost_terms import NoRuleError, elementwise

# Operations for each value of the result. Keras has no public names for their classes.
_PER_OUTPUT = {
    **dict.fromkeys(("Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Maximum", "Minimum"), 1),
    **dict.fromkeys(("Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual"), 1),
    **dict.fromkeys(("Exp", "Log", "Sqrt", "Square", "Abs", "Absolute", "Negative"), 1),
    **dict.fromkeys(("Any", "All", "LogicalAnd", "LogicalOr", "LogicalNot", "Where"), 0),
    **dict.fromkeys(("GetItem", "Cast", "Reshape", "Transpose", "ExpandDims", "Squeeze", "Concatenate", "Stack"), 0),
}
# Operations for each value that goes in.
_PER_INPUT = {"Sum": 1, "Mean": 1, "Max": 1, "Min": 1}


def operation_terms(operation, inputs, outputs):
    """Return what an operation of Keras that is no layer computes.

    Args:
        operation: a `keras.Operation`.
        inputs, outputs: lists of `keras.KerasTensor` with all sizes known.

    Returns:
        List of `Term`; empty where nothing is computed.

    Raises:
        NoRuleError: if nothing says what it costs.
    """
    name = type(operation).__name__
    if type(operation).__module__.startswith("keras."):
        for costs, tensors in ((_PER_OUTPUT, outputs), (_PER_INPUT, inputs)):
            if name in costs:
                return elementwise(name, costs[name], sum(math.prod(tensor.shape) for tensor in tensors))
    raise NoRuleError("no rule for this operation")

"""A course's count of its three networks for seizures, beside the right one.

The course gives 2,949 parameters and 5,920 operations for its MLP, 949 and
344,768 for its GRU, and 84,851 and 194,242 for its CNN, without the working.
The figures for MLP and GRU are right by the convention of this package
(`transplant.evaluation.cost_terms`). Those for the CNN follow from the same
convention and one mistake: it counts a convolution as if it read one channel
and had no bias,

    parameters = kernel size x filters
    operations = positions x filters x (2 x kernel size - 1)

where right are (kernel size x channels + 1) x filters and positions x filters x
2 x kernel size x channels. The rule is inferred: it is the one that gives both
figures exactly and treats ReLU, pooling and dense layers alike everywhere.
(Counting the bias, but not the ReLU, of a convolution gives the same sum.)
"""

import dataclasses
import math

import keras

from transplant.errors import OptionError
from transplant.evaluation.activation_costs import activation_name, activation_terms
from transplant.evaluation.complexity_counts import (
    CONVENTION,
    LayerCost,
    calculation_table,
    left_aligned_table,
    report_of_calls,
)
from transplant.evaluation.cost_terms import elementwise, sum_operations
from transplant.evaluation.layer_calls import layer_calls

_COUNTED = (
    keras.layers.InputLayer,
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.Dropout,
    keras.layers.Dense,
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.Conv1D,
    keras.layers.MaxPooling1D,
    keras.layers.GRU,
)
_ACTIVATIONS = ("linear", "relu", "sigmoid")


@dataclasses.dataclass(frozen=True)
class CourseLayer:
    """What a layer costs, and what the course counts.

    Attributes:
        right: its `LayerCost`.
        weight_shapes: of the parameters that the course counts.
        terms: tuple of `Term` that the course counts.
        mistakes: what the course leaves out, in words.
    """

    right: LayerCost
    weight_shapes: tuple
    terms: tuple
    mistakes: tuple = ()

    @property
    def parameters(self):
        """Parameters as the course counts them."""
        return sum(math.prod(shape) for shape in self.weight_shapes)

    @property
    def operations(self):
        """Floating-point operations as the course counts them."""
        return sum_operations(self.terms)


@dataclasses.dataclass(frozen=True)
class CourseReport:
    """The course's count of a model beside the right one. It prints itself as a table.

    Attributes:
        name: of the model.
        input_shapes: tuple of shapes without the batch.
        layers: tuple of `CourseLayer`.
    """

    name: str
    input_shapes: tuple
    layers: tuple

    @property
    def totals(self):
        """Sums over all layers, as a dict: those of the course, and the right ones."""
        return {
            "parameters": sum(layer.parameters for layer in self.layers),
            "operations": sum(layer.operations for layer in self.layers),
            "right_parameters": sum(layer.right.parameters for layer in self.layers),
            "right_operations": sum(layer.right.operations for layer in self.layers),
        }

    def to_dict(self):
        """Return a JSON-ready dict: model, input_shapes, totals, layers, mistakes."""
        return {
            "model": self.name,
            "input_shapes": [list(shape) for shape in self.input_shapes],
            "totals": self.totals,
            "layers": [
                layer.right.to_dict()
                | {"course_parameters": layer.parameters, "course_operations": layer.operations}
                for layer in self.layers
            ],
            "mistakes": [f"{layer.right.name}: {text}" for layer in self.layers for text in layer.mistakes],
        }

    def calculation(self):
        """Return how the course's numbers are made, and the right ones where they differ, as text."""
        rows = []
        for layer in self.layers:
            right = layer.right
            if layer.mistakes:
                rows.append((f"{right.name}, the course", layer.weight_shapes, layer.terms, ""))
                rows.append((f"{right.name}, right", right.weight_shapes, right.terms, ""))
            elif right.parameters or right.operations:
                rows.append((right.name, right.weight_shapes, right.terms, ""))
        return calculation_table(rows)

    def explanation(self):
        """Return where the course's count is wrong, as text."""
        mistakes = [f"  {layer.right.name}: {text}" for layer in self.layers for text in layer.mistakes]
        if not mistakes:
            return "The course's count of these layers is right."
        totals = self.totals
        missing = [
            f"  {totals[f'right_{what}']:,} {what} are right, not {totals[what]:,}: "
            f"{totals[f'right_{what}'] - totals[what]:,} are missing"
            for what in ("parameters", "operations")
        ]
        return "\n".join(
            [
                "The course's count is wrong:",
                *missing,
                "It counts a convolution as if it read one channel and had no bias, which leaves out",
                *mistakes,
            ]
        )

    def __str__(self):
        header = ["layer", "type", "output", "parameters", "the course's", "operations", "the course's"]
        lines = [header]
        for layer in self.layers:
            right = layer.right
            numbers = right.parameters, layer.parameters, right.operations, layer.operations
            lines.append([right.name, right.type, right.output, *(f"{number:,}" for number in numbers)])
        totals = [self.totals[key] for key in ("right_parameters", "parameters", "right_operations", "operations")]
        lines.append(["total", "", "", *(f"{number:,}" for number in totals)])
        shapes = ", ".join(str(tuple(shape)) for shape in self.input_shapes)
        return "\n\n".join(
            [
                f"{self.name}, input {shapes}, by the convention of the course on seizures",
                left_aligned_table(lines, columns=(1, 2)),
                self.calculation(),
                self.explanation(),
                "\n".join(CONVENTION[:2]),
            ]
        )


def course_report_of(model, input_shape=None):
    """Return a course's count of a model, beside the right one.

    Args:
        model: `keras.Model` of layers that the course counts.
        input_shape: as `transplant.evaluation.complexity_counts.complexity_of` takes it.

    Returns:
        A `CourseReport`.

    Raises:
        OptionError: if a layer is of a type, or has a setting, that the course does not
            count, or the model does not take inputs of that shape.
    """
    calls = layer_calls(model, input_shape)
    report = report_of_calls(model, calls)
    layers = [
        _course_layer(call, cost, model.name) for call, cost in zip(calls, report.layers) if not call.is_group
    ]
    return CourseReport(report.name, report.input_shapes, tuple(layers))


def _course_layer(call, cost, model_name):
    """Return the `CourseLayer` of a call."""
    layer = call.layer
    if needed := _refusal(layer):
        raise OptionError(
            f"--convention course is defined for what the course counts, which is {needed}. Received: "
            f"{model_name} with layer {layer.name} ({type(layer).__name__}); use --convention standard"
        )
    if type(layer) is not keras.layers.Conv1D:
        return CourseLayer(cost, cost.weight_shapes, cost.terms)
    size, channels, filters = layer.kernel.shape
    positions = math.prod(call.outputs[0].shape) // filters
    terms = [
        *elementwise("products and sums of one channel", 2 * size - 1, positions, filters),
        *activation_terms(layer.activation, positions, filters),
    ]
    mistakes = [
        f"the biases of {filters:,} filters: {filters:,} parameters, {positions:,} x {filters:,} = "
        f"{positions * filters:,} operations"
    ]
    if channels > 1:
        weights = size * (channels - 1) * filters
        mistakes.append(
            f"{channels - 1:,} of {channels:,} channels: {size:,} x {channels - 1:,} x {filters:,} = {weights:,} "
            f"parameters, 2 x {positions:,} x {weights:,} = {2 * positions * weights:,} operations"
        )
    return CourseLayer(cost, ((size, filters),), tuple(terms), tuple(mistakes))


def _refusal(layer):
    """Return what the course counts in place of a layer, in words, or None where it counts the layer."""
    if type(layer) not in _COUNTED:
        return f"layers of type {', '.join(cls.__name__ for cls in _COUNTED)}"
    if isinstance(layer, keras.layers.GRU):
        if layer.reset_after or not layer.use_bias:
            return "a GRU with one bias (reset_after=False)"
        if (activation_name(layer.recurrent_activation), activation_name(layer.activation)) != ("sigmoid", "tanh"):
            return "a GRU with sigmoid and tanh"
        return None
    if isinstance(layer, keras.layers.Conv1D) and (not layer.use_bias or layer.groups != 1):
        return "a convolution with a bias, in one group"
    if isinstance(layer, keras.layers.ReLU) and (layer.negative_slope or layer.max_value is not None):
        return "a plain ReLU"
    if activation_name(getattr(layer, "activation", keras.activations.linear)) not in _ACTIVATIONS:
        return f"the activations {', '.join(_ACTIVATIONS)}"
    return None

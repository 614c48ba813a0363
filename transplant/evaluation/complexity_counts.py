"""What a model costs, layer by layer: parameters, multiply-adds, operations, memory of activations."""

import dataclasses
import math

import keras

import transplant.evaluation.own_layer_costs  # noqa: F401  adds the rules of the package's own layers
from transplant.evaluation.cost_terms import NoRuleError, sum_multiply_adds, sum_operations
from transplant.evaluation.layer_calls import layer_calls
from transplant.evaluation.layer_costs import VIEWS, layer_terms
from transplant.evaluation.report import fixed_width

CONVENTION = (
    "One example, at inference. A multiply-add is 2 floating-point operations; multiply-adds are those of\n"
    "convolutions and matrix products. A sum starts from its bias. Values of padding, and steps that a mask\n"
    "leaves out, count like any other.",
    "Addition, product, division, comparison, root, exponential and logarithm are 1 operation each: ReLU 1,\n"
    "sigmoid 4, softmax 5, tanh 6, batch normalisation 2 a value. A Fourier transform of N real values is\n"
    "5/2 N log2 N. Copying and selecting are none.",
    "Activations are each layer's outputs. What passes on its inputs, if in another shape, needs no memory; what\n"
    "a layer keeps inside, such as the states of a recurrent one, is not counted.",
)
NOT_COUNTED = "not counted"


@dataclasses.dataclass(frozen=True)
class LayerCost:
    """What one call of a layer costs.

    Attributes:
        name: of the layer.
        type: name of its class.
        depth: of how many nested models it is part.
        output_shapes: tuple of shapes; the batch is left out where it is one example.
        trainable, frozen: parameters that are trained, and that are not. Those of a layer that
            is called again stand at its first call.
        weight_shapes: shapes of those parameters.
        terms: tuple of `transplant.evaluation.cost_terms.Term`, or None where nothing says how
            the layer is counted.
        reason: why it is not counted, else "".
        activation_bytes: memory of its outputs.
        dtype: of its outputs.
        is_group: whether it is a nested model, whose layers follow and are counted in its place.
    """

    name: str
    type: str
    depth: int
    output_shapes: tuple
    trainable: int = 0
    frozen: int = 0
    weight_shapes: tuple = ()
    terms: tuple | None = ()
    reason: str = ""
    activation_bytes: int = 0
    dtype: str = ""
    is_group: bool = False

    @property
    def parameters(self):
        """All parameters."""
        return self.trainable + self.frozen

    @property
    def multiply_adds(self):
        """Multiply-adds, or None where they are not counted."""
        return None if self.terms is None else sum_multiply_adds(self.terms)

    @property
    def operations(self):
        """Floating-point operations, or None where they are not counted."""
        return None if self.terms is None else sum_operations(self.terms)

    @property
    def output(self):
        """The shapes of the outputs as text."""
        return ", ".join(f"({', '.join(str(size) for size in shape)})" for shape in self.output_shapes)

    def to_dict(self):
        """Return a JSON-ready dict."""
        return {
            "name": self.name,
            "type": self.type,
            "depth": self.depth,
            "output_shapes": [list(shape) for shape in self.output_shapes],
            "trainable_parameters": self.trainable,
            "frozen_parameters": self.frozen,
            "multiply_adds": self.multiply_adds,
            "operations": self.operations,
            "activation_bytes": self.activation_bytes,
            "dtype": self.dtype,
            "is_group": self.is_group,
            "not_counted": self.reason,
        }


@dataclasses.dataclass(frozen=True)
class ComplexityReport:
    """What a model costs for one input. It prints itself as a table.

    Attributes:
        name: of the model.
        input_shapes: tuple of shapes without the batch.
        layers: tuple of `LayerCost`, in the order of the calls.
    """

    name: str
    input_shapes: tuple
    layers: tuple

    @property
    def counted_layers(self):
        """The layers that the totals are made of: not the nested models that they are part of."""
        return tuple(layer for layer in self.layers if not layer.is_group)

    @property
    def not_counted(self):
        """The layers without a rule, whose multiply-adds and operations the totals lack."""
        return tuple(layer for layer in self.counted_layers if layer.terms is None)

    @property
    def totals(self):
        """Sums over all layers: a dict of numbers, the multiply-adds and operations of those that are counted."""
        layers = self.counted_layers
        return {
            "parameters": sum(layer.parameters for layer in layers),
            "trainable_parameters": sum(layer.trainable for layer in layers),
            "frozen_parameters": sum(layer.frozen for layer in layers),
            "multiply_adds": sum(layer.multiply_adds or 0 for layer in layers),
            "operations": sum(layer.operations or 0 for layer in layers),
            "activation_bytes": sum(layer.activation_bytes for layer in layers),
            "layers_not_counted": len(self.not_counted),
        }

    @property
    def dtypes(self):
        """The data types of the activations, that of most memory first."""
        memory = {}
        for layer in self.counted_layers:
            memory[layer.dtype] = memory.get(layer.dtype, 0) + layer.activation_bytes
        return tuple(sorted((dtype for dtype in memory if memory[dtype]), key=lambda dtype: -memory[dtype]))

    def to_dict(self):
        """Return a JSON-ready dict: model, input_shapes, totals, layers, convention."""
        return {
            "model": self.name,
            "input_shapes": [list(shape) for shape in self.input_shapes],
            "totals": self.totals,
            "activation_dtypes": list(self.dtypes),
            "layers": [layer.to_dict() for layer in self.layers],
            "convention": [" ".join(sentence.split()) for sentence in CONVENTION],
        }

    def calculation(self):
        """Return how the parameters and operations of every layer are made, as text."""
        return calculation_table(
            (layer.name, layer.weight_shapes, layer.terms, layer.reason)
            for layer in self.counted_layers
            if layer.terms is None or layer.parameters or layer.operations
        )

    def __str__(self):
        header = ["layer", "type", "output", "parameters", "not trained", "multiply-adds", "operations", "activations"]
        totals = self.totals
        incomplete = bool(self.not_counted)
        last = [
            "total of what is counted" if incomplete else "total",
            "",
            "",
            *(f"{totals[key]:,}" for key in ("parameters", "frozen_parameters", "multiply_adds", "operations")),
            f"{totals['activation_bytes']:,} B",
        ]
        table = left_aligned_table([header, *(_cells(layer) for layer in self.layers), last], columns=(1, 2))
        shapes = ", ".join(str(tuple(shape)) for shape in self.input_shapes)
        parts = [f"{self.name}, input {shapes}, activations in {' and '.join(self.dtypes)}", table]
        if incomplete:
            names = "\n".join(f"  {layer.name} ({layer.type}): {layer.reason}" for layer in self.not_counted)
            parts.append(f"Not counted, and missing from multiply-adds and operations:\n{names}")
        return "\n\n".join([*parts, "\n".join(CONVENTION)])


def complexity_of(model, input_shape=None):
    """Return what a model costs for one input.

    Nothing is computed: only shapes go through the model.

    Args:
        model: `keras.Model`, built. Functional and sequential ones, nested or not, are
            counted layer by layer; any other is one line that is not counted.
        input_shape: sizes of the input without the batch, e.g. (time, leads); of several
            inputs a list of them, in the order of `model.inputs`. Defaults to the model's own,
            where all are known.

    Returns:
        A `ComplexityReport`.

    Raises:
        OptionError: if the model does not take inputs of that shape, or a size is unknown.

    Example:
        >>> from transplant.modules.classifier import build_classifier
        >>> complexity_of(build_classifier("resnet18", n_classes=5), (2048, 1)).totals["multiply_adds"]
        470223360
    """
    return report_of_calls(model, layer_calls(model, input_shape))


def report_of_calls(model, calls):
    """Return the `ComplexityReport` of calls that `layer_calls` gave."""
    seen = set()
    inputs = [call for call in calls if call.depth == 0][: len(model.inputs)]
    return ComplexityReport(
        model.name,
        tuple(call.outputs[0].shape[1:] for call in inputs),
        tuple(_cost_of(call, seen) for call in calls),
    )


def _cost_of(call, seen):
    """Return the `LayerCost` of a call; `seen` holds the weights of the calls before it."""
    layer = call.layer
    shapes = tuple(tensor.shape[1:] if tensor.shape[0] == 1 else tensor.shape for tensor in call.outputs)
    kind = f"RNN({type(layer.cell).__name__})" if type(layer) is keras.layers.RNN else type(layer).__name__
    common = {"name": layer.name, "type": kind, "depth": call.depth, "output_shapes": shapes}
    if call.is_group:
        return LayerCost(**common, is_group=True)
    # An operation that is no layer has no weights.
    own = [weight for weight in getattr(layer, "weights", ()) if id(weight) not in seen]
    seen.update(id(weight) for weight in own)
    trained = {id(weight) for weight in getattr(layer, "trainable_weights", ())}
    terms, reason = (), ""
    try:
        terms = tuple(layer_terms(layer, call.inputs, call.outputs))
    except NoRuleError as error:
        terms, reason = None, str(error)
    return LayerCost(
        **common,
        trainable=sum(math.prod(weight.shape) for weight in own if id(weight) in trained),
        frozen=sum(math.prod(weight.shape) for weight in own if id(weight) not in trained),
        weight_shapes=tuple(tuple(weight.shape) for weight in own),
        terms=terms,
        reason=reason,
        activation_bytes=0 if isinstance(layer, VIEWS) else sum(_bytes(tensor) for tensor in call.outputs),
        dtype=call.outputs[0].dtype,
    )


def _bytes(tensor):
    digits = "".join(character for character in tensor.dtype if character.isdigit())
    return math.prod(tensor.shape) * (int(digits) // 8 if digits else 1)


def _cells(layer):
    name = "  " * layer.depth + layer.name
    if layer.is_group:
        return [name, layer.type, layer.output, "", "", "", "", ""]
    return [
        name,
        layer.type,
        layer.output,
        f"{layer.parameters:,}",
        f"{layer.frozen:,}",
        NOT_COUNTED if layer.terms is None else f"{layer.multiply_adds:,}",
        NOT_COUNTED if layer.terms is None else f"{layer.operations:,}",
        f"{layer.activation_bytes:,} B",
    ]


def left_aligned_table(lines, columns):
    """Return lines of cells as a fixed-width table, the columns of those numbers flush left as the first one is."""
    widths = {column: max(len(line[column]) for line in lines) for column in columns}
    table = fixed_width(
        [[cell.ljust(widths[i]) if i in widths else cell for i, cell in enumerate(line)] for line in lines]
    )
    return "\n".join(line.rstrip() for line in table.splitlines())


def calculation_table(rows):
    """Return how parameters and operations are made, as text.

    Args:
        rows: of every layer (name, shapes of its parameters, its `Term`s or None, the reason for None).
    """
    lines = [["Calculation", "", ""]]
    for name, shapes, terms, reason in rows:
        if shapes:
            count = sum(math.prod(shape) for shape in shapes)
            lines.append([f"  {name}", "parameters", f"{' + '.join(map(_product, shapes))} = {count:,}"])
            name = ""
        if terms is None:
            lines.append([f"  {name}", "operations", f"{NOT_COUNTED}: {reason}"])
        elif terms:
            text = " + ".join(map(str, terms))
            lines.append([f"  {name}", "operations", f"{text} = {sum_operations(terms):,}"])
    return left_aligned_table(lines, columns=(1, 2))


def _product(factors):
    return " x ".join(f"{factor:,}" for factor in factors if factor != 1) or "1"

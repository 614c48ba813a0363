"""Every call of a layer that one input causes, with all sizes known, without computing any of it."""

import dataclasses
import inspect
import numbers

import keras

from transplant.errors import OptionError


@dataclasses.dataclass(frozen=True)
class LayerCall:
    """One call of a layer, or a nested model whose calls follow.

    Attributes:
        layer: the `keras.layers.Layer` or `keras.Operation`.
        inputs, outputs: tuples of `keras.KerasTensor`, masks left out; a batch holds one example.
        depth: of how many nested models it is part.
        is_group: whether it is a nested model, and the calls of its layers follow.
    """

    layer: object
    inputs: tuple
    outputs: tuple
    depth: int
    is_group: bool = False


def layer_calls(model, input_shape=None):
    """Return the calls of a model's layers for one input, in their order.

    Args:
        model: a functional or sequential `keras.Model`, built. Of any other the model is
            the only call.
        input_shape: sizes of the input without the batch; of several inputs a list of them, in the
            order of `model.inputs`. Defaults to the model's own, where all are known.

    Returns:
        List of `LayerCall`, those of the input layers first.

    Raises:
        OptionError: if the model does not take inputs of that shape, or a size is unknown.
    """
    inputs = _symbols(model, input_shape)
    calls = [_input_call(tensor) for tensor in inputs]
    try:
        _follow(model, inputs, 0, calls)
    except ValueError as error:
        shapes = ", ".join(str(tensor.shape[1:]) for tensor in inputs)
        raise OptionError(
            f"{model.name} cannot take an input of this size. Received: {shapes}, for which Keras says: "
            f"{_first_sentence(error)}; give a longer one"
        ) from error
    return calls


def is_graph(model):
    """Return whether a model is made of layers that are joined in the open."""
    return isinstance(model, keras.Function | keras.Sequential)


def _follow(model, inputs, depth, calls):
    """Append the calls of a model; return its outputs, flat."""
    if not is_graph(model):
        return _record(model, inputs, keras.tree.flatten(model.compute_output_spec(*inputs)), depth, calls)
    if isinstance(model, keras.Sequential):
        for layer in model.layers:
            inputs = _call(layer, tuple(inputs), {}, depth, calls)
        return inputs

    def recording(layer):
        def call(*args, **kwargs):
            return _call(layer, args, kwargs, depth, calls)

        return call

    # As Keras itself goes through a graph to find the shapes of other inputs than those it was made with.
    return keras.tree.flatten(model._run_through_graph(list(inputs), operation_fn=recording))


def _call(layer, args, kwargs, depth, calls):
    inputs = _tensors(layer, args, kwargs)
    if not is_graph(layer):
        return _record(layer, inputs, keras.tree.flatten(layer.compute_output_spec(*args, **kwargs)), depth, calls)
    place = len(calls)
    outputs = _follow(layer, inputs[: len(layer.inputs)], depth + 1, calls)
    calls.insert(place, LayerCall(layer, inputs, tuple(outputs), depth, is_group=True))
    return outputs


def _tensors(layer, args, kwargs):
    """Return the tensors of a call in the order of the parameters, masks left out, which are no work by themselves."""
    arguments = inspect.signature(layer.call).bind(*args, **kwargs).arguments
    flat = keras.tree.flatten([value for name, value in arguments.items() if not name.endswith("mask")])
    # Arguments of a call that its signature does not name stand in a dict of their own.
    return tuple(value for value in flat if isinstance(value, keras.KerasTensor))


def _record(layer, inputs, outputs, depth, calls):
    calls.append(LayerCall(layer, tuple(inputs), tuple(outputs), depth))
    return outputs


def _input_call(tensor):
    layer = keras.layers.InputLayer(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name)
    return LayerCall(layer, (tensor,), (tensor,), 0)


def _symbols(model, input_shape):
    """Return a symbolic tensor for each input of a model, one example each."""
    try:
        references = list(model.inputs or ())
    except (AttributeError, ValueError):
        references = []
    if not references:
        raise OptionError(f"a model is counted once it is built. Received: {model.name}; call it on an input first")
    known = [tuple(reference.shape[1:]) for reference in references]
    shapes = known if input_shape is None else _as_list(input_shape)
    if len(shapes) != len(references):
        raise OptionError(f"{model.name} has inputs {_listed(known)}. Received: {_listed(shapes)}; give as many shapes")
    for shape, own in zip(shapes, known):
        if len(shape) != len(own) or any(b is not None and a != b for a, b in zip(shape, own)):
            raise OptionError(
                f"{model.name} takes inputs of {_listed(known)}, None for any size. Received: {_listed(shapes)}; "
                "give a shape that agrees"
            )
        if None in shape:
            raise OptionError(
                f"{model.name} takes inputs of any length, and what it costs depends on the length. "
                f"Received: {_listed(shapes)}; give all sizes"
            )
    return [
        keras.KerasTensor((1, *shape), dtype=reference.dtype, name=reference.name)
        for shape, reference in zip(shapes, references)
    ]


def _as_list(input_shape):
    is_single = all(size is None or isinstance(size, numbers.Integral) for size in input_shape)
    return [tuple(input_shape)] if is_single else [tuple(shape) for shape in input_shape]


def _listed(shapes):
    return ", ".join(str(tuple(shape)) for shape in shapes)


def _first_sentence(error):
    return str(error).strip().splitlines()[0].rstrip(".")

"""What each type of layer costs at inference, layer by layer of Keras.

A rule is a function (layer, inputs, outputs) -> list of `Term`, of symbolic
tensors with all sizes known. Rules are found by the exact class: a subclass may
compute something else, so it needs a rule of its own.
"""

import math

import keras

from transplant.evaluation.activation_costs import activation_terms
from transplant.evaluation.cost_terms import NoRuleError, elementwise, multiply_adds
from transplant.evaluation.operation_costs import operation_terms
from transplant.evaluation.recurrent_costs import RECURRENT_LAYERS, bidirectional_terms, recurrent_terms

RULES = {}
# Their outputs are their inputs under another shape, or the inputs themselves: they need no memory.
VIEWS = (
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.Identity,
    keras.layers.ActivityRegularization,
    keras.layers.Dropout,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
    keras.layers.AlphaDropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
)
_COPIES = (
    keras.layers.InputLayer,
    keras.layers.Permute,
    keras.layers.Concatenate,
    keras.layers.RepeatVector,
    keras.layers.Embedding,
    keras.layers.Cropping1D,
    keras.layers.Cropping2D,
    keras.layers.Cropping3D,
    keras.layers.ZeroPadding1D,
    keras.layers.ZeroPadding2D,
    keras.layers.ZeroPadding3D,
    keras.layers.UpSampling1D,
)


def layer_terms(layer, inputs, outputs):
    """Return what a call of a layer computes.

    Args:
        layer: a `keras.layers.Layer` that is built, or a `keras.Operation`.
        inputs: list of `keras.KerasTensor` with all sizes known.
        outputs: likewise.

    Returns:
        List of `Term`; empty where nothing is computed.

    Raises:
        NoRuleError: if the type, or what the layer is set to, has no rule.
    """
    rule = RULES.get(type(layer))
    if rule is None and not isinstance(layer, keras.layers.Layer):
        return operation_terms(layer, inputs, outputs)
    if rule is None:
        raise NoRuleError("no rule for this type of layer")
    return rule(layer, inputs, outputs)


def counts(*classes):
    """Register a function as the rule of classes."""

    def register(rule):
        RULES.update(dict.fromkeys(classes, rule))
        return rule

    return register


def values(tensor):
    """Return how many values a tensor has, its batch included."""
    return math.prod(tensor.shape)


def positions(tensor, layer=None):
    """Return how many values each channel of a tensor has, its batch included."""
    return values(tensor) // tensor.shape[channel_axis(layer)]


def channel_axis(layer):
    """Return the axis of the channels in what a layer gets and gives."""
    return 1 if getattr(layer, "data_format", None) == "channels_first" else -1


@counts(*VIEWS, *_COPIES)
def nothing_terms(layer, inputs, outputs):
    """Copying and reshaping, and what is done in training alone, are no operations."""
    return []


@counts(keras.layers.Dense)
def dense_terms(layer, inputs, outputs):
    """A product with the kernel at every position."""
    n = positions(outputs[0])
    return [multiply_adds(n, *layer.kernel.shape), *activation_terms(layer.activation, n, layer.units)]


@counts(keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
def convolution_terms(layer, inputs, outputs):
    """A product of the kernel with the channels of its group, at every position of the output."""
    n = positions(outputs[0], layer)
    return [
        multiply_adds(n, layer.filters, *layer.kernel.shape[:-1]),
        *activation_terms(layer.activation, n, layer.filters),
    ]


@counts(keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
def depthwise_terms(layer, inputs, outputs):
    """As many kernels for each channel as the depth multiplier says, at every position of the output."""
    n, channels = positions(outputs[0], layer), outputs[0].shape[channel_axis(layer)]
    return [
        multiply_adds(n, channels, *layer.kernel.shape[:-2]),
        *activation_terms(layer.activation, n, channels),
    ]


@counts(keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)
def separable_terms(layer, inputs, outputs):
    """The kernels of each channel, then a product over channels, at every position of the output."""
    n = positions(outputs[0], layer)
    return [
        multiply_adds(n, *layer.depthwise_kernel.shape),
        multiply_adds(n, *layer.pointwise_kernel.shape),
        *activation_terms(layer.activation, n, layer.filters),
    ]


@counts(keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)
def transposed_terms(layer, inputs, outputs):
    """The whole kernel at every position of the input."""
    return [
        multiply_adds(positions(inputs[0], layer), *layer.kernel.shape),
        *activation_terms(layer.activation, positions(outputs[0], layer), layer.filters),
    ]


@counts(keras.layers.MaxPooling1D, keras.layers.MaxPooling2D, keras.layers.MaxPooling3D)
def max_pooling_terms(layer, inputs, outputs):
    """One comparison fewer than the window has values."""
    return elementwise("maximum", math.prod(layer.pool_size) - 1, values(outputs[0]))


@counts(keras.layers.AveragePooling1D, keras.layers.AveragePooling2D, keras.layers.AveragePooling3D)
def average_pooling_terms(layer, inputs, outputs):
    """The additions of a window, and a division."""
    return elementwise("mean", math.prod(layer.pool_size), values(outputs[0]))


@counts(keras.layers.GlobalMaxPooling1D, keras.layers.GlobalMaxPooling2D, keras.layers.GlobalMaxPooling3D)
def global_max_pooling_terms(layer, inputs, outputs):
    """One comparison fewer for each channel than it has values."""
    channels = values(outputs[0])
    return elementwise("maximum", values(inputs[0]) // channels - 1, channels)


@counts(keras.layers.GlobalAveragePooling1D, keras.layers.GlobalAveragePooling2D, keras.layers.GlobalAveragePooling3D)
def mean_terms(layer, inputs, outputs):
    """The additions of all values that each output is the mean of, and a division."""
    n = values(outputs[0])
    return elementwise("mean", values(inputs[0]) // n, n)


@counts(keras.layers.BatchNormalization)
def batch_normalization_terms(layer, inputs, outputs):
    """At inference one factor and one summand for each channel, made of the moments, the scale and the offset."""
    return elementwise("scale and offset", 2, values(outputs[0]))


@counts(keras.layers.LayerNormalization)
def layer_normalization_terms(layer, inputs, outputs):
    """Mean, centring, squares, their mean and the division, then scale and offset.

    The root and the two divisions by the width, one of each for a position, are left out.
    """
    each = 5 + bool(layer.scale) + bool(layer.center)
    return elementwise("mean, variance, scale and offset", each, values(outputs[0]))


@counts(keras.layers.Rescaling)
def rescaling_terms(layer, inputs, outputs):
    """A factor and a summand."""
    return elementwise("scale and offset", 2, values(outputs[0]))


@counts(keras.layers.Add, keras.layers.Subtract, keras.layers.Multiply, keras.layers.Maximum, keras.layers.Minimum)
def merge_terms(layer, inputs, outputs):
    """One operation fewer than there are inputs."""
    return elementwise(type(layer).__name__.lower(), len(inputs) - 1, values(outputs[0]))


@counts(keras.layers.Average)
def average_terms(layer, inputs, outputs):
    """The additions of the inputs, and a division."""
    return elementwise("mean", len(inputs), values(outputs[0]))


@counts(keras.layers.Dot)
def dot_terms(layer, inputs, outputs):
    """A sum of products over the axes that meet, for every value of the output."""
    if layer.normalize:
        raise NoRuleError("a product of vectors of length 1 has no rule")
    axis = layer.axes if isinstance(layer.axes, int) else layer.axes[0]
    return [multiply_adds(values(outputs[0]), inputs[0].shape[axis])]


@counts(keras.layers.Activation)
def activation_layer_terms(layer, inputs, outputs):
    """What the activation is, for every value."""
    return activation_terms(layer.activation, values(outputs[0]))


@counts(keras.layers.ReLU)
def relu_terms(layer, inputs, outputs):
    """A comparison; with a slope a product too, and with an upper limit another comparison."""
    each = 1 + bool(layer.negative_slope) + (layer.max_value is not None)
    return elementwise("relu", each, values(outputs[0]))


@counts(keras.layers.LeakyReLU, keras.layers.PReLU)
def leaky_relu_terms(layer, inputs, outputs):
    """A comparison and a product."""
    return elementwise("leaky_relu", 2, values(outputs[0]))


@counts(keras.layers.ELU)
def elu_terms(layer, inputs, outputs):
    """What the activation is, for every value."""
    return activation_terms(keras.activations.elu, values(outputs[0]))


@counts(keras.layers.Softmax)
def softmax_terms(layer, inputs, outputs):
    """What the activation is, for every value."""
    return activation_terms(keras.activations.softmax, values(outputs[0]))


@counts(keras.layers.Masking)
def masking_terms(layer, inputs, outputs):
    """A comparison with the value that stands for a missing step."""
    return elementwise("comparison", 1, values(inputs[0]))


@counts(keras.layers.MultiHeadAttention)
def attention_terms(layer, inputs, outputs):
    """Four projections, the scores, their softmax and the weighted sum of the values."""
    if any(len(tensor.shape) != 3 for tensor in inputs):
        raise NoRuleError("attention over more than one axis has no rule")
    query, value = inputs[:2]
    key = inputs[2] if len(inputs) > 2 else value
    heads, width, value_width = layer.num_heads, layer.key_dim, layer.value_dim
    batch, asked, known = query.shape[0], query.shape[1], key.shape[1]
    return [
        multiply_adds(batch, asked, query.shape[2], heads, width),
        multiply_adds(batch, known, key.shape[2], heads, width),
        multiply_adds(batch, known, value.shape[2], heads, value_width),
        *score_terms(batch, heads, asked, known, width, value_width),
        multiply_adds(batch, asked, heads, value_width, outputs[0].shape[2]),
    ]


def score_terms(batch, heads, asked, known, width, value_width):
    """Return the terms of attention between its projections.

    Args:
        batch: examples.
        heads: number of heads.
        asked: positions of the queries.
        known: positions of the keys and values.
        width: of a key of one head.
        value_width: of a value of one head.
    """
    return [
        multiply_adds(batch, heads, asked, known, width),
        *elementwise("scale", 1, batch, heads, asked, known),
        *activation_terms(keras.activations.softmax, batch, heads, asked, known),
        multiply_adds(batch, heads, asked, known, value_width),
    ]


@counts(keras.layers.TimeDistributed)
def time_distributed_terms(layer, inputs, outputs):
    """The layer inside, once a step."""
    batch, steps, *rest = inputs[0].shape
    step = keras.KerasTensor((batch, *rest), inputs[0].dtype)
    result = keras.tree.flatten(layer.layer.compute_output_spec(step))
    return [term.repeated(steps) for term in layer_terms(layer.layer, [step], result)]


counts(*RECURRENT_LAYERS)(recurrent_terms)
counts(keras.layers.Bidirectional)(bidirectional_terms)

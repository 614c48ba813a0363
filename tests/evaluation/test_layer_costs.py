"""What layers cost, against numbers worked by hand and against TensorFlow's profiler."""

import json

import keras
import pytest
from profiled import profiled_operations

from transplant.errors import OptionError
from transplant.evaluation.complexity_counts import complexity_of
from transplant.evaluation.course_costs import course_report_of
from transplant.modules.block_convolution import BlockConvolution
from transplant.modules.classifier import build_classifier
from transplant.modules.cpc import build_cpc_model
from transplant.modules.half_dropout import HalfDropout
from transplant.modules.narrow_convolution import NarrowConvolution
from transplant.modules.padding import MeanOverValid, ValidPositions
from transplant.modules.pooling_token import PoolingToken
from transplant.modules.registry import ARCHITECTURES, build_backbone
from transplant.modules.segment_attention import LeadsToBatch
from transplant.modules.segment_mean import SegmentMean
from transplant.modules.spectrogram import Spectrogram
from transplant.modules.transformer import ScaledPositions, SelfAttention, TransformerLayer

layers = keras.layers


def one_layer(layer, input_shape):
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, layer(inputs))


# Layer, shape of its input, multiply-adds, operations besides them.
BY_HAND = [
    (layers.Dense(16, activation="sigmoid"), (178,), 178 * 16, 4 * 16),
    (layers.Dense(4), (10, 3), 10 * 3 * 4, 0),
    (layers.Conv1D(6, 5, activation="relu"), (178, 1), 174 * 6 * 5, 174 * 6),
    (layers.Conv1D(8, 3, strides=2, padding="causal", groups=2), (10, 4), 5 * 8 * 3 * 2, 0),
    (layers.Conv2D(3, (2, 3)), (5, 6, 2), 4 * 4 * 3 * 2 * 3 * 2, 0),
    (layers.DepthwiseConv1D(3, depth_multiplier=2), (10, 4), 8 * 8 * 3, 0),
    (layers.SeparableConv1D(5, 3, activation="relu"), (10, 4), 8 * 3 * 4 + 8 * 4 * 5, 8 * 5),
    (layers.Conv1DTranspose(2, 3, strides=2), (4, 5), 4 * 3 * 2 * 5, 0),
    (layers.MaxPooling1D(3, 2, padding="same"), (9, 2), 0, 5 * 2 * 2),
    (layers.AveragePooling1D(2), (9, 2), 0, 4 * 2 * 2),
    (layers.GlobalAveragePooling1D(), (9, 2), 0, 9 * 2),
    (layers.GlobalMaxPooling1D(), (9, 2), 0, 8 * 2),
    (layers.BatchNormalization(), (9, 2), 0, 9 * 2 * 2),
    (layers.LayerNormalization(), (9, 2), 0, 9 * 2 * 7),
    (layers.LayerNormalization(center=False, scale=False), (9, 2), 0, 9 * 2 * 5),
    (layers.ReLU(), (9, 2), 0, 18),
    (layers.ReLU(max_value=6), (9, 2), 0, 36),
    (layers.Activation("tanh"), (9, 2), 0, 6 * 18),
    (layers.Softmax(), (9, 2), 0, 5 * 18),
    (layers.Rescaling(1 / 255), (9, 2), 0, 2 * 18),
    (layers.Flatten(), (9, 2), 0, 0),
    (layers.Dropout(0.5), (9, 2), 0, 0),
    (layers.Cropping1D(2), (9, 2), 0, 0),
    (layers.TimeDistributed(layers.Dense(4, activation="relu")), (10, 3), 10 * 3 * 4, 10 * 4),
    # A step of a GRU: 3 gates of 16 units, each a sum over 1 input and 16 states; 19 operations a unit.
    (layers.GRU(16, reset_after=False), (178, 1), 178 * 3 * 16 * 17, 178 * 16 * 19),
    (layers.GRU(16), (178, 1), 178 * 3 * 16 * 17, 178 * 16 * 22),
    (layers.GRU(16, return_sequences=True), (178, 1), 178 * 3 * 16 * 17, 178 * 16 * 22),
    (layers.LSTM(3), (5, 2), 5 * 4 * 3 * (2 + 3), 5 * 3 * 28),
    (layers.RNN(layers.LSTMCell(3)), (5, 2), 5 * 4 * 3 * (2 + 3), 5 * 3 * 28),
    (layers.SimpleRNN(3), (5, 2), 5 * 3 * (2 + 3), 5 * 3 * 6),
    (layers.Bidirectional(layers.LSTM(3)), (5, 2), 2 * 300, 2 * 420),
    (layers.Bidirectional(layers.LSTM(3, return_sequences=True), merge_mode="sum"), (5, 2), 600, 840 + 5 * 3),
    # 128 columns: a window of 256, its transform (2.5 x 256 x 8), 3 operations for 129 bins, 2 for 128.
    (Spectrogram(hop=32, bins=128), (4096, 1), 0, 128 * (256 + 5120 + 3 * 129 + 2 * 128)),
    (Spectrogram(hop=64, bins=32), (100, 3), 0, 2 * 3 * (256 + 5120 + 3 * 129 + 2 * 32)),
    # Four projections of 4 x 6 x 6; in 2 heads of 3 scores and sums of 4 x 4 x 3; scale and softmax 1 + 5 a score.
    (SelfAttention(2), (4, 6), 4 * 144 + 2 * 2 * 48, 6 * 32),
    (TransformerLayer(2, 5), (4, 6), 768 + 2 * 4 * 6 * 5, 192 + 4 * 5 + 2 * 24 + 2 * 7 * 24),
    (ScaledPositions(), (4, 6), 0, 2 * 24 + 3 * 24),
    (PoolingToken(), (4, 6), 0, 0),
    (BlockConvolution(3, (1, 4), strides=(1, 2), activation="relu"), (5, 7, 2), 5 * 2 * 3 * 4 * 2, 5 * 2 * 3),
    (NarrowConvolution(3, (2, 3)), (5, 6, 2), 4 * 4 * 3 * 2 * 3 * 2, 0),
    (HalfDropout(), (9, 2), 0, 0),
    (ValidPositions(2, 4), (8, 2), 0, 16),
    (MeanOverValid(), (9, 2), 0, 18),
    (LeadsToBatch(), (9, 2), 0, 0),
    # 2 segments, each a sum over 3 positions, of 4 channels.
    (SegmentMean(6, 3, 2), (3, 4), 2 * 3 * 4, 0),
]


@pytest.mark.parametrize(
    ("layer", "input_shape", "multiply_adds", "other"),
    BY_HAND,
    ids=[f"{number}-{type(case[0]).__name__}" for number, case in enumerate(BY_HAND)],
)
def test_costs_worked_by_hand(layer, input_shape, multiply_adds, other):
    model = one_layer(layer, input_shape)
    totals = complexity_of(model).totals
    assert (totals["multiply_adds"], totals["operations"]) == (multiply_adds, 2 * multiply_adds + other)
    assert totals["parameters"] == model.count_params()
    assert totals["layers_not_counted"] == 0


def test_attention_of_keras_by_hand():
    query, memory = keras.Input((4, 6)), keras.Input((5, 6))
    # 2 heads of 3: the query's projection, two of the memory, scores, sums, the output's projection.
    expected = 4 * 6 * 6 + 2 * 5 * 6 * 6 + 2 * 4 * 5 * 3 + 2 * 4 * 5 * 3 + 4 * 6 * 6
    for call in (lambda layer: layer(query, memory), lambda layer: layer(value=memory, query=query)):
        totals = complexity_of(keras.Model([query, memory], call(layers.MultiHeadAttention(2, 3)))).totals
        assert totals["multiply_adds"] == expected
        assert totals["operations"] == 2 * expected + 6 * 2 * 4 * 5


def test_merging_layers_by_hand():
    a, b, c = (keras.Input((3, 5)) for _ in range(3))
    expected = {layers.Add: 30, layers.Multiply: 30, layers.Average: 45, layers.Concatenate: 0}
    for layer, operations in expected.items():
        assert complexity_of(keras.Model([a, b, c], layer()([a, b, c]))).totals["operations"] == operations


def test_products_of_two_inputs_by_hand():
    weights, series, others = keras.Input((4,)), keras.Input((4, 6)), keras.Input((5, 6))
    # A weighted sum over 4 steps for each of 6 features; 4 x 5 sums over 6 features.
    cases = [([weights, series], 1, 6 * 4), ([series, others], (2, 2), 4 * 5 * 6), ([series, others], -1, 4 * 5 * 6)]
    for inputs, axes, multiply_adds in cases:
        totals = complexity_of(keras.Model(inputs, layers.Dot(axes)(inputs))).totals
        assert (totals["multiply_adds"], totals["operations"]) == (multiply_adds, 2 * multiply_adds)
    report = complexity_of(keras.Model([weights, series], layers.Dot(1, normalize=True)([weights, series])))
    assert [layer.reason for layer in report.not_counted] == ["a product of vectors of length 1 has no rule"]


def test_masks_are_no_inputs_of_what_they_pass_through():
    inputs = keras.Input((6, 2))
    masked = layers.Masking()(inputs)
    x = layers.Add()([masked, masked])
    report = complexity_of(keras.Model(inputs, layers.GRU(4, reset_after=False)(x)))
    costs = {layer.type: layer.operations for layer in report.layers}
    assert (costs["Masking"], costs["Add"], costs["GRU"]) == (12, 12, 6 * (2 * 12 * 6 + 19 * 4))
    assert report.not_counted == ()


def test_operations_without_a_layer_are_counted_or_named():
    inputs = keras.Input((6, 2))
    report = complexity_of(keras.Model(inputs, keras.ops.erf(inputs * 2.0 + 1.0)))
    costs = [(layer.type, layer.operations) for layer in report.layers[1:]]
    assert costs == [("Multiply", 12), ("Add", 12), ("Erf", None)]


class ScaledDense(layers.Dense):
    """Computes something else than its base class."""

    def call(self, inputs):
        return 2 * super().call(inputs)


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (ScaledDense(3), "no rule for this type of layer"),
        (layers.Dense(3, activation="mish"), "no rule for the activation mish"),
        (layers.Dense(3, activation=lambda x: 2 * x), "no rule for the activation <lambda>"),
        (layers.RNN(layers.StackedRNNCells([layers.GRUCell(3)])), "no rule for the cell StackedRNNCells"),
    ],
)
def test_what_has_no_rule_is_named_and_never_zero(layer, reason):
    inputs = keras.Input((4, 2))
    model = keras.Model(inputs, layers.Dense(5)(layer(inputs)))
    report = complexity_of(model)
    (missing,) = report.not_counted
    assert (missing.name, missing.reason, missing.multiply_adds, missing.operations) == (layer.name, reason, None, None)
    assert report.totals["parameters"] == model.count_params()
    assert report.totals["layers_not_counted"] == 1
    text = str(report)
    assert f"{layer.name} ({missing.type}): {reason}" in text
    assert "total of what is counted" in text and "not counted  not counted" in text
    assert f"not counted: {reason}" in report.calculation()


class Opaque(keras.Model):
    """Joins its layers in code, where no graph can be seen."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, inputs):
        return self.dense(inputs)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 3)


def test_a_model_in_code_is_one_layer_that_is_not_counted():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, Opaque()(inputs))
    report = complexity_of(model)
    assert [layer.type for layer in report.not_counted] == ["Opaque"]
    assert report.totals["parameters"] == model.count_params() == 15
    with pytest.raises(OptionError, match="once it is built"):
        complexity_of(Opaque())


def test_a_layer_called_twice_has_its_parameters_once_and_its_work_twice():
    inputs = keras.Input((8,))
    shared = keras.Sequential([keras.Input((8,)), layers.Dense(8, activation="relu")], name="shared")
    model = keras.Model(inputs, shared(shared(inputs)))
    report = complexity_of(model)
    assert report.totals["parameters"] == model.count_params() == 72
    assert report.totals["operations"] == 2 * (2 * 64 + 8)
    assert [layer.is_group for layer in report.layers] == [False, True, False, True, False]


def test_parameters_that_are_not_trained_stand_apart():
    model = build_classifier("resnet18", 5)
    assert complexity_of(model, (256, 1)).totals["frozen_parameters"] == 9_600
    model.get_layer("backbone").trainable = False
    totals = complexity_of(model, (256, 1)).totals
    assert (totals["trainable_parameters"], totals["frozen_parameters"]) == (512 * 5 + 5, 4_492_480)


def test_activation_memory_has_the_bytes_of_its_data_type():
    for policy, bytes_per_value in (("float32", 4), ("mixed_float16", 2), ("mixed_bfloat16", 2)):
        inputs = keras.Input((10, 3))
        x = layers.Flatten(dtype=policy)(layers.Conv1D(4, 3, dtype=policy)(inputs))
        report = complexity_of(keras.Model(inputs, layers.Dense(2, dtype="float32")(x)))
        assert [layer.activation_bytes for layer in report.layers] == [10 * 3 * 4, 8 * 4 * bytes_per_value, 0, 2 * 4]


def shape_for(entry):
    return (64, 3) if 2 in entry.input_ranks else (12, 12, 1)


@pytest.mark.parametrize("arch", [entry.name for entry in ARCHITECTURES.values() if entry.is_network])
def test_every_architecture_is_counted_whole(arch):
    shape = shape_for(ARCHITECTURES[arch])
    model = build_classifier(arch, 3, input_shape=shape)
    report = complexity_of(model, shape)
    assert report.totals["parameters"] == model.count_params()
    assert report.totals["trainable_parameters"] == sum(keras.ops.size(w) for w in model.trainable_weights)
    assert report.not_counted == ()
    assert report.layers[-1].output_shapes == ((3,),)


@pytest.mark.parametrize(
    ("arch", "shape", "options"),
    [
        ("resnet18", (2048, 1), {}),
        ("resnet18", (500, 2), {"stages": 2, "padding_aware": True}),
        ("resnet50", (512, 1), {"stages": 1}),
        ("resnet18_2d", (2048, 1), {"stages": 2}),
        ("logistic", (64, 64, 1), {}),
        ("mlp-16", (178, 1), {}),
        ("mlp-512", (28, 28, 1), {}),
        ("cnn", (178, 1), {}),
        ("cnn-dropout", (178, 1), {}),
        ("cnn1d", (48, 76), {}),
    ],
)
def test_multiply_adds_are_those_of_the_profiler(arch, shape, options):
    model = build_classifier(arch, 5, input_shape=shape, **options)
    profiled = profiled_operations(model, shape)
    assert 2 * complexity_of(model, shape).totals["multiply_adds"] == profiled.get("Conv2D", 0) + profiled["MatMul"]


def test_multiply_adds_of_the_published_network():
    model = build_classifier("resnet18", 5)
    assert complexity_of(model, (2048, 1)).totals["multiply_adds"] == 470_223_360
    assert complexity_of(model, (16384, 1)).totals["multiply_adds"] == 3_761_768_960


@pytest.mark.parametrize(
    "layer",
    [
        layers.GRU(4, reset_after=False, unroll=True),
        layers.GRU(4, unroll=True),
        layers.LSTM(4, unroll=True),
        layers.SimpleRNN(4, unroll=True),
        layers.Bidirectional(layers.LSTM(4, unroll=True)),
    ],
    ids=["gru", "gru-reset-after", "lstm", "simple", "bidirectional"],
)
def test_recurrent_layers_are_those_of_the_profiler_where_it_sees_their_steps(layer):
    model = one_layer(layer, (7, 3))
    assert 2 * complexity_of(model).totals["multiply_adds"] == profiled_operations(model, (7, 3))["MatMul"]


def test_frames_that_pass_as_a_batch_are_counted_each():
    backbone = build_backbone("resnet18", stages=1)
    of_a_frame = complexity_of(backbone, (256, 1)).totals["multiply_adds"]
    report = complexity_of(build_cpc_model(backbone, 3, 2, 256))
    # Three layers over a token and three frames of 64 channels in 8 heads of 8, and two scores.
    projections, between, hidden = 4 * 4 * 64 * 64, 2 * 8 * 4 * 4 * 8, 2 * 4 * 64 * 128
    assert report.totals["multiply_adds"] == 5 * of_a_frame + 3 * (projections + between + hidden) + 2 * 64
    assert report.input_shapes == ((3, 256, 1), (2, 256, 1))


def test_sizes_that_are_missing_or_wrong_are_refused():
    model = build_classifier("resnet18", 5, stages=1)
    with pytest.raises(OptionError, match=r"any length.*Received: \(None, 1\)"):
        complexity_of(model)
    with pytest.raises(OptionError, match=r"takes inputs of \(None, 1\).*Received: \(256, 2\)"):
        complexity_of(model, (256, 2))
    with pytest.raises(OptionError, match=r"Received: \(256, 1\), \(256, 1\)"):
        complexity_of(model, [(256, 1), (256, 1)])
    short = keras.Sequential([keras.Input((None, 1)), layers.Conv1D(2, 5), layers.GlobalAveragePooling1D()])
    with pytest.raises(OptionError, match="cannot take an input of this size"):
        complexity_of(short, (3, 1))


def test_counting_leaves_the_model_as_it_was():
    model = build_classifier("mlp-16", 5, input_shape=(178, 1))
    nodes = [len(layer._inbound_nodes) for layer in model.layers]
    complexity_of(model)
    assert [len(layer._inbound_nodes) for layer in model.layers] == nodes


def test_a_report_as_a_dict_is_json_and_has_the_totals():
    report = complexity_of(build_classifier("mlp-16", 5, input_shape=(178, 1)))
    values = json.loads(json.dumps(report.to_dict()))
    assert values["totals"]["parameters"] == 2_949 and values["totals"]["operations"] == 5_920
    assert values["input_shapes"] == [[178, 1]]
    assert [layer["name"] for layer in values["layers"]] == ["signal", "backbone", "flatten", "stage1_dense1", "head"]
    assert values["activation_dtypes"] == ["float32"] and len(values["convention"]) == 3


def test_the_calculation_shows_factors_and_result():
    lines = complexity_of(build_classifier("mlp-16", 5, input_shape=(178, 1))).calculation().splitlines()
    assert lines[1].split("  ")[-1] == "178 x 16 + 16 = 2,864"
    assert lines[2].split("  ")[-1] == "2 x 178 x 16 (multiply-adds) + 4 x 16 (sigmoid) = 5,760"


@pytest.mark.parametrize(
    ("arch", "parameters", "operations", "right_parameters", "right_operations"),
    [
        ("mlp-16", 2_949, 5_920, 2_949, 5_920),
        ("gru", 949, 344_768, 949, 344_768),
        # 422 parameters: 22 biases and 16 x 5 x 5 weights. 68,772 operations: 174 x 6 + 83 x 16, and 2 x 83 x 400.
        ("cnn", 84_851, 194_242, 84_851 + 22 + 400, 194_242 + 1_044 + 1_328 + 66_400),
        ("mlp-deep", 244_485, 487_936, 244_485, 487_936),
    ],
)
def test_figures_of_the_course(arch, parameters, operations, right_parameters, right_operations):
    model = build_classifier(arch, 5, input_shape=(178, 1))
    report = course_report_of(model)
    assert report.totals == {
        "parameters": parameters,
        "operations": operations,
        "right_parameters": right_parameters,
        "right_operations": right_operations,
    }
    assert model.count_params() == right_parameters == complexity_of(model).totals["parameters"]
    assert right_operations == complexity_of(model).totals["operations"]
    json.dumps(report.to_dict())


def test_where_the_course_is_wrong_is_explained():
    text = str(course_report_of(build_classifier("cnn", 5, input_shape=(178, 1))))
    assert "85,273 parameters are right, not 84,851: 422 are missing" in text
    assert "263,014 operations are right, not 194,242: 68,772 are missing" in text
    assert "stage1_conv2: 5 of 6 channels: 5 x 5 x 16 = 400 parameters, 2 x 83 x 400 = 66,400 operations" in text
    right = str(course_report_of(build_classifier("gru", 5, input_shape=(178, 1))))
    assert "The course's count of these layers is right." in right


@pytest.mark.parametrize(
    ("layer", "needed"),
    [
        (layers.LSTM(3), "layers of type"),
        (layers.GRU(3), "one bias"),
        (layers.GRU(3, reset_after=False, activation="relu"), "sigmoid and tanh"),
        (layers.Conv1D(3, 2, use_bias=False), "with a bias"),
        (layers.Dense(3, activation="tanh"), "activations"),
        (layers.ReLU(max_value=6), "plain ReLU"),
    ],
)
def test_what_the_course_does_not_count_is_refused(layer, needed):
    with pytest.raises(OptionError, match=rf"{needed}.*Received: .*{layer.name}"):
        course_report_of(one_layer(layer, (9, 2)))

"""Parameter counts, outputs and names of the 1-D ResNet against the public implementation."""

import json
import pathlib
import re

import keras
import numpy as np
import pytest

from transplant.errors import OptionError
from transplant.modules import registry
from transplant.modules.resnet1d import ResNet, build_resnet1d
from transplant.modules.utils import build_input_tensor_from_shape

GOLDEN = json.loads((pathlib.Path(__file__).parents[1] / "golden" / "resnet1d_outputs.json").read_text())


def trainable_count(model):
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


@pytest.mark.parametrize(
    ("arch", "stages", "expected"),
    [
        ("resnet18", None, 4_492_480),
        ("resnet18", 1, 116_416),
        ("resnet18", 2, 413_888),
        ("resnet18", 3, 1_598_656),
        ("resnet34", None, 9_086_656),
        ("resnet50", None, 16_974_016),
    ],
)
def test_parameter_counts_are_the_published_ones(arch, stages, expected):
    model = build_resnet1d(arch, stages=stages)
    assert model.count_params() == expected
    if stages is None and arch == "resnet18":
        assert expected - trainable_count(model) == 9_600


def convolutions_in_golden_order(model):
    """Stem; then per block its convolutions in order, then its shortcut convolution."""

    def rank(layer):
        if layer.name == "stem_conv":
            return (0, 0, 0, 0)
        stage, block, kind = re.fullmatch(r"stage(\d)_block(\d)_(conv\d|shortcut_conv)", layer.name).groups()
        return (int(stage), int(block), kind == "shortcut_conv", kind)

    return sorted((layer for layer in model.layers if isinstance(layer, keras.layers.Conv1D)), key=rank)


@pytest.mark.parametrize("case", sorted(GOLDEN["cases"]))
def test_outputs_are_those_of_the_public_code(case):
    expected = GOLDEN["cases"][case]
    arch, _, stages = case.partition("_stages")
    model = build_resnet1d(arch, stages=int(stages) if stages else None)
    convolutions = convolutions_in_golden_order(model)
    assert len(convolutions) == expected["n_convs"]
    for j, layer in enumerate(convolutions):
        shape = tuple(layer.kernel.shape)
        i = np.arange(np.prod(shape), dtype=np.float64)
        layer.kernel.assign((np.sin(0.37 * i * i + j) * np.sqrt(6 / (shape[0] * shape[1]))).reshape(shape))
    t = np.arange(1024, dtype=np.float64)
    x = (np.sin(0.05 * t) + 0.5 * np.sin(0.31 * t)).astype(np.float32)[None, :, None]
    features = keras.ops.convert_to_numpy(model(x, training=False))
    assert list(features.shape) == expected["shape"]
    scale = np.max(expected["pooled_first16"])
    np.testing.assert_allclose(features.mean(axis=1)[0, :16], expected["pooled_first16"], rtol=1e-3, atol=1e-5 * scale)
    assert features.mean() == pytest.approx(expected["mean"], rel=1e-3)
    assert features.std() == pytest.approx(expected["std"], rel=1e-3)


def test_the_notebook_cell_builds_its_model():
    features = keras.Sequential(
        [
            ResNet(num_outputs=None, blocks=(2, 2, 2, 2), kernel_size=(7, 5, 5, 3), include_top=False),
            keras.layers.GlobalAveragePooling1D(),
        ]
    )
    model = keras.Sequential([features, keras.layers.Dense(5)])
    model(build_input_tensor_from_shape((None, 2048, 1), dtype="float32", ignore_batch_dim=True))
    assert model.count_params() == 4_495_045
    assert trainable_count(model) == 4_485_445


def test_the_time_axis_shrinks_by_32_and_rounds_up():
    model = build_resnet1d("resnet18")
    assert model(np.zeros((2, 65, 1), np.float32)).shape == (2, 3, 512)


def test_include_top_gives_logits():
    model = ResNet(num_outputs=3, blocks=(1,), kernel_size=(7,), include_top=True)
    model.get_layer("head").bias.assign([7.0, -7.0, 0.0])
    assert model(np.zeros((1, 32, 1), np.float32)).numpy()[0].tolist() == pytest.approx([7.0, -7.0, 0.0], abs=1e-4)


def test_every_layer_has_the_same_name_in_a_second_model():
    first, second = (build_resnet1d("resnet50", stages=2) for _ in range(2))
    names = [layer.name for layer in first.layers]
    assert names == [layer.name for layer in second.layers]
    assert {"stem_conv", "stem_bn", "stage1_block1_conv3", "stage1_block1_shortcut_conv", "stage2_block1_conv1"} < set(
        names
    )


def test_a_basic_block_has_a_shortcut_convolution_only_where_the_shape_changes():
    names = {layer.name for layer in build_resnet1d("resnet18").layers}
    assert {name for name in names if name.endswith("shortcut_conv")} == {
        f"stage{stage}_block1_shortcut_conv" for stage in (2, 3, 4)
    }


def test_batch_norm_has_the_published_constants():
    norms = [
        layer
        for layer in build_resnet1d("resnet18", stages=1).layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert len(norms) == 5
    assert {(layer.momentum, layer.epsilon) for layer in norms} == {(0.9, 1e-5)}


def test_the_seed_decides_the_weights_and_the_number_of_stages_does_not():
    one, two, other = (
        build_resnet1d("resnet18", stages=stages, seed=seed) for stages, seed in ((1, 3), (2, 3), (1, 4))
    )
    name = "stage1_block1_conv1"
    kernels = [model.get_layer(name).kernel.numpy() for model in (one, two, other)]
    assert np.array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[0], kernels[2])
    second = one.get_layer("stage1_block1_conv2").kernel.numpy()
    assert not np.array_equal(kernels[0], second)


@pytest.mark.parametrize(
    "arguments",
    [
        {"stages": 5},
        {"stages": 0},
        {"leads": 0},
        {"include_top": True},
        {"blocks": (2, 2), "kernel_size": (7,)},
        {"blocks": (1,) * 5, "kernel_size": (3,) * 5},
    ],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(OptionError, match="Received"):
        ResNet(**arguments)


def test_an_unknown_architecture_is_refused_with_the_list_of_names():
    with pytest.raises(OptionError, match=r"resnet18, resnet34, resnet50.*Received: resnet19"):
        registry.build_backbone("resnet19")
    with pytest.raises(OptionError, match="stages=5"):
        registry.build_backbone("resnet18", stages=5)
    with pytest.raises(OptionError, match="arch=vgg"):
        build_resnet1d("vgg")


@pytest.mark.parametrize(
    "name", sorted(name for name, entry in registry.ARCHITECTURES.items() if not entry.is_plain)
)
def test_every_registered_backbone_has_the_parameters_that_its_description_says(name):
    model = registry.build_backbone(name)
    assert model.name == "backbone"
    assert f"{model.count_params():,} parameters" in registry.ARCHITECTURES[name].description


def test_inputs_from_nested_shapes():
    built = build_input_tensor_from_shape(
        {"context": (None, 8, 512, 1), "pair": [(None, 4), (None,)]},
        dtype={"context": "float32", "pair": ["int32"] * 2},
    )
    assert built["context"].shape == (None, 8, 512, 1)
    assert [part.shape for part in built["pair"]] == [(None, 4), (None,)]
    assert [part.dtype for part in built["pair"]] == ["int32", "int32"]
    assert build_input_tensor_from_shape((16, 1), ignore_batch_dim=False).shape == (None, 16, 1)


def test_inputs_from_the_shapes_of_a_tf_data_set():
    import tensorflow as tf

    shape = tf.TensorShape([None, 2048, 1])
    built = build_input_tensor_from_shape(shape, dtype=tf.float32, ignore_batch_dim=True)
    assert (built.shape, built.dtype) == ((None, 2048, 1), "float32")

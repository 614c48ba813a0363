"""Parameter counts, outputs and names of the 2-D ResNet-18, and its spectrogram inside."""


import keras
import numpy as np
import pytest
from fresh_process import check_files_in_a_fresh_process

from transplant.errors import OptionError
from transplant.modules import registry
from transplant.modules.classifier import build_classifier
from transplant.modules.fused_batch_norm import FusedBatchNormalization
from transplant.modules.resnet2d import ResNet18_2D, build_resnet2d
from transplant.signals.magnitude_spectrogram import magnitude_spectrogram
from transplant.signals.spectrogram import SpectrogramSettings
from transplant.training.weights import named_variables


@pytest.fixture
def dtype_policy():
    before = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)


def trainable_count(model):
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


def test_the_notebook_cell_builds_its_model():
    model = ResNet18_2D(num_classes=5)
    model.build((None, 64, 64, 1))
    assert (model.count_params(), trainable_count(model)) == (11_187_205, 11_177_605)
    assert model(np.zeros((2, 64, 64, 1), np.float32)).shape == (2, 5)
    assert model(np.zeros((1, 128, 512, 1), np.float32)).shape == (1, 5)


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        # Stem 49 * 64 + 64 and 4 * 64; stage 1: four convolutions 9 * 64 * 64 + 64, each with 4 * 64.
        (1, 3_200 + 256 + 4 * (36_928 + 256)),
        # Stage 2: 9 * 64 * 128 + 128, three of 9 * 128 * 128 + 128, a shortcut 64 * 128 + 128, five of 4 * 128.
        (2, 152_192 + 73_856 + 3 * 147_584 + 8_320 + 5 * 512),
        (None, 11_184_640),
    ],
)
def test_parameter_counts_of_the_backbone(stages, expected):
    model = build_resnet2d(stages=stages)
    assert model.count_params() == expected
    if stages is None:
        assert expected - trainable_count(model) == 9_600


@pytest.mark.parametrize(
    ("settings", "samples", "expected"),
    [
        (SpectrogramSettings(), 4096, (2, 16, 16, 128)),
        (SpectrogramSettings("draft"), 4096, (2, 8, 8, 128)),
        (SpectrogramSettings("draft", bins=32), 4000, (2, 4, 8, 128)),
        (SpectrogramSettings(), 7, (2, 16, 1, 128)),
    ],
)
def test_both_axes_of_the_spectrogram_shrink_by_a_power_of_two(settings, samples, expected):
    backbone = build_resnet2d(stages=2, leads=3, spectrogram=settings)
    assert backbone(np.zeros((2, samples, 3), np.float32)).shape == expected


def conv2d(x, layer):
    """Convolve (frequency, slice, channels) by the definition, with TensorFlow's "same" padding."""
    kernel, bias = layer.kernel.numpy().astype(np.float64), layer.bias.numpy()
    size, stride = kernel.shape[0], layer.strides[0]
    pads, outs = [], []
    for length in x.shape[:2]:
        out = -(-length // stride)
        total = max((out - 1) * stride + size - length, 0)
        pads.append((total // 2, total - total // 2))
        outs.append(out)
    x = np.pad(x, (*pads, (0, 0)))
    y = np.empty((*outs, kernel.shape[3]))
    for i in range(outs[0]):
        for j in range(outs[1]):
            patch = x[i * stride : i * stride + size, j * stride : j * stride + size]
            y[i, j] = np.tensordot(patch, kernel, 3) + bias
    return y


def batch_norm(x, layer):
    gamma, beta, mean, variance = (v.numpy().astype(np.float64) for v in layer.weights)
    return gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta


def test_outputs_are_those_of_a_network_written_out_in_numpy():
    settings = SpectrogramSettings("final", bins=16)
    backbone = build_resnet2d(stages=2, seed=0, spectrogram=settings)
    rng = np.random.default_rng(1)
    for key, variable in named_variables(backbone).items():
        if not key.endswith("/kernel"):  # biases and batch norms begin as nought and one
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))

    signal = rng.normal(size=(512, 1)).astype(np.float32)
    layer = backbone.get_layer

    def step(x, name):
        return batch_norm(conv2d(x, layer(name)), layer(name.replace("conv", "bn")))

    x = np.maximum(step(magnitude_spectrogram(signal, settings).astype(np.float64), "stem_conv"), 0)
    assert x.shape == (8, 8, 64)
    x = x.reshape(4, 2, 4, 2, 64).max(axis=(1, 3))
    for block in ("stage1_block1", "stage1_block2", "stage2_block1", "stage2_block2"):
        shortcut = step(x, f"{block}_shortcut_conv") if block == "stage2_block1" else x
        inner = np.maximum(step(x, f"{block}_conv1"), 0)
        x = np.maximum(step(inner, f"{block}_conv2") + shortcut, 0)
    got = backbone(signal[None], training=False).numpy()[0]
    assert got.shape == x.shape == (2, 2, 128)
    np.testing.assert_allclose(got, x, rtol=1e-3, atol=1e-4 * x.max())


def test_a_shortcut_convolution_stands_only_where_a_block_is_strided():
    names = {layer.name for layer in build_resnet2d().layers}
    assert {name for name in names if name.endswith("shortcut_conv")} == {
        f"stage{stage}_block1_shortcut_conv" for stage in (2, 3, 4)
    }


def test_every_layer_has_the_same_name_in_a_second_model_and_in_the_reports_one():
    first, second, whole = build_resnet2d(), build_resnet2d(), ResNet18_2D()
    assert [layer.name for layer in first.layers] == [layer.name for layer in second.layers]
    assert set(named_variables(whole)) == set(named_variables(first)) | {"head/kernel", "head/bias"}
    assert len(named_variables(first)) == 120


def test_batch_norm_has_keras_constants_and_its_kind_is_chosen():
    for kind, cls in (("stock", keras.layers.BatchNormalization), ("fused", FusedBatchNormalization)):
        norms = [layer for layer in build_resnet2d(stages=1, batch_norm=kind).layers if "bn" in layer.name]
        assert {type(layer) for layer in norms} == {cls}
        assert {(layer.momentum, layer.epsilon) for layer in norms} == {(0.99, 1e-3)}


def test_both_kinds_of_batch_norm_train_alike():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 512, 1)).astype(np.float32), np.arange(4) % 3
    losses = []
    for kind in ("stock", "fused"):
        model = build_classifier("resnet18_2d", 3, stages=1, seed=0, batch_norm=kind, spectrogram="draft")
        model.compile(keras.optimizers.SGD(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        losses.append([float(model.train_on_batch(x, y)) for _ in range(3)])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-3)
    assert losses[0][2] < losses[0][0]


def test_the_seed_decides_the_weights_and_neither_stages_nor_bins_do():
    one, two, other = (
        build_resnet2d(stages=stages, seed=seed, spectrogram=SpectrogramSettings(bins=bins))
        for stages, seed, bins in ((1, 3, 128), (2, 3, 64), (1, 4, 128))
    )
    kernels = [model.get_layer("stage1_block1_conv1").kernel.numpy() for model in (one, two, other)]
    assert np.array_equal(kernels[0], kernels[1]) and not np.array_equal(kernels[0], kernels[2])
    # He's: a truncated normal of variance 2 / fan-in, here 9 * 64.
    assert kernels[0].std() == pytest.approx(np.sqrt(2 / 576), rel=0.02)


def test_the_classifier_means_over_both_axes():
    model = build_classifier("resnet18_2d", 3, stages=1, seed=0, spectrogram="draft")
    assert [layer.name for layer in model.layers] == ["signal", "backbone", "pool", "head"]
    x = np.random.default_rng(0).normal(size=(2, 1000, 1)).astype(np.float32)
    features = model.get_layer("backbone")(x, training=False).numpy()
    assert features.shape == (2, 16, 4, 64)
    head = model.get_layer("head")
    expected = features.mean(axis=(1, 2)) @ head.kernel.numpy() + head.bias.numpy()
    np.testing.assert_allclose(model(x, training=False).numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_under_mixed_precision_logits_are_float32_and_artefacts_do_not_overflow(dtype_policy, policy):
    dtype_policy(policy)
    model = build_classifier("resnet18_2d", 4, stages=2, seed=0)
    backbone = model.get_layer("backbone")
    x = np.random.default_rng(0).normal(size=(4, 2048, 1)).astype(np.float32)
    x[0, :, 0] += 1500 * np.sin(np.arange(2048))  # magnitudes near 96,000, where float16 ends at 65,504
    features, logits = backbone(x, training=True), model(x, training=True)
    assert keras.backend.standardize_dtype(features.dtype) == policy.removeprefix("mixed_")
    assert backbone.get_layer("spectrogram").output.dtype == "float32"
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert model.get_layer("pool").compute_dtype == "float32"
    assert np.isfinite(logits.numpy()).all() and np.isfinite(features.numpy().astype(np.float32)).all()


def test_a_keras_file_gives_the_same_outputs_in_a_fresh_process(dtype_policy, tmp_path):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 700, 2)).astype(np.float32)
    expected = {}
    for policy, preset in (("float32", "draft"), ("mixed_bfloat16", "final")):
        dtype_policy(policy)
        model = build_classifier("resnet18_2d", 4, leads=2, stages=2, seed=5, spectrogram=preset)
        for variable in model.non_trainable_variables:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        expected[policy] = model(x, training=False).numpy()
        model.save(tmp_path / f"{policy}.keras")
    check_files_in_a_fresh_process(expected, x, tmp_path)


@pytest.mark.parametrize(
    "arguments", [{"arch": "resnet34_2d"}, {"stages": 5}, {"stages": 0}, {"leads": 0}, {"batch_norm": "none"}]
)
def test_arguments_that_make_no_network_are_refused(arguments):
    with pytest.raises(OptionError, match="Received"):
        build_resnet2d(**arguments)


def test_a_network_without_classes_is_refused():
    with pytest.raises(OptionError, match="num_classes=0"):
        ResNet18_2D(num_classes=0)


def test_the_registry_knows_which_networks_take_a_spectrogram():
    assert {name for name, entry in registry.ARCHITECTURES.items() if entry.takes_spectrogram} == {
        "resnet18_2d",
        "fusion",
    }
    assert registry.choose_spectrogram("resnet18") is None
    assert registry.choose_spectrogram("resnet18_2d") == SpectrogramSettings("final", 128)
    assert registry.choose_spectrogram("resnet18_2d", "draft", 32) == SpectrogramSettings("draft", 32)
    assert registry.choose_spectrogram("resnet18_2d", bins=100) == SpectrogramSettings("final", 100)
    for asked in ({"spectrogram": "final"}, {"bins": 64}, {"spectrogram": SpectrogramSettings()}):
        with pytest.raises(OptionError, match=r"resnet18 takes the raw signal, and only resnet18_2d"):
            registry.choose_spectrogram("resnet18", **asked)


def test_the_registry_builds_the_asked_spectrogram():
    for asked in ("draft", SpectrogramSettings("draft")):
        layer = registry.build_backbone("resnet18_2d", stages=1, spectrogram=asked).get_layer("spectrogram")
        assert (layer.hop, layer.bins) == (64, 64)
    layer = registry.build_backbone("resnet18_2d", stages=1).get_layer("spectrogram")
    assert (layer.hop, layer.bins) == (32, 128)
    with pytest.raises(OptionError, match="spectrogram"):
        registry.build_backbone("resnet18", stages=1, spectrogram="draft")

"""Checkpoints of the public code: found by structure, whole, and with the outputs that its network gives."""

import numpy as np
import pytest
import tensorflow as tf
from public_network import Node, dense, forward, network, read_all, save, write_all

from transplant.errors import WeightsError
from transplant.modules.classifier import build_classifier
from transplant.signals.normalization import Normalization
from transplant.training.description import ModelDescription
from transplant.training.tf_checkpoint import read_tf_checkpoint
from transplant.training.transfer import find_weights, transfer_backbone
from transplant.training.weights import named_variables, read_weights

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
BLOCK = "layer-0/layer-0/blocks/"
RNG = np.random.default_rng(1)


def pretraining(net, channels, classes, names="layer"):
    """Sequential([Sequential([network, pool]), Dense]); TensorFlow 2.1 names by `layer`."""
    head = {f"{names}-1": dense(RNG, channels, classes)}
    return Node(**{f"{names}-0": Node(**{f"{names}-0": net})}, **head, optimizer=Node(iter=tf.Variable(5)))


def finetuning(net, channels, classes):
    """Sequential([network, pool, Dense])."""
    return Node(**{"layer-0": net, "layer-2": dense(RNG, channels, classes)})


def predictive_coding(net, channels):
    """CPCSolver; its dense layers have the shape of a head, and are none."""
    layers = [Node(ff1=dense(RNG, channels, 2 * channels), mha=Node(W_q=dense(RNG, channels, channels)))]
    pooling = Node(pool_token_embedding=tf.Variable(tf.zeros(channels)), transformer=Node(enc_layers=layers))
    return Node(signal_embedding=Node(**{"layer-0": net}), attn_pooling=pooling)


@pytest.fixture(scope="module")
def rhythm(tmp_path_factory):
    """The prefix of a one-stage ResNet-18 with a rhythm head, and the network."""
    prefix = tmp_path_factory.mktemp("job") / "epoch_01" / "model.weights"
    net, channels = network((2,))
    save(pretraining(net, channels, 6), prefix)
    return prefix, net


def describe(architecture="resnet18", stages=1, leads=("II",)):
    normalization = Normalization("zscore", "train", (0.0,) * len(leads), (1.0,) * len(leads))
    return ModelDescription(architecture, stages, leads, 250.0, "mV", normalization, None, "af", ("A", "N"), {})


def signal(leads=1):
    return np.random.default_rng(0).normal(size=(2, 301, leads)).astype(np.float32)


@pytest.mark.parametrize(
    ("architecture", "depths", "wrap", "task", "n_arrays"),
    [
        ("resnet18", (2, 2), lambda net, c: pretraining(net, c, 5), "beat", 52),
        ("resnet18", (2,), lambda net, c: pretraining(net, c, 4, "layer_with_weights"), "hr", 27),
        ("resnet34", (3,), lambda net, c: pretraining(net, c, 6), "rhythm", 37),
        ("resnet50", (3,), lambda net, c: pretraining(net, c, 6), "rhythm", 57),
        ("resnet18", (2,), lambda net, c: pretraining(net, c, 7), "unknown", 27),
        ("resnet18", (2,), predictive_coding, "cpc", 25),
        ("resnet18", (2,), lambda net, c: finetuning(net, c, 4), "finetuning", 27),
        ("resnet18", (2,), lambda net, c: Node(**{"layer-0": net}), "unknown", 25),
        ("resnet18", (2,), lambda net, c: net, "unknown", 25),
    ],
)
def test_the_features_are_those_of_the_public_network(tmp_path, architecture, depths, wrap, task, n_arrays):
    net, channels = network(depths, bottleneck=architecture == "resnet50")
    save(wrap(net, channels), tmp_path / "model.weights")
    weights = read_weights(find_weights(tmp_path / "model.weights"))
    description = weights.description
    assert (description.architecture, description.stages, description.task) == (architecture, len(depths), task)
    assert len(weights.arrays) == n_arrays

    model = build_classifier(architecture, 2, stages=len(depths), seed=3)
    report = transfer_backbone(model, weights, describe(architecture, len(depths)), log=str)
    assert set(report.loaded) == set(named_variables(model.get_layer("backbone")))
    features = model.get_layer("backbone")(signal(), training=False).numpy()
    expected = forward(net, signal())
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_the_whole_resnet18_has_its_hundred_tensors(tmp_path):
    net, channels = network((2, 2, 2, 2))
    save(pretraining(net, channels, 4), tmp_path / "w")
    weights = read_tf_checkpoint(tmp_path / "w")
    assert (weights.description.stages, len(weights.arrays)) == (4, 102)
    assert sum(array.size for array in weights.arrays.values()) == 4_494_532
    assert np.array_equal(weights.arrays["stage3_block1_shortcut_conv/kernel"], net.blocks[4].proj_conv.kernel.numpy())


def test_the_head_and_its_classes_come_along(rhythm):
    prefix, net = rhythm
    weights = read_tf_checkpoint(prefix)
    assert weights.description.classes == ("undefined", "end", "noise", "normal", "afib", "aflut")
    model = build_classifier("resnet18", 6, stages=1)
    for key, variable in named_variables(model).items():
        variable.assign(weights.arrays[key])
    stored = read_all(prefix)
    expected = forward(net, signal()).mean(axis=1) @ stored["layer-1/kernel" + VALUE] + stored["layer-1/bias" + VALUE]
    np.testing.assert_allclose(model(signal(), training=False).numpy(), expected, rtol=1e-4, atol=1e-4)


def test_what_the_checkpoint_does_not_say_is_that_of_the_public_code(rhythm, tmp_path):
    description = read_tf_checkpoint(rhythm[0]).description
    assert (description.sampling_rate_hz, description.unit) == (250.0, "mV")
    assert description.data["name"] == "TensorFlow checkpoint of the public code"
    assert description.normalization == Normalization("zscore", "paper:icentia11k", (0.0018,), (1.3711,))
    net, channels = network((2,))
    save(finetuning(net, channels, 4), tmp_path / "best_model.weights")
    fine = read_tf_checkpoint(tmp_path / "best_model.weights").description
    assert fine.normalization == Normalization("zscore", "paper:cinc2017", (0.0075,), (0.2373,))


def test_a_network_of_two_leads_says_so_and_one_lead_is_tiled(rhythm, tmp_path):
    net, channels = network((2,), leads=2)
    save(pretraining(net, channels, 5), tmp_path / "w")
    weights = read_tf_checkpoint(tmp_path / "w")
    model = build_classifier("resnet18", 2, stages=1, leads=2)
    two = describe(leads=("II", "V5"))
    assert transfer_backbone(model, weights, two, log=str).tiled == ()
    features = model.get_layer("backbone")(signal(2), training=False).numpy()
    np.testing.assert_allclose(features, forward(net, signal(2)), rtol=1e-4, atol=1e-4)
    assert transfer_backbone(model, read_tf_checkpoint(rhythm[0]), two, log=str).tiled == ("stem_conv/kernel",)


def test_prefix_index_file_and_folder_are_the_same_checkpoint(rhythm):
    prefix, _ = rhythm
    index = prefix.parent / "model.weights.index"
    assert find_weights(prefix) == find_weights(str(index)) == find_weights(prefix.parent) == index
    assert read_tf_checkpoint(prefix).path == read_weights(index).path == index


def test_a_folder_of_several_checkpoints_is_refused_and_a_job_goes_first(rhythm, tmp_path):
    for name in ("a", "b"):
        write_all({"x": np.zeros(1, np.float32)}, tmp_path / name)
    with pytest.raises(WeightsError, match=r"one TensorFlow checkpoint\. Received: a, b; name one"):
        find_weights(tmp_path)
    (tmp_path / "backbone.npz").touch()
    assert find_weights(tmp_path) == tmp_path / "backbone.npz"


def test_optimizer_slots_are_left_out(rhythm, tmp_path):
    prefix, _ = rhythm
    arrays = read_all(prefix)
    slot = f"{BLOCK}0/conv1/kernel/.OPTIMIZER_SLOT/optimizer/m{VALUE}"
    write_all(arrays | {slot: np.full((7, 64, 64), np.inf, np.float32)}, tmp_path / "w")
    ours, theirs = read_tf_checkpoint(tmp_path / "w").arrays, read_tf_checkpoint(prefix).arrays
    assert all(np.array_equal(ours[key], theirs[key]) for key in theirs) and len(ours) == len(theirs)


def without(*parts):
    return lambda arrays: {name: array for name, array in arrays.items() if not any(part in name for part in parts)}


def plus(name, value):
    return lambda arrays: arrays | {name + VALUE: np.asarray(value, np.float32)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("conv1/kernel"), r"one resnet18.*missing conv1/kernel, blocks/0/conv1/kernel, blocks/1/conv1/kernel;"),
        (without("blocks/0/"), "missing blocks/0/conv1/kernel, .* and 6 more; of another shape none"),
        (without("blocks/"), "holds one residual network. Received: 0"),
        (without("blocks/1/"), "Received: 1 blocks of 2 convolutions"),
        (plus(f"{BLOCK}0/proj_conv/kernel", np.zeros((1, 64, 64))), "not in it blocks/0/proj_conv/kernel"),
        (plus("layer-0/layer-0/se/kernel", [1.0]), "not in it se/kernel"),
        (
            plus(f"{BLOCK}1/conv2/kernel", np.zeros((3, 64, 64))),
            r"shape blocks/1/conv2/kernel \(3, 64, 64\) instead of \(7, 64, 64\)",
        ),
        (plus("ema/blocks/0/conv1/kernel", [1.0]), "one residual network. Received: 2, in ema/, layer-0/layer-0/"),
        (plus("layer-1/kernel", np.zeros((32, 6))), r"fit the network's 64 channels.*layer-1/kernel \(32, 6\)"),
        (without("layer-1/bias"), "layer-1/bias missing"),
        (plus("layer-2/kernel", np.zeros((64, 6))), "one head at most. Received: layer-1/, layer-2/"),
        (
            lambda arrays: arrays | {f"layer-0/layer-0/bn1/beta{VALUE}": np.zeros(64, np.int32)},
            "floating-point numbers. Received: layer-0/layer-0/bn1/beta of int32",
        ),
    ],
)
def test_a_checkpoint_that_is_not_exactly_one_network_is_refused(rhythm, tmp_path, change, message):
    write_all(change(read_all(rhythm[0])), tmp_path / "w")
    with pytest.raises(WeightsError, match=message) as caught:
        read_tf_checkpoint(tmp_path / "w")
    assert str(caught.value).startswith(f"{tmp_path / 'w'}: ") and "\n" not in str(caught.value)


def cut(suffix, size):
    def damage(prefix):
        file = prefix.with_name(prefix.name + suffix)
        file.write_bytes(file.read_bytes()[:size])

    return damage


def flip(prefix):
    file = prefix.with_name(f"{prefix.name}.data-00000-of-00001")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut(".data-00000-of-00001", 1000), "damaged or cut short.*Received: Read less bytes"),
        (cut(".index", 500), "damaged or cut short"),
        (cut(".index", 0), "damaged or cut short"),
        (flip, "damaged or cut short.*Checksum does not match"),
        (lambda prefix: prefix.with_name("w.data-00000-of-00001").unlink(), "No such file"),
        (lambda prefix: prefix.with_name("w.index").unlink(), r"Received: no w\.index; copy both"),
    ],
)
def test_damaged_files_give_one_line(rhythm, tmp_path, damage, message):
    write_all(read_all(rhythm[0]), tmp_path / "w")
    damage(tmp_path / "w")
    with pytest.raises(WeightsError, match=message) as caught:
        read_tf_checkpoint(tmp_path / "w")
    assert "\n" not in str(caught.value)

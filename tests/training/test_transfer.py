"""Transfer of backbones: whole, by name, and only where the input is of one kind."""

import dataclasses
import os

import keras
import numpy as np
import pytest

from transplant.errors import WeightsError
from transplant.modules.classifier import build_classifier
from transplant.modules.registry import PREFIXES
from transplant.signals.normalization import Normalization
from transplant.signals.spectrogram import SpectrogramSettings
from transplant.training.description import ModelDescription
from transplant.training.transfer import find_weights, transfer_backbone
from transplant.training.weights import named_variables, read_weights, save_weights

HEART_RATES = ("tachycardia", "bradycardia", "normal", "noise")


def describe(**changes):
    values = {
        "architecture": "resnet18",
        "stages": 1,
        "leads": ("II",),
        "sampling_rate_hz": 250.0,
        "unit": "mV",
        "normalization": Normalization("zscore", "train", (0.0,), (1.0,)),
        "input_length": None,
        "task": "hr",
        "classes": HEART_RATES,
        "data": {"name": "synthetic"},
    }
    return ModelDescription(**(values | changes))


def small(n_classes=4, seed=0, **arguments):
    model = build_classifier("resnet18", n_classes, seed=seed, **({"stages": 1} | arguments))
    rng = np.random.default_rng(seed)
    for variable in model.non_trainable_variables:
        variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return model


def save(path, model, **changes):
    save_weights(path, model, describe(**changes))
    return read_weights(path)


def values_of(model):
    return {key: variable.numpy() for key, variable in named_variables(model).items()}


@pytest.fixture(scope="module")
def heart_rate_file(tmp_path_factory):
    """A full ResNet-18 with a 4-class heart-rate head, and its values."""
    model = small(seed=1, stages=None)
    path = tmp_path_factory.mktemp("hr") / "weights.npz"
    return save(path, model, stages=4), values_of(model)


def test_a_heart_rate_file_gives_its_whole_backbone_and_not_its_head(heart_rate_file):
    weights, source = heart_rate_file
    model = small(seed=2, stages=None)
    before = values_of(model)
    assert before["head/kernel"].shape == source["head/kernel"].shape
    lines = []
    report = transfer_backbone(model, weights, describe(stages=4, task="af"), log=lines.append)
    after = values_of(model)
    backbone = [key for key in source if not key.startswith("head/")]
    assert len(backbone) == 100
    for key in backbone:
        assert np.array_equal(after[key], source[key])
        assert not np.array_equal(before[key], source[key]) or key.endswith(("gamma", "beta"))
    for key in ("head/kernel", "head/bias"):
        assert np.array_equal(after[key], before[key])
    assert set(report.loaded) == set(backbone)
    assert (report.left, report.missing, report.tiled) == (("head/kernel", "head/bias"), (), ())
    assert lines == [
        f"loaded 100 of 100 backbone tensors from {weights.path} (resnet18, task hr); "
        "left: head/kernel, head/bias; missing: none"
    ]


def test_the_features_are_those_of_the_pretrained_model(tmp_path):
    source, target = small(5, seed=3), small(4, seed=4)
    transfer_backbone(target, save(tmp_path / "w.npz", source), describe(), log=str)
    x = np.random.default_rng(0).normal(size=(2, 64, 1)).astype(np.float32)
    a, b = (model.get_layer("backbone")(x, training=False).numpy() for model in (source, target))
    assert np.array_equal(a, b)


def test_a_file_of_the_backbone_alone_transfers(tmp_path):
    source, target = small(seed=3), small(seed=4)
    report = transfer_backbone(target, save(tmp_path / "w.npz", source.get_layer("backbone")), describe(), log=str)
    assert (len(report.loaded), report.left) == (25, ())


def test_equal_shaped_layers_cannot_be_swapped(tmp_path):
    def two_layers(order):
        inputs = keras.Input((None, 2))
        x = inputs
        for name in order:
            x = keras.layers.Conv1D(2, 3, padding="same", name=name)(x)
        backbone = keras.Model(inputs, x, name="backbone")
        outer = keras.Input((None, 2))
        return keras.Model(outer, backbone(outer))

    source, target = two_layers(("first", "second")), two_layers(("second", "first"))
    transfer_backbone(target, save(tmp_path / "w.npz", source), describe(), log=str)
    for name in ("first", "second"):
        ours, theirs = (model.get_layer("backbone").get_layer(name).kernel.numpy() for model in (target, source))
        assert np.array_equal(ours, theirs)


def test_four_stages_serve_a_model_of_two_and_the_rest_is_left(heart_rate_file):
    weights, source = heart_rate_file
    model = small(seed=2, stages=2)
    report = transfer_backbone(model, weights, describe(stages=2), log=str)
    kept = [key for key in source if key.startswith(("stem", "stage1", "stage2"))]
    assert set(report.loaded) == set(kept)
    assert set(report.left) == set(source) - set(kept)
    assert (len(report.loaded), len(report.left)) == (50, 52)
    assert "and 48 more" in str(report)


def test_two_stages_do_not_serve_a_model_of_four(tmp_path):
    weights = save(tmp_path / "w.npz", small(stages=2), stages=2)
    model = small(seed=9, stages=3)
    before = values_of(model)
    with pytest.raises(WeightsError, match="stages 2, this run 3"):
        transfer_backbone(model, weights, describe(stages=3), log=str)
    assert all(np.array_equal(before[key], value) for key, value in values_of(model).items())


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        ({"sampling_rate_hz": 360.0}, "weights.npz: .*sampling rate 360 Hz, this run 250 Hz"),
        ({"architecture": "resnet34"}, "architecture resnet34, this run resnet18"),
        ({"unit": "counts"}, "unit counts, this run mV"),
        ({"normalization": Normalization.none()}, "normalisation none, this run zscore"),
        ({"spectrogram": {"hop": 32}}, "spectrogram .*32.*, this run none"),
        ({"unit": "uV", "sampling_rate_hz": 500.0}, "sampling rate 500 Hz, this run 250 Hz; unit uV, this run mV"),
    ],
)
def test_weights_for_another_input_or_network_are_refused_naming_both_sides(tmp_path, theirs, message):
    weights = save(tmp_path / "weights.npz", small(seed=1), **theirs)
    with pytest.raises(WeightsError, match=message):
        transfer_backbone(small(seed=2), weights, describe(), log=str)


def test_the_constants_of_the_normalisation_may_differ(tmp_path):
    paper = Normalization.paper("icentia11k", 0.0018, 1.3711)
    weights = save(tmp_path / "w.npz", small(seed=1), normalization=paper)
    assert len(transfer_backbone(small(seed=2), weights, describe(), log=str).loaded) == 25


@pytest.mark.parametrize("dropped", [1, 25])
def test_part_or_none_of_a_backbone_is_refused_and_nothing_is_assigned(tmp_path, dropped):
    weights = save(tmp_path / "w.npz", small(seed=1))
    keep = [*[key for key in weights.arrays if not key.startswith("head/")][dropped:], "head/kernel", "head/bias"]
    partial = dataclasses.replace(weights, arrays={key: weights.arrays[key] for key in keep})
    model = small(seed=2)
    before = values_of(model)
    with pytest.raises(WeightsError, match=f"Received: {25 - dropped} of 25 tensors; missing stem_conv/kernel"):
        transfer_backbone(model, partial, describe(), log=str)
    assert all(np.array_equal(before[key], value) for key, value in values_of(model).items())


def test_a_one_lead_stem_serves_three_identical_leads_with_the_same_output(tmp_path):
    one, three = small(seed=1), small(seed=2, leads=3)
    lines = []
    report = transfer_backbone(
        three, save(tmp_path / "w.npz", one), describe(leads=("I", "II", "III")), log=lines.append
    )
    x = np.random.default_rng(0).normal(size=(2, 96, 1)).astype(np.float32)
    expected = one.get_layer("backbone")(x, training=False).numpy()
    got = three.get_layer("backbone")(np.repeat(x, 3, axis=2), training=False).numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
    assert report.tiled == ("stem_conv/kernel",)
    assert lines[1:] == ["the 1-lead kernel stem_conv/kernel was tiled over 3 leads and divided by 3"]


def test_a_one_lead_stem_of_spectrograms_serves_two_identical_leads_with_the_same_output(tmp_path):
    one, two = (
        build_classifier("resnet18_2d", 4, stages=1, leads=leads, seed=leads, spectrogram="draft") for leads in (1, 2)
    )
    values = {"architecture": "resnet18_2d", "spectrogram": SpectrogramSettings("draft").to_dict()}
    weights = save(tmp_path / "w.npz", one, **values)
    lines = []
    report = transfer_backbone(two, weights, describe(leads=("I", "II"), **values), log=lines.append)
    assert (len(report.loaded), report.tiled) == (30, ("stem_conv/kernel",))
    assert lines[1:] == ["the 1-lead kernel stem_conv/kernel was tiled over 2 leads and divided by 2"]
    x = np.random.default_rng(0).normal(size=(2, 500, 1)).astype(np.float32)
    expected = one.get_layer("backbone")(x, training=False).numpy()
    got = two.get_layer("backbone")(np.repeat(x, 2, axis=2), training=False).numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5 * expected.max())


def test_weights_of_another_spectrogram_are_refused(tmp_path):
    model = build_classifier("resnet18_2d", 4, stages=1, spectrogram="draft")
    draft, fewer = (
        {"architecture": "resnet18_2d", "spectrogram": SpectrogramSettings("draft", bins).to_dict()}
        for bins in (64, 32)
    )
    weights = save(tmp_path / "w.npz", model, **draft)
    with pytest.raises(WeightsError, match=r"spectrogram .*'bins': 64.*, this run .*'bins': 32"):
        transfer_backbone(model, weights, describe(**fewer), log=str)


def test_several_leads_serve_only_as_many_in_the_same_order(tmp_path):
    weights = save(tmp_path / "w.npz", small(seed=1, leads=2), leads=("II", "V5"))
    with pytest.raises(WeightsError, match="leads II, V5, this run II"):
        transfer_backbone(small(seed=2), weights, describe(), log=str)
    with pytest.raises(WeightsError, match="leads II, V5, this run V5, II"):
        transfer_backbone(small(seed=2, leads=2), weights, describe(leads=("V5", "II")), log=str)
    model = small(seed=2, leads=2)
    assert len(transfer_backbone(model, weights, describe(leads=("MLII", "V5")), log=str).loaded) == 25


def test_a_model_without_a_backbone_is_refused(tmp_path):
    weights = save(tmp_path / "w.npz", small(seed=1))
    inputs = keras.Input((None, 1))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling1D(name="pool")(inputs))
    with pytest.raises(WeightsError, match="named backbone"):
        transfer_backbone(model, weights, describe(), log=str)


def test_weights_are_found_by_file_job_or_newest(tmp_path):
    jobs = tmp_path / "pretraining"
    for age, name in ((300, "old"), (100, "new"), (50, "unfinished"), (10, ".partial")):
        (jobs / name).mkdir(parents=True)
        file = jobs / name / ("best_weights.npz" if name == "unfinished" else "backbone.npz")
        file.touch()
        os.utime(file, (1_000_000 - age,) * 2)
    (jobs / "old" / "best_weights.npz").touch()
    assert find_weights("newest", jobs) == jobs / "new" / "backbone.npz"
    assert find_weights(jobs / "old") == jobs / "old" / "backbone.npz"
    assert find_weights(str(jobs / "unfinished")) == jobs / "unfinished" / "best_weights.npz"
    assert find_weights(jobs / "old" / "best_weights.npz") == jobs / "old" / "best_weights.npz"


def test_weights_that_are_not_there_give_a_remedy(tmp_path):
    with pytest.raises(WeightsError, match=r"pretraining\.trainer"):
        find_weights("newest", tmp_path / "none")
    with pytest.raises(WeightsError, match=r"holds backbone\.npz or best_weights\.npz"):
        find_weights(tmp_path)
    with pytest.raises(WeightsError, match="no such weights file"):
        find_weights(tmp_path / "w.npz")


@pytest.mark.parametrize("architecture", ["resnet18", "resnet18_2d"])
def test_a_backbone_alone_sets_its_branch_of_a_fusion_and_nothing_else(tmp_path, architecture):
    spectrogram = SpectrogramSettings("draft")
    own = {"spectrogram": spectrogram.to_dict()} if architecture == "resnet18_2d" else {}
    alone = build_classifier(architecture, 3, stages=1, seed=3, spectrogram=(own and spectrogram) or None)
    file = save(tmp_path / "alone.npz", alone, architecture=architecture, **own)
    fusion = build_classifier("fusion", 4, leads=2, stages=1, seed=0, spectrogram=spectrogram)
    before = values_of(fusion)
    ours = describe(architecture="fusion", leads=("II", "V1"), spectrogram=spectrogram.to_dict())
    report = transfer_backbone(fusion, file, ours, log=lambda line: None)
    after, prefix = values_of(fusion), PREFIXES[architecture]
    changed = {key for key in after if not np.array_equal(before[key], after[key])}
    assert {key for key in changed if not key.startswith(prefix)} == set()
    for key, value in values_of(alone).items():
        if not key.startswith("head/"):
            expected = np.repeat(value, 2, axis=-2) / 2 if key == "stem_conv/kernel" else value
            np.testing.assert_array_equal(after[prefix + key], expected, err_msg=key)
    assert len(report.loaded) == sum(key.startswith(prefix) for key in after) and len(report.tiled) == 1


def test_another_network_or_spectrogram_is_no_branch(tmp_path):
    fusion = build_classifier("fusion", 4, stages=1, seed=0, spectrogram="draft")
    ours = describe(architecture="fusion", spectrogram=SpectrogramSettings("draft").to_dict())
    other = build_classifier("resnet18_2d", 4, stages=1, spectrogram="final")
    final = {"architecture": "resnet18_2d", "spectrogram": SpectrogramSettings("final").to_dict()}
    with pytest.raises(WeightsError, match="spectrogram"):
        transfer_backbone(fusion, save(tmp_path / "final.npz", other, **final), ours)
    with pytest.raises(WeightsError, match="architecture resnet34, this run fusion"):
        transfer_backbone(fusion, save(tmp_path / "34.npz", small(), architecture="resnet34"), ours)

"""Masked reconstruction: which output belongs to which step, and what the loss counts."""

import json

import keras
import numpy as np
import pytest
from layer_test import run_layer_test

from transplant.errors import OptionError
from transplant.modules.masked import MeanOverFrequency, StandardizedFrameError, build_masked_model
from transplant.modules.registry import build_backbone
from transplant.signals.masking import draw_masks
from transplant.signals.normalization import Normalization
from transplant.training.description import ModelDescription
from transplant.training.runtime import precision
from transplant.training.weights import assign_weights, named_variables, read_weights, save_weights


def backbone_of_stride(stride, leads):
    """A backbone that passes every `stride`-th sample on."""
    inputs = keras.Input((None, leads))
    pick = keras.layers.MaxPooling1D(1, strides=stride, padding="same", name="pick")
    return keras.Model(inputs, pick(inputs), name="backbone")


def small(seed=0, frame_size=256, leads=1):
    return build_masked_model(build_backbone("resnet18", stages=1, leads=leads, seed=seed), frame_size, leads, seed)


@pytest.mark.parametrize("frame_size", [12, 10])
def test_each_step_fills_its_own_samples_and_the_rest_is_cut(frame_size):
    model = build_masked_model(backbone_of_stride(4, leads=2), frame_size, leads=2)
    head = model.get_layer("reconstruction")
    # Output sample j of lead l is 10 j times what the step saw of lead l, and j.
    kernel = np.zeros((2, 4, 2))
    for lead in range(2):
        kernel[lead, :, lead] = 10.0 * np.arange(4)
    head.kernel.assign(kernel.reshape(2, 8))
    head.bias.assign(np.repeat(np.arange(4.0), 2))
    x = np.random.default_rng(0).normal(size=(2, frame_size, 2)).astype(np.float32)
    t = np.arange(frame_size)
    expected = (t % 4)[:, None] * (1 + 10 * x[:, t // 4 * 4])
    np.testing.assert_allclose(model(x).numpy(), expected, rtol=1e-5)


def test_of_a_spectrogram_the_features_are_averaged_over_frequency():
    model = build_masked_model(build_backbone("resnet18_2d", stages=1, seed=1), 1000, seed=1)
    x = np.random.default_rng(0).normal(size=(2, 1000, 1)).astype(np.float32)
    features = model.get_layer("backbone")(x, training=False).numpy()
    # 32 columns of hop 32, divided by 4: eight steps of 125 samples.
    assert features.shape[2] == 8
    head = model.get_layer("reconstruction")
    expected = features.mean(axis=1) @ head.kernel.numpy() + head.bias.numpy()
    np.testing.assert_allclose(model(x, training=False).numpy(), expected.reshape(2, 1000, 1), rtol=1e-3, atol=1e-4)


def test_the_output_is_float32_under_mixed_precision():
    with precision("bfloat16"):
        model = small()
    outputs = model(np.zeros((1, 256, 1), np.float32))
    assert keras.backend.standardize_dtype(outputs.dtype) == "float32"


def test_the_loss_of_a_frame_worked_by_hand():
    """Mean 2, deviation 2: the target is -1, -1, 1, 1, and two samples count."""
    y = np.array([0.0, 0.0, 4.0, 4.0], np.float32).reshape(1, 4, 1)
    prediction = np.array([0.5, -3.0, 1.0, 2.0], np.float32).reshape(1, 4, 1)
    weights = np.array([[2.0, 0.0, 0.0, 2.0]], np.float32)
    loss = StandardizedFrameError()
    assert float(loss(y, prediction)) == pytest.approx((2.25 + 4 + 0 + 1) / 4)
    assert float(loss(y, prediction, sample_weight=weights)) == pytest.approx((2.25 + 1) / 2)


def test_leads_are_standardised_each_by_itself_and_count_alike():
    y = np.stack([[0.0, 4.0], [-300.0, 300.0]], axis=-1)[None].astype(np.float32)
    target = np.array([[[-1.0, -1.0], [1.0, 1.0]]], np.float32)
    loss = StandardizedFrameError()
    assert float(loss(y, target)) == 0.0
    assert float(loss(y, target + np.array([1.0, 3.0], np.float32))) == pytest.approx((1 + 9) / 2)


def test_a_frame_that_hardly_varies_is_not_blown_up():
    y = np.array([-0.001, 0.001], np.float32).reshape(1, 2, 1)
    loss = StandardizedFrameError()
    assert float(loss(y, np.zeros_like(y))) == pytest.approx(0.1**2)
    assert float(loss(np.ones_like(y), np.zeros_like(y))) == 0.0


def test_predicting_the_mean_costs_one_on_average_over_masks():
    rng = np.random.default_rng(0)
    frame = np.cumsum(rng.normal(size=(1, 512, 1)), axis=1) * 7 + 3
    masks = draw_masks(rng, 4000, 512, 64, 0.5)
    y = np.repeat(frame, 4000, axis=0).astype(np.float32)
    chance = float(StandardizedFrameError()(y, np.zeros_like(y), sample_weight=masks * np.float32(2)))
    assert chance == pytest.approx(1.0, abs=0.03)


def test_the_loss_goes_through_its_configuration():
    loss = StandardizedFrameError(reduction="sum", name="other")
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(loss)))
    again = keras.saving.deserialize_keras_object(config, safe_mode=True)
    assert type(again) is StandardizedFrameError and again.get_config() == loss.get_config()
    y = np.array([0.0, 2.0], np.float32).reshape(1, 2, 1)
    assert float(again(y, np.zeros_like(y))) == 2.0


def test_fit_trains_on_the_hidden_samples_alone():
    """With the head's kernel at zero, hidden samples pull its bias towards their own target alone."""
    model = build_masked_model(backbone_of_stride(4, leads=1), 8)
    head = model.get_layer("reconstruction")
    head.kernel.assign(np.zeros((1, 4)))
    y = np.tile(np.array([-2.0, 0.0, 0.0, 2.0], np.float32), 2).reshape(1, 8, 1)
    weights = np.array([[4.0, 0, 0, 0, 4.0, 0, 0, 0]], np.float32)
    model.compile(keras.optimizers.SGD(0.1), StandardizedFrameError(), jit_compile=False)
    model.fit(np.zeros_like(y), y, sample_weight=weights, verbose=0)
    # d/db of (b - target)^2 at 0 is -2 target, and the first sample's target is -sqrt(2).
    np.testing.assert_allclose(head.bias.numpy(), [-0.2 * np.sqrt(2), 0, 0, 0], rtol=1e-5, atol=1e-7)


def test_a_weights_file_and_the_seed_bring_every_variable_back(tmp_path):
    description = ModelDescription(
        "resnet18", 1, ("II",), 250.0, "mV", Normalization.none(), 256, "masked", (), {"name": "none"}
    )
    source, same, other = small(1), small(1), small(2)
    arrays = [{key: v.numpy() for key, v in named_variables(model).items()} for model in (source, same, other)]
    assert all(np.array_equal(arrays[0][key], arrays[1][key]) for key in arrays[0])
    assert not np.array_equal(arrays[0]["reconstruction/kernel"], arrays[2]["reconstruction/kernel"])
    save_weights(tmp_path / "w.npz", source, description)
    assign_weights(other, read_weights(tmp_path / "w.npz"))
    assert all(np.array_equal(v.numpy(), arrays[0][key]) for key, v in named_variables(other).items())


@pytest.mark.parametrize("arguments", [{"frame_size": 0}, {"leads": 0}])
def test_frames_without_samples_or_leads_are_refused(arguments):
    with pytest.raises(OptionError, match="Received"):
        build_masked_model(None, **({"frame_size": 8} | arguments))


def test_the_layer_contract(tmp_path):
    inputs = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype(np.float32)
    run_layer_test(MeanOverFrequency, inputs, (2, 5, 4), tmp_path)

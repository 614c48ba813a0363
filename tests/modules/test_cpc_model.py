"""The network of predictive coding against outputs of the public code, and its weights files."""

import zlib

import keras
import numpy as np
import pytest

from transplant.errors import OptionError
from transplant.modules.cpc import BatchToFrames, FramesToBatch, build_cpc_model
from transplant.modules.registry import build_backbone
from transplant.signals.normalization import Normalization
from transplant.training.description import ModelDescription
from transplant.training.runtime import precision
from transplant.training.weights import assign_weights, named_variables, read_weights, save_weights

# What the public CPCSolver (first stage of the ResNet-18, TensorFlow 2.1) gives for the weights and inputs below.
PUBLIC_SCORES = [
    [0.9456570744514465, 1.790311574935913, 0.9137234091758728],
    [1.5557836294174194, 1.6813100576400757, 1.124537467956543],
]


def small(seed=0, **arguments):
    backbone = build_backbone("resnet18", stages=1, seed=seed)
    return build_cpc_model(backbone, **({"context_size": 4, "n_samples": 3, "frame_size": 96} | arguments), seed=seed)


def formula_inputs():
    t = np.arange(2 * 7 * 96, dtype=np.float64)
    signal = np.sin(0.05 * t) + 0.5 * np.sin(0.31 * t) + 0.3 * np.sin(0.0007 * t * t)
    frames = signal.reshape(2, 7, 96, 1).astype(np.float32)
    return {"context": frames[:, :4], "samples": frames[:, 4:]}


def formula_value(key, shape):
    i = np.arange(np.prod(shape), dtype=np.float64)
    wave = np.sin(0.37 * i * i + zlib.crc32(key.encode()) % 1000).reshape(shape)
    kind = key.rsplit("/", 1)[1]
    if kind == "kernel":
        return wave * np.sqrt(2 / np.prod(shape[:-1]))
    return {"gamma": 1 + 0.2 * wave, "token": wave}.get(kind, 0.2 * wave)


def test_scores_are_those_of_the_public_code():
    model = small()
    for key, variable in named_variables(model).items():
        if "_bn" not in key:
            variable.assign(formula_value(key, tuple(variable.shape)))
    scores = model(formula_inputs(), training=False).numpy()
    np.testing.assert_allclose(scores, PUBLIC_SCORES, rtol=1e-4)


def test_parameter_counts_are_the_published_ones():
    model = build_cpc_model(build_backbone("resnet18"), 8, 2, 2048)
    assert model.count_params() == 10_801_344
    backbone = model.get_layer("backbone")
    assert backbone.count_params() == 4_492_480
    # All but the moments of batch normalisation, the token among them.
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == 10_801_344 - 9_600
    assert model.get_layer("pooling_token").trainable_variables[0].shape == (512,)


def test_frames_of_all_inputs_go_through_the_backbone_and_come_back_in_place():
    context, samples = np.arange(2 * 3 * 5).reshape(2, 3, 5, 1), -np.arange(2 * 2 * 5).reshape(2, 2, 5, 1)
    batch = FramesToBatch()([context, samples]).numpy()
    assert batch.shape == (10, 5, 1)
    embeddings = batch.mean(axis=1)
    again = BatchToFrames((3, 2))(embeddings)
    np.testing.assert_allclose(again[0].numpy(), context.mean(axis=2))
    np.testing.assert_allclose(again[1].numpy(), samples.mean(axis=2))


def test_batch_moments_in_training_are_those_of_all_frames_together():
    model = small(seed=3)
    inputs = formula_inputs()
    moments = named_variables(model)["stem_bn/moving_mean"]
    kernel = named_variables(model)["stem_conv/kernel"].numpy()
    model(inputs, training=True)
    frames = np.concatenate([inputs["context"], inputs["samples"]], axis=1).reshape(14, 96, 1)
    # Keras pads a window of 7 at stride 2 by two samples on the left and three on the right.
    padded = np.pad(frames[..., 0], ((0, 0), (2, 3)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 7, axis=1)[:, ::2]
    expected = 0.1 * (windows @ kernel[:, 0]).mean(axis=(0, 1))
    np.testing.assert_allclose(moments.numpy(), expected, rtol=1e-3, atol=1e-6)


def test_the_order_of_the_context_counts_and_that_of_the_samples_only_permutes():
    model, inputs = small(seed=1), formula_inputs()
    scores = model(inputs, training=False).numpy()
    swapped = model({**inputs, "samples": inputs["samples"][:, ::-1]}, training=False).numpy()
    np.testing.assert_allclose(swapped, scores[:, ::-1], rtol=1e-4, atol=1e-5)
    reversed_context = model({**inputs, "context": inputs["context"][:, ::-1]}, training=False).numpy()
    assert np.abs(reversed_context - scores).max() > 1e-3


def test_a_weights_file_brings_every_variable_back(tmp_path):
    description = ModelDescription(
        "resnet18", 1, ("II",), 250.0, "mV", Normalization.none(), 96, "cpc", ("0", "1", "2"), {"name": "none"}
    )
    source, target = small(seed=1), small(seed=2)
    save_weights(tmp_path / "w.npz", source, description)
    weights = read_weights(tmp_path / "w.npz")
    assert len(weights.arrays) == len(source.variables) == 25 + 1 + 3 * 16
    assert "transformer2/attention/query/kernel" in weights.arrays
    assign_weights(target, weights)
    inputs = formula_inputs()
    assert np.array_equal(source(inputs, training=False).numpy(), target(inputs, training=False).numpy())


def test_the_same_seed_gives_the_same_weights_and_the_backbone_is_that_of_other_tasks():
    one, two, other = (named_variables(small(seed=seed)) for seed in (5, 5, 6))
    assert all(np.array_equal(one[key].numpy(), two[key].numpy()) for key in one)
    drawn = [key for key in one if key.endswith(("kernel", "token"))]
    assert not any(np.array_equal(one[key].numpy(), other[key].numpy()) for key in drawn)


@pytest.mark.parametrize("policy", ["float16", "bfloat16"])
def test_scores_are_float32_numbers_under_mixed_precision(policy):
    with precision(policy):
        model = small(seed=1)
    inputs = {name: frames * 20 for name, frames in formula_inputs().items()}
    scores = model(inputs, training=False)
    assert keras.backend.standardize_dtype(scores.dtype) == "float32"
    expected = small(seed=1)(inputs, training=False).numpy()
    np.testing.assert_allclose(scores.numpy(), expected, rtol=0.05, atol=0.05 * np.abs(expected).max())


def test_a_two_dimensional_backbone_and_several_leads_serve():
    backbone = build_backbone("resnet18_2d", stages=1, leads=2, seed=1)
    model = build_cpc_model(backbone, 2, 2, 256, leads=2, seed=1)
    frames = np.random.default_rng(0).normal(size=(3, 2, 256, 2)).astype(np.float32)
    assert model({"context": frames, "samples": frames}, training=False).shape == (3, 2)


@pytest.mark.slow
def test_it_learns_to_find_the_frame_that_goes_on():
    """The context is one of two waves; the true sample is the same wave."""
    rng = np.random.default_rng(0)
    t = np.arange(96) / 96

    def frames(kinds):
        phases = rng.uniform(0, 2 * np.pi, (*kinds.shape, 1))
        return np.sin(2 * np.pi * t * np.where(kinds, 4, 16)[..., None] + phases)[..., None].astype(np.float32)

    kind, y = rng.random(32) < 0.5, rng.integers(2, size=32)
    true_one = np.arange(2) == y[:, None]
    inputs = {
        "context": frames(np.repeat(kind[:, None], 3, axis=1)),
        "samples": frames(np.where(true_one, kind[:, None], ~kind[:, None])),
    }
    model = small(seed=1, context_size=3, n_samples=2)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"], jit_compile=False)
    for _ in range(20):
        _, accuracy = model.train_on_batch(inputs, y)
    assert accuracy == 1.0


@pytest.mark.parametrize("arguments", [{"context_size": 0}, {"n_samples": 1}, {"frame_size": 0}])
def test_wrong_sizes_are_refused(arguments):
    with pytest.raises(OptionError, match="Received"):
        small(**arguments)


def test_a_backbone_whose_channels_the_heads_do_not_divide_is_refused():
    inputs = keras.Input((None, 1))
    backbone = keras.Model(inputs, keras.layers.Conv1D(12, 3, name="conv")(inputs), name="backbone")
    with pytest.raises(OptionError, match="12 channels"):
        build_cpc_model(backbone, 2, 2, 32)

"""Classifiers: heads, dtypes, and the .keras file in another process."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from fresh_process import check_files_in_a_fresh_process

from transplant.errors import OptionError
from transplant.modules.classifier import build_classifier


@pytest.fixture
def dtype_policy():
    before = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize(("n_classes", "expected"), [(5, 4_495_045), (6, 4_495_558), (4, 4_494_532)])
def test_parameter_counts_with_a_head_are_the_published_ones(n_classes, expected):
    assert build_classifier("resnet18", n_classes).count_params() == expected


def test_the_model_is_a_named_backbone_pool_and_head():
    model = build_classifier("resnet18", 4, input_length=64, leads=2, stages=1)
    assert [layer.name for layer in model.layers] == ["signal", "backbone", "pool", "head"]
    assert model.input_shape == (None, 64, 2)
    assert model.output_shape == (None, 4)


def test_the_logits_are_the_mean_of_the_features_times_the_head():
    model = build_classifier("resnet18", 3, stages=1, seed=0)
    x = np.random.default_rng(0).normal(size=(2, 80, 1)).astype(np.float32)
    features = model.get_layer("backbone")(x, training=False).numpy()
    head = model.get_layer("head")
    expected = features.mean(axis=1) @ head.kernel.numpy() + head.bias.numpy()
    np.testing.assert_allclose(model(x, training=False).numpy(), expected, rtol=1e-4, atol=1e-5)


def test_the_backbone_of_a_seed_is_the_same_under_any_head():
    four, five = build_classifier("resnet18", 4, stages=1, seed=1), build_classifier("resnet18", 5, stages=1, seed=1)
    for a, b in zip(four.get_layer("backbone").variables, five.get_layer("backbone").variables):
        assert np.array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_logits_are_float32_under_mixed_precision(dtype_policy, policy):
    dtype_policy(policy)
    model = build_classifier("resnet18", 4, stages=1)
    features = model.get_layer("backbone")(np.zeros((1, 64, 1), np.float32))
    assert keras.backend.standardize_dtype(features.dtype) == policy.removeprefix("mixed_")
    assert keras.backend.standardize_dtype(model(np.zeros((1, 64, 1), np.float32)).dtype) == "float32"
    assert {keras.backend.standardize_dtype(v.dtype) for v in model.variables} == {"float32"}


def test_a_keras_file_gives_the_same_outputs_in_a_fresh_process(dtype_policy, tmp_path):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 100, 2)).astype(np.float32)
    expected = {}
    for policy in ("float32", "mixed_bfloat16"):
        dtype_policy(policy)
        model = build_classifier("resnet18", 4, leads=2, stages=2, seed=5)
        for variable in model.non_trainable_variables:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        expected[policy] = model(x, training=False).numpy()
        model.save(tmp_path / f"{policy}.keras")
    check_files_in_a_fresh_process(expected, x, tmp_path)


def test_a_classifier_without_classes_is_refused():
    with pytest.raises(OptionError, match="n_classes=0"):
        build_classifier("resnet18", 0)


def test_the_names_of_architectures_are_listed_without_loading_keras():
    code = (
        "import sys; from transplant.modules import registry; print(*registry.ARCHITECTURES); "
        "sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.split() == [
        "resnet18", "resnet34", "resnet50", "resnet18_2d", "fusion",
        "logistic", "mlp-16", "mlp-deep", "mlp-512", "mlp3", "cnn", "cnn-dropout", "cnn1d", "lenet",
        "convnet1", "convnet2", "convnet3",
        "gru", "gru-deep", "visit-gru", "visit-lstm", "lstm-icu", "logistic-features",
    ]  # fmt: skip

"""The two branches of a fusion are the networks alone, under other names."""

import numpy as np
import pytest

from transplant.errors import OptionError
from transplant.modules.classifier import build_classifier
from transplant.modules.cpc import build_cpc_model
from transplant.modules.fusion import build_fusion
from transplant.modules.masked import build_masked_model
from transplant.modules.registry import PREFIXES, build_backbone
from transplant.training.weights import named_variables


def test_the_features_are_those_of_both_networks_alone():
    fusion = build_backbone("fusion", stages=2, leads=2, seed=0, spectrogram="draft")
    variables = named_variables(fusion)
    x = np.random.default_rng(0).normal(size=(2, 1000, 2)).astype(np.float32)
    expected, filled = [], []
    for arch, spectrogram in (("resnet18", None), ("resnet18_2d", "draft")):
        alone = build_backbone(arch, stages=2, leads=2, seed=1, spectrogram=spectrogram)
        for key, variable in named_variables(alone).items():
            variables[PREFIXES[arch] + key].assign(variable)
            filled.append(PREFIXES[arch] + key)
        features = alone(x, training=False).numpy()
        expected.append(features.reshape(2, -1, 128).mean(axis=1))
    assert sorted(filled) == sorted(variables)
    got = fusion(x, training=False).numpy()
    assert got.shape == (2, 256)
    np.testing.assert_allclose(got, np.concatenate(expected, axis=1), rtol=1e-4, atol=1e-5)


def test_the_branches_are_nested_models_with_names_of_their_own():
    backbone = build_fusion(stages=1)
    assert [len(backbone.get_layer(name).weights) for name in ("raw_branch", "spectrogram_branch")] == [25, 30]
    assert {"raw_stem_conv/kernel", "spectrogram_stem_conv/bias"} < set(named_variables(backbone))
    assert backbone.get_layer("spectrogram_branch").get_layer("spectrogram_spectrogram").bins == 128


def test_the_classifier_puts_its_head_on_the_joined_features():
    model = build_classifier("fusion", 3, stages=1, seed=0, spectrogram="draft", dropout=0.5)
    assert [layer.name for layer in model.layers] == ["signal", "backbone", "head_dropout", "head"]
    x = np.random.default_rng(0).normal(size=(2, 500, 1)).astype(np.float32)
    head = model.get_layer("head")
    expected = model.get_layer("backbone")(x, training=False).numpy() @ head.kernel.numpy() + head.bias.numpy()
    np.testing.assert_allclose(model(x, training=False).numpy(), expected, rtol=1e-4, atol=1e-5)


def test_the_branches_of_a_seed_begin_alike_each_time_and_not_like_each_other():
    one, two = (named_variables(build_fusion(stages=1, seed=4)) for _ in range(2))
    assert all(np.array_equal(one[key].numpy(), two[key].numpy()) for key in one)
    raw, image = (one[f"{prefix}_stage1_block1_conv1/kernel"].numpy() for prefix in ("raw", "spectrogram"))
    assert not np.array_equal(raw.ravel()[:100], image.ravel()[:100])


def test_pretraining_by_context_takes_joined_features_and_reconstruction_refuses_them():
    backbone = build_backbone("fusion", stages=1, spectrogram="draft")
    assert build_cpc_model(backbone, 2, 2, 256).get_layer("pooling_token").output.shape[-1] == 128
    with pytest.raises(OptionError, match=r"over time. Received: features of shape \(None, 128\)"):
        build_masked_model(backbone, 256)


def test_another_name_is_refused():
    with pytest.raises(OptionError, match="arch=resnet18"):
        build_fusion("resnet18")

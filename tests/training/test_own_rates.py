"""A slower, later backbone against numbers worked by hand and against Keras' own optimisers."""

import keras
import numpy as np
import pytest

from transplant.modules.classifier import build_classifier
from transplant.training.backbone_rates import BackboneRates, backbone_depth
from transplant.training.optimization import OptimizerSettings, build_optimizer


def steps(rate_of, settings=None, count=4, gradient=1.0):
    """Return two weights of 1 after every step with a constant gradient."""
    optimizer = build_optimizer(settings or OptimizerSettings(0.1), 10, rate_of=rate_of)
    weights = [keras.Variable(np.ones(1, np.float32), name=name) for name in ("kernel", "other_kernel")]
    optimizer.build(weights)
    found = []
    for _ in range(count):
        optimizer.apply([np.full(1, gradient, np.float32)] * 2)
        found.append([float(w.numpy()[0]) for w in weights])
    return np.array(found)


def test_a_share_of_the_rate_is_a_share_of_every_step():
    """Adam moves by its rate where the gradient is constant."""
    found = steps(lambda path: (0.25 if path == "kernel" else 1.0, 0))
    np.testing.assert_allclose(found[:, 0], 1 - 0.025 * np.arange(1, 5), atol=1e-5)
    np.testing.assert_allclose(found[:, 1], 1 - 0.1 * np.arange(1, 5), atol=1e-5)


def test_a_variable_stands_still_until_its_step():
    found = steps(lambda path: (1.0, 2 if path == "kernel" else 0))
    np.testing.assert_allclose(found[:, 0], [1, 1, 0.9, 0.8], atol=1e-5)
    np.testing.assert_allclose(found[:, 1], [0.9, 0.8, 0.7, 0.6], atol=1e-5)


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_full_shares_are_kerass_own_optimizer(decay):
    settings = OptimizerSettings(0.1, "cosine", 2, decay)
    np.testing.assert_allclose(
        steps(lambda path: (1.0, 0), settings, gradient=0.7), steps(None, settings, gradient=0.7), rtol=1e-6
    )


def test_decay_follows_the_own_rate():
    """Without a gradient what is left is the decay: 1 - rate * share * decay a step, once it learns."""
    shares = {"kernel": (0.5, 1), "other_kernel": (1.0, 0)}
    found = steps(lambda path: shares[path], OptimizerSettings(0.1, weight_decay=0.2), 3, gradient=0.0)
    np.testing.assert_allclose(found[:, 0], [1, 0.99, 0.99**2], rtol=1e-6)
    np.testing.assert_allclose(found[:, 1], [0.98, 0.98**2, 0.98**3], rtol=1e-6)


def test_every_variable_of_a_classifier_has_its_place():
    paths = [v.path for v in build_classifier("resnet18", 4).trainable_variables]
    depths = {path: backbone_depth(path) for path in paths}
    assert {p for p, d in depths.items() if d is None} == {"head/kernel", "head/bias"}
    assert {p for p, d in depths.items() if d == 0} == {"stem_conv/kernel", "stem_bn/gamma", "stem_bn/beta"}
    assert {d for d in depths.values()} == {None, 0, 1, 2, 3, 4}
    rates = BackboneRates(0.1, 50)
    found = {depths[p]: rates.of(p, 4) for p in paths}
    assert found == {None: (1.0, 0), 4: (0.1, 50), 3: (0.1, 100), 2: (0.1, 150), 1: (0.1, 200), 0: (0.1, 250)}
    assert backbone_depth("raw_stage2_block1_conv1/kernel") == 2 and backbone_depth("raw_stem_bn/beta") == 0


def test_a_branch_that_is_new_learns_as_the_head_does():
    rates = BackboneRates(0.1, 50, branches=("raw_",))
    assert rates.of("raw_stage4_block1_conv1/kernel", 4) == (0.1, 50)
    assert rates.of("spectrogram_stage4_block1_conv1/kernel", 4) == (1.0, 0)
    assert rates.of("head/kernel", 4) == (1.0, 0)


def test_half_precision_and_the_loss_scale_keep_the_shares():
    optimizer = build_optimizer(OptimizerSettings(0.1), 10, rate_of=lambda path: (0.5, 0))
    scaled = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=8.0)
    weight = keras.Variable(np.ones(1, np.float32), name="kernel")
    scaled.build([weight])
    scaled.apply([np.full(1, 8.0, np.float32)])
    assert float(weight.numpy()[0]) == pytest.approx(0.95, abs=1e-5)

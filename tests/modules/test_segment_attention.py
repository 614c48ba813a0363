"""A one-lead backbone on several leads: its layers, the network against numpy, files, and what it refuses."""

import keras
import numpy as np
import pytest
import scipy.special
from fresh_process import check_files_in_a_fresh_process
from layer_test import run_layer_test

from transplant.errors import OptionError
from transplant.modules.segment_attention import BACKBONES, JoinLeads, LeadsToBatch, build_segment_attention
from transplant.training.weights import named_variables

X = np.random.default_rng(0).normal(size=(3, 48, 2)).astype(np.float32)


def small(seed=1, **arguments):
    model = build_segment_attention((48, 2), 5, 16, stages=1, seed=seed, **arguments)
    rng = np.random.default_rng(seed)
    for variable in model.non_trainable_variables:
        if "moving" in variable.path:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return model


def test_leads_go_to_the_batch_and_come_back_side_by_side():
    batch = LeadsToBatch()(X).numpy()
    assert batch.shape == (6, 48, 1)
    for row, (record, lead) in enumerate(np.ndindex(3, 2)):
        assert np.array_equal(batch[row, :, 0], X[record, :, lead])
    features = np.concatenate([batch, -batch, 2 * batch], axis=2)
    joined = JoinLeads(2)(features).numpy()
    assert joined.shape == (3, 48, 6)
    for lead in range(2):
        for channel, factor in enumerate((1, -1, 2)):
            assert np.array_equal(joined[..., 3 * lead + channel], factor * X[..., lead])


def test_outputs_are_those_of_the_definition():
    model = small()
    weights = {key: variable.numpy() for key, variable in named_variables(model).items()}
    backbone = model.get_layer("backbone")
    by_lead = [np.asarray(backbone(X[..., lead : lead + 1], training=False), np.float64) for lead in range(2)]
    assert by_lead[0].shape == (3, 12, 64)
    h = np.concatenate([features.reshape(3, 3, 4, 64).mean(axis=2) for features in by_lead], axis=2)
    attention = scipy.special.softmax(h @ weights["attention_scores/kernel"][:, 0], axis=1)
    logits = (attention[..., None] * h).sum(axis=1) @ weights["head/kernel"] + weights["head/bias"]

    found_logits, found_attention = (np.asarray(part) for part in model(X, training=False))
    assert found_logits.shape == (3, 5) and found_attention.shape == (3, 3)
    np.testing.assert_allclose(found_attention.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(found_attention, attention, rtol=1e-4)
    np.testing.assert_allclose(found_logits, logits, rtol=1e-4, atol=1e-5)


def test_a_backbone_is_there_once_whatever_the_leads():
    for leads in (1, 2, 12):
        model = build_segment_attention((48, leads), 5, 16, stages=1)
        own = model.get_layer("backbone").count_params()
        assert model.count_params() - own == 64 * leads + (64 * leads + 1) * 5


def test_batch_moments_in_training_are_those_of_all_leads_together():
    model = small()
    variables = named_variables(model)
    variable, kernel = variables["stem_bn/moving_mean"], variables["stem_conv/kernel"].numpy()
    before = variable.numpy()
    model(X, training=True)
    # "same" padding of kernel 7 and stride 2 over 48 samples: 2 on the left, 3 on the right.
    padded = np.pad(X.transpose(0, 2, 1).reshape(6, 48), ((0, 0), (2, 3)))
    windows = np.stack([padded[:, start : start + 7] for start in range(0, 48, 2)], axis=1)
    moment = (windows @ kernel[:, 0]).mean(axis=(0, 1))
    np.testing.assert_allclose(variable.numpy(), 0.9 * before + 0.1 * moment, rtol=1e-4, atol=1e-5)


def test_a_seed_gives_its_weights():
    one, same, other = (build_segment_attention((48, 2), 5, 16, stages=1, seed=seed) for seed in (1, 1, 2))
    for ours, theirs in zip(one(X), same(X)):
        assert np.array_equal(ours, theirs)
    assert not np.array_equal(one(X)[0], other(X)[0])


def test_a_file_gives_the_same_outputs_in_a_fresh_process(tmp_path):
    model = small()
    # What is written is compared as one array.
    joined = keras.Model(model.inputs[0], keras.layers.Concatenate()(model.outputs))
    expected = np.asarray(joined(X, training=False))
    assert expected.shape == (3, 8)
    joined.save(tmp_path / "joined.keras")
    check_files_in_a_fresh_process({"joined": expected}, X, tmp_path)


def test_the_layer_contract_of_leads_to_batch(tmp_path):
    run_layer_test(LeadsToBatch, X, (6, 48, 1), tmp_path)


def test_the_layer_contract_of_join_leads(tmp_path):
    inputs = np.random.default_rng(0).normal(size=(6, 4, 3)).astype(np.float32)
    run_layer_test(lambda: JoinLeads(2), inputs, (3, 4, 6), tmp_path)


def test_one_dimensional_resnets_are_its_backbones():
    assert BACKBONES == ("resnet18", "resnet34", "resnet50")


@pytest.mark.parametrize(
    ("segment", "arguments", "message"),
    [
        (20, {}, "samples=48, segment=20"),
        (16, {"stages": 4}, "segments of 16 samples, positions of 32"),
        (16, {"arch": "resnet18_2d"}, "one of resnet18, resnet34, resnet50. Received: resnet18_2d"),
        (16, {"arch": "gru"}, "Received: gru"),
    ],
)
def test_what_cannot_be_built_is_refused(segment, arguments, message):
    with pytest.raises(OptionError, match=message):
        build_segment_attention((48, 2), 5, segment, **arguments)

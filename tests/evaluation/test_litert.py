"""LiteRT's outputs against Keras', its sizes against the weights, and silence while it converts."""

import os
import warnings

import keras
import numpy as np
import pytest

from transplant.errors import OptionError
from transplant.evaluation.litert import litert_model, open_litert
from transplant.modules.classifier import build_classifier
from transplant.modules.registry import build_backbone
from transplant.modules.segment_rnn import SegmentRnnSize, build_segment_rnn
from transplant.native_silence import native_silence

# 4 segments stand side by side in the graph; 40 are a loop.
NETWORKS = {
    "one convolution": ((256, 5), 12, SegmentRnnSize(64, 16, 8, 4, 8)),
    "two convolutions": ((400, 1), 2, SegmentRnnSize(100, 6, 16, 4, 5, 2)),
    "many segments": ((640, 3), 5, SegmentRnnSize(16, 8, 4, 2, 6)),
}


def build(name):
    network = build_segment_rnn(*NETWORKS[name])
    rng = np.random.default_rng(0)
    network.set_weights([rng.normal(0, 0.3, weight.shape) for weight in network.get_weights()])
    return network


@pytest.mark.parametrize("name", NETWORKS)
def test_it_says_what_keras_says_and_needs_no_operation_of_tensorflow(name):
    network = build(name)
    content = litert_model(network)
    assert b"Flex" not in content  # operations that LiteRT takes from TensorFlow have names that begin so
    runner = open_litert(content).get_signature_runner()
    records = np.random.default_rng(1).normal(size=(3, *network.input_shape[1:])).astype(np.float32)
    logits, attention = network.predict(records, verbose=0)
    for record, *expected in zip(records, logits, attention):
        found = runner(signal=record[None])
        assert set(found) == set(network.output_names)
        for output, right in zip(network.output_names, expected):
            np.testing.assert_allclose(found[output][0], right, rtol=0, atol=1e-5)
    assert np.ptp(logits, axis=0).max() > 0.01 and np.ptp(attention, axis=0).max() > 0.001


def test_a_file_has_each_weight_once():
    network = build("one convolution")
    weights = 4 * network.count_params()
    assert weights < len(litert_model(network)) < weights + 40_000


def test_int8_shrinks_weights_of_1024_and_more_and_keeps_the_class():
    network = build_segment_rnn((256, 52), 12, SegmentRnnSize(64, 64, 8, 4, 32), seed=1)
    content, small = litert_model(network), litert_model(network, int8=True)
    # 3 bytes less for each weight of the convolution, and of the LSTM's kernels each way; factors take a little back.
    most = 3 * (64 * 8 * 52 + 2 * (64 * 128 + 32 * 128))
    assert 0.9 * most < len(content) - len(small) < most
    record = np.random.default_rng(1).normal(size=(1, 256, 52)).astype(np.float32)
    found = open_litert(small).get_signature_runner()(signal=record)
    expected = network(record, training=False)
    for output, right in zip(network.output_names, expected):
        np.testing.assert_allclose(found[output], right, atol=0.01)


def test_a_model_of_one_output():
    network = build_classifier("mlp-16", 5, input_shape=(178, 1))
    record = np.random.default_rng(1).normal(size=(1, 178, 1)).astype(np.float32)
    (found,) = open_litert(litert_model(network)).get_signature_runner()(signal=record).values()
    np.testing.assert_allclose(found, network.predict(record, verbose=0), atol=1e-6)


def test_nothing_is_printed(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        open_litert(litert_model(build("many segments")))
    assert capfd.readouterr() == ("", "")


def test_one_input_of_known_size_is_needed():
    several = [keras.Input((3,)), keras.Input((3,))]
    for model in (build_classifier("resnet18", 3, stages=1), keras.Model(several, keras.layers.Add()(several))):
        with pytest.raises(OptionError, match="one input of known size"):
            litert_model(model)


def test_half_precision_is_refused():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(2, dtype="mixed_bfloat16")(inputs))
    with pytest.raises(OptionError, match="Received: bfloat16 too"):
        litert_model(model)


def test_a_shared_part_that_takes_any_length():
    part = build_backbone("resnet18", stages=1)
    inputs = keras.Input((256, 2), name="signal")
    leads = [keras.layers.Reshape((256, 1))(inputs[:, :, lead]) for lead in range(2)]
    model = keras.Model(inputs, keras.layers.Average()([part(lead) for lead in leads]))
    record = np.random.default_rng(1).normal(size=(1, 256, 2)).astype(np.float32)
    (found,) = open_litert(litert_model(model)).get_signature_runner()(signal=record).values()
    np.testing.assert_allclose(found, model.predict(record, verbose=0), atol=1e-5)


def test_silence_ends_where_the_block_ends(capfd, monkeypatch):
    with pytest.raises(ValueError), native_silence():
        os.write(2, b"inside")
        raise ValueError
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    with native_silence():
        os.write(2, b"shown")
    assert capfd.readouterr().err == "shown"

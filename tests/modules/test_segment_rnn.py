"""The network of RDPD against its definition in numpy, its published counts, and shapes it refuses."""

import keras
import numpy as np
import pytest

from transplant.errors import OptionError
from transplant.modules.segment_rnn import SegmentRnnSize, build_segment_rnn

# Live parameters with PyTorch's two LSTM biases (Hong et al., table 5, without what is unused), and the units each way.
PUBLISHED = {
    "PAMAP2 teacher": ((256, 52), 12, SegmentRnnSize(64, 64, 8, 4, 32), 52_620),
    "PAMAP2 student": ((256, 17), 12, SegmentRnnSize(64, 16, 8, 4, 8), 4_076),
    "PTBDB teacher": ((2000, 15), 6, SegmentRnnSize(500, 64, 32, 8, 32, 2), 334_982),
    "PTBDB student": ((2000, 1), 6, SegmentRnnSize(500, 16, 32, 8, 8, 2), 19_750),
    "MIMIC-III teacher": ((48, 6), 8, SegmentRnnSize(12, 64, 4, 2, 32), 27_272),
    "MIMIC-III student": ((48, 1), 8, SegmentRnnSize(12, 16, 4, 2, 8), 1_896),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_the_published_ones_less_a_bias(name):
    shape, classes, size, expected = PUBLISHED[name]
    assert build_segment_rnn(shape, classes, size).count_params() == expected - 8 * size.hidden


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(steps, kernel, recurrent, bias):
    """Return the states of an LSTM over (steps, features), gates in the order i, f, c, o."""
    units = recurrent.shape[0]
    h = c = np.zeros(units)
    states = []
    for x in steps:
        i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.array(states)


@pytest.mark.parametrize("convolutions", [1, 2])
def test_outputs_are_those_of_the_definition(convolutions):
    size = SegmentRnnSize(20, 5, 4, 2, 3, convolutions)
    model = build_segment_rnn((60, 2), 4, size, seed=1)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.5, weight.shape) for weight in model.get_weights()])
    x = rng.normal(size=(60, 2)).astype(np.float32)
    weights = {f"{layer.name}/{v.path.split('/', 1)[1]}": v.numpy() for layer in model.layers for v in layer.weights}

    features = []
    for segment in x.reshape(3, 20, 2):
        for number in range(1, convolutions + 1):
            kernel, bias = (weights[f"stage1_conv{number}/{part}"] for part in ("kernel", "bias"))
            starts = range(0, len(segment) - 3, 2)
            segment = np.array([np.einsum("tc,tcf->f", segment[t : t + 4], kernel[0]) + bias for t in starts])
            segment = np.maximum(segment, 0)
        features.append(segment.mean(axis=0))
    directions = {}
    for direction in ("forward", "backward"):
        parts = [
            next(value for key, value in weights.items() if direction in key and key.endswith(f"/{part}"))
            for part in ("kernel", "recurrent_kernel", "bias")
        ]
        steps = features if direction == "forward" else features[::-1]
        states = lstm(np.array(steps), *parts)
        directions[direction] = states if direction == "forward" else states[::-1]
    q = np.concatenate([directions["forward"], directions["backward"]], axis=1)
    scores = np.exp(q @ weights["stage1_scores/kernel"][:, 0])
    attention = scores / scores.sum()
    logits = attention @ q @ weights["head/kernel"] + weights["head/bias"]

    found_logits, found_attention = model(x[None], training=False)
    np.testing.assert_allclose(found_attention[0], attention, rtol=1e-5)
    np.testing.assert_allclose(found_logits[0], logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("size", "seen"),
    [
        (SegmentRnnSize(500, 16, 32, 8, 2, 2), 472),  # 59 positions, of which the second convolution sees 56
        (SegmentRnnSize(500, 16, 32, 8, 2, 1), 496),
        (SegmentRnnSize(12, 16, 4, 2, 2, 1), 12),
    ],
)
def test_what_a_segment_ends_with_is_seen_to_the_last_stride(size, seen):
    model = build_segment_rnn((2 * size.segment, 1), 3, size, seed=1)
    x = np.random.default_rng(0).normal(size=(1, 2 * size.segment, 1)).astype(np.float32)

    def logits(sample):
        changed = x.copy()
        changed[:, sample] += 1
        return np.asarray(model(changed)[0])

    assert size.seen == seen
    assert not np.array_equal(logits(seen - 1), model(x)[0])
    if seen < size.segment:
        assert np.array_equal(logits(seen), model(x)[0])


def test_a_seed_gives_its_weights_and_a_file_the_same_outputs(tmp_path):
    size = SegmentRnnSize(4, 3, 2, 1, 2)
    one, same, other = (build_segment_rnn((80, 2), 3, size, seed=seed) for seed in (1, 1, 2))
    x = np.random.default_rng(0).normal(size=(2, 80, 2)).astype(np.float32)
    for ours, theirs in zip(one(x), same(x)):
        assert np.array_equal(ours, theirs)
    assert not np.array_equal(one(x)[0], other(x)[0])
    one.save(tmp_path / "m.keras")
    for ours, theirs in zip(one(x), keras.saving.load_model(tmp_path / "m.keras")(x)):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("samples", "size", "message"),
    [
        (100, SegmentRnnSize(30), "100 samples and segments of 30; take 25"),
        (48, SegmentRnnSize(12, kernel=16), "12 samples for 1 of kernel 16"),
        (48, SegmentRnnSize(12, kernel=4, stride=4, convolutions=2), "12 samples for 2 of kernel 4"),
    ],
)
def test_segments_that_do_not_fit_are_refused(samples, size, message):
    with pytest.raises(OptionError, match=message):
        build_segment_rnn((samples, 2), 3, size)

"""Contrastive predictive coding: the right next frame, no leak, negatives that touch nothing."""

import types

import numpy as np
import pytest

from pretraining.preparation import prepare_store
from pretraining.sampler import FrameSampler, Places, Sampling
from pretraining.sources import SyntheticSource
from pretraining.streams import frame_dataset
from transplant.errors import DataError, OptionError
from transplant.signals.normalization import Normalization
from transplant.tasks.task import default_options, get_task

CPC = get_task("cpc")
FRAME = 100


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cpc") / "store"
    return prepare_store(SyntheticSource(4, 12.0, 3), folder, workers=1, log=lambda _: 0)


def sampler(store, options, batch=64, seed=1):
    sampling = Sampling(CPC.window_size(options), FRAME, CPC.others(options), batch, 50, seed)
    return FrameSampler(store.patients, sampling, 250)


@pytest.mark.parametrize(
    ("options", "window", "context", "positive"),
    [
        ({"context_size": 3}, 400, [0, 100, 200], 300),
        ({"context_size": 3, "positive_offset": 2}, 600, [0, 100, 200], 500),
        ({"context_size": 3, "context_overlap": 25}, 350, [0, 75, 150], 250),
        ({"context_size": 1, "context_overlap": 99, "ns": 4}, 200, [0], 100),
    ],
)
def test_a_window_by_hand(options, window, context, positive):
    """The context's last sample comes before the positive frame's first, with any overlap and offset."""
    options = default_options(CPC, FRAME, **options)
    assert CPC.window_size(options) == window
    windows = Places(np.array([5, 6]), np.array([1000, 2000]))
    others = types.SimpleNamespace(
        segments=np.tile(np.arange(10, 10 + options.ns), (2, 1)), starts=np.tile(np.arange(options.ns), (2, 1))
    )
    frames = CPC.frames(windows, others, np.array([0, options.ns]), options)
    assert frames["context"][0].tolist() == [[5] * len(context), [6] * len(context)]
    assert frames["context"][1].tolist() == [[s + c for c in context] for s in (1000, 2000)]
    segments, starts = frames["samples"]
    negatives = list(range(10, 10 + options.ns))
    assert segments.tolist() == [[5, *negatives], [*negatives, 6]]
    assert starts[0, 0] == 1000 + positive and starts[1, -1] == 2000 + positive
    assert context[-1] + FRAME <= positive


def test_negatives_touch_no_window_and_come_from_every_segment(store):
    options = default_options(CPC, FRAME, context_size=5, ns=6)
    size, counts, own = CPC.window_size(options), np.zeros(4), 0
    source = sampler(store, options)
    for step in range(30):
        for draw in source.draw(step):
            windows, others = draw.windows, draw.others
            assert others.starts.min() >= 0 and others.starts.max() <= 12 * 250 - FRAME
            same = others.segments == windows.segments[:, None]
            before = others.starts + FRAME <= windows.starts[:, None]
            behind = others.starts >= windows.starts[:, None] + size
            assert (~same | before | behind).all()
            own += same.sum()
            counts += np.bincount(others.segments.ravel(), minlength=4)
    # 11,520 negatives over four segments of one length: each a quarter, own patients' included.
    assert np.abs(counts / counts.sum() - 0.25).max() < 0.02
    assert abs(own / counts.sum() - 0.25) < 0.02


def test_negatives_are_uniform_over_the_free_starts(store):
    """One segment of 3,000 samples, its window at 1,000 to 1,400: starts 0-900 and 1,400-2,900 are free."""
    options = default_options(CPC, FRAME, context_size=3, ns=1)
    opened = sampler(store, options).draw(0)[0].working_set
    uniform = np.stack([np.zeros(2402), (np.arange(2402) + 0.5) / 2402], axis=-1)[:, None]
    windows = Places(np.zeros(2402, int), np.full(2402, 1000))
    places = opened.place_apart(windows, FRAME, uniform)
    assert (places.segments == 0).all()
    assert places.starts.ravel().tolist() == [*range(901), *range(1400, 2901)]


def test_a_window_that_fills_its_segment_leaves_it_to_others_and_needs_them(store):
    options = default_options(CPC, FRAME, context_size=29)
    assert CPC.window_size(options) == 3000
    draw = sampler(store, options).draw(0)[0]
    assert (draw.others.segments != draw.windows.segments[:, None]).all()
    assert set(np.unique(draw.others.segments)) == {0, 1, 2, 3}
    alone = FrameSampler(store.patients[:1], Sampling(3000, FRAME, 1, 8, 50, 0), 250)
    with pytest.raises(DataError, match="3000"):
        alone.draw(0)


def test_batches_hold_the_signals_and_the_label_points_at_the_next_frame(store):
    options = default_options(CPC, FRAME, context_size=4, ns=3)
    dataset = frame_dataset(store, store.patients, CPC, options, Normalization.none(1), 32, 50, 1, 4)
    source, labels_seen = sampler(store, options, batch=32), []
    for step, (inputs, labels) in enumerate(dataset):
        assert inputs["context"].shape == (32, 4, FRAME, 1) and inputs["samples"].shape == (32, 4, FRAME, 1)
        (draw,) = source.draw(step)
        for row, (segment, start) in enumerate(zip(draw.windows.segments, draw.windows.starts)):
            signal = draw.working_set.patients[segment].millivolts(0)[start : start + 500]
            context, samples = inputs["context"][row].numpy(), inputs["samples"][row].numpy()
            np.testing.assert_allclose(np.concatenate([*context, samples[labels[row]]]), signal, rtol=3e-7, atol=1e-7)
        labels_seen.extend(labels.numpy().tolist())
    assert set(labels_seen) == {0, 1, 2, 3}
    again = frame_dataset(store, store.patients, CPC, options, Normalization.none(1), 32, 50, 1, 1, first_step=3)
    for (inputs, labels), (expected, expected_labels) in zip(again, [list(dataset)[3]]):
        np.testing.assert_array_equal(inputs["samples"], expected["samples"])
        np.testing.assert_array_equal(labels, expected_labels)


def test_an_overlap_of_a_whole_frame_is_refused():
    with pytest.raises(OptionError, match="--context-overlap"):
        default_options(CPC, FRAME, context_overlap=100)

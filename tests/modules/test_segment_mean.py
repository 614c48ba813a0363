"""Means over segments against features repeated sample by sample, and what does not fit."""

import numpy as np
import pytest
from layer_test import run_layer_test

from transplant.errors import OptionError
from transplant.modules.segment_mean import SegmentMean


@pytest.mark.parametrize(
    ("samples", "segment", "stride"),
    [(24, 6, 2), (24, 6, 6), (24, 8, 3), (1000, 250, 32), (1000, 250, 8), (10, 5, 4), (7, 7, 7)],
)
def test_a_position_counts_by_the_samples_that_it_shares_with_a_segment(samples, segment, stride):
    x = np.random.default_rng(0).normal(size=(2, -(-samples // stride), 3))
    by_sample = np.repeat(x, stride, axis=1)[:, :samples]
    expected = by_sample.reshape(2, samples // segment, segment, 3).mean(axis=2)
    found = SegmentMean(samples, segment, stride, dtype="float64")(x)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


def test_by_hand():
    # Samples 1 1 4 | 4 7 7.
    found = SegmentMean(6, 3, 2)(np.array([[[1.0], [4.0], [7.0]]]))
    np.testing.assert_allclose(found[0, :, 0], [2.0, 6.0], rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((100, 30, 4), "samples=100, segment=30"),
        ((100, 0, 1), "samples=100, segment=0"),
        ((96, 24, 32), "segments of 24 samples, positions of 32; take longer segments, or fewer stages"),
        ((96, 24, 0), "positions of 0"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    with pytest.raises(OptionError, match=message):
        SegmentMean(*arguments)


def test_the_layer_contract(tmp_path):
    inputs = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    run_layer_test(lambda: SegmentMean(20, 10, 4), inputs, (2, 2, 3), tmp_path)

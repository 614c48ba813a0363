"""Corrupted records: exact values by hand and numpy's spectrum, padding left alone."""

import numpy as np
import pytest

from transplant.errors import DataError, OptionError
from transplant.evaluation.corruption import add_mains, flip_polarity


def records(n=3, time=1000, leads=1, lengths=(1000, 600, 1)):
    x = np.random.default_rng(0).normal(size=(n, time, leads)).astype(np.float32)
    for record, length in zip(x, lengths):
        record[: time - length] = 0
    return x, np.array(lengths)


def test_flip_by_hand_and_twice_is_the_record():
    x, _ = records()
    before = x.copy()
    flipped = flip_polarity(x)
    np.testing.assert_array_equal(flipped, -before)
    np.testing.assert_array_equal(flip_polarity(flipped), before)
    np.testing.assert_array_equal(x, before)
    assert flipped.dtype == np.float32
    assert not np.signbit(flipped[1, :400]).any()  # padding is +0 as it was


@pytest.mark.parametrize(("rate", "mains"), [(250, 50), (300, 60), (500.0, 50.0)])
def test_mains_are_one_line_of_the_spectrum(rate, mains):
    seconds = 4
    time = int(rate * seconds)
    x = np.zeros((2, time, 1), np.float32)
    noisy = add_mains(x, [time, time], rate, 0.5, mains)
    for record in noisy:
        amplitude = np.abs(np.fft.rfft(record[:, 0])) * 2 / time
        expected = np.zeros(len(amplitude))
        expected[int(mains * seconds)] = 0.5
        np.testing.assert_allclose(amplitude, expected, atol=1e-6)


def test_only_valid_samples_are_changed():
    x, lengths = records()
    noisy = add_mains(x, lengths, 250, 0.3)
    for record, clean, length in zip(noisy, x, lengths):
        np.testing.assert_array_equal(record[: 1000 - length], 0)
        added = record[1000 - length :] - clean[1000 - length :]
        assert (added != 0).mean() > 0.9 and np.abs(added).max() <= 0.3 + 1e-6
    assert noisy.dtype == np.float32 and noisy.shape == x.shape
    np.testing.assert_array_equal(x, records()[0])
    np.testing.assert_array_equal(add_mains(x, lengths, 250, 0.0), x)


def test_padding_does_not_change_what_is_added():
    short = np.zeros((1, 400, 1), np.float32)
    long = np.zeros((1, 703, 1), np.float32)
    np.testing.assert_allclose(
        add_mains(long, [400], 250, 1.0)[:, 303:], add_mains(short, [400], 250, 1.0), rtol=0, atol=1e-6
    )


def test_phases_are_of_the_seed_and_of_each_record_and_shared_by_its_leads():
    x = np.zeros((2, 500, 2), np.float32)
    once = add_mains(x, [500, 500], 250, 1.0, seed=3)
    np.testing.assert_array_equal(once, add_mains(x, [500, 500], 250, 1.0, seed=3))
    assert np.abs(once - add_mains(x, [500, 500], 250, 1.0, seed=4)).max() > 0.1
    assert np.abs(once[0] - once[1]).max() > 0.1
    np.testing.assert_array_equal(once[..., 0], once[..., 1])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x": np.zeros((3, 1000))}, DataError, "records, time, leads"),
        ({"lengths": [1000, 1001, 1]}, DataError, "0 to 1000 valid samples. Received: 1 to 1001"),
        ({"lengths": [1000]}, DataError, r"Received: shape=\(1,\)"),
        ({"sampling_rate_hz": 100}, OptionError, "50 Hz at 100 Hz"),
        ({"amplitude_std": -1}, OptionError, "0 or more"),
    ],
)
def test_bad_arguments_are_refused(change, error, message):
    x, lengths = records()
    arguments = {"x": x, "lengths": lengths, "sampling_rate_hz": 250, "amplitude_std": 1.0}
    with pytest.raises(error, match=message):
        add_mains(**arguments | change)


def test_a_labelled_set_standardises_into_what_is_taken():
    from transplant.datasets.labelled_set import LabelledSet
    from transplant.signals.normalization import Normalization

    x, lengths = records()
    names = ["a", "b", "c"]
    data = LabelledSet(x, lengths, [0, 1, 0], ("N", "A"), names, names, 250.0, ("II",), "hand", "1")
    z = data.standardized(Normalization("zscore", "train", (0.5,), (2.0,)))
    noisy = add_mains(z, data.lengths, data.sampling_rate_hz, 0.2)
    assert not noisy[1, :400].any() and not flip_polarity(z)[1, :400].any()

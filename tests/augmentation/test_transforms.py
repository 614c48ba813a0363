"""Each transform does to a record what numpy and scipy work out for it by hand."""

import numpy as np
import pytest
import scipy.signal
import scipy.stats
import tensorflow as tf

from transplant.augmentation.augmentation import Augmentation
from transplant.augmentation.crop import Crop
from transplant.augmentation.cutout import Cutout
from transplant.augmentation.flip import Flip
from transplant.augmentation.mains import Mains
from transplant.augmentation.noise import Noise
from transplant.augmentation.resample import Resample
from transplant.augmentation.scale import Scale
from transplant.augmentation.shift import Shift
from transplant.augmentation.wander import Wander

RATE = 250.0
TIME = 5000


def records(lengths, time=TIME, leads=1, seed=0):
    """Return left-padded records of random numbers and their lengths."""
    x = np.random.default_rng(seed).normal(0.1, 1.5, (len(lengths), time, leads)).astype(np.float32)
    for record, length in zip(x, lengths):
        record[: time - length] = 0
    return x, np.asarray(lengths, np.int32)


def augment(transform, x, lengths, seed=1):
    y, new_lengths = Augmentation((transform,))(tf.constant(x), tf.constant(lengths), RATE, seed, 0, 0)
    return y.numpy(), new_lengths.numpy()


def added(transform, x, lengths, seed=1):
    """Return what a transform added, a list of float64 (valid samples, leads)."""
    y, new_lengths = augment(transform, x, lengths, seed)
    np.testing.assert_array_equal(new_lengths, lengths)
    return [(b[-n:].astype(np.float64) - a[-n:], a[-n:].std(axis=0)) for a, b, n in zip(x, y, lengths)]


def fitted_sine(signal, hertz):
    """Return amplitude, phase and the largest error of the sine that fits best."""
    angle = 2 * np.pi * hertz * np.arange(len(signal)) / RATE
    columns = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    (a, b), *_ = np.linalg.lstsq(columns, signal, rcond=None)
    return np.hypot(a, b), np.arctan2(b, a), np.abs(columns @ [a, b] - signal).max()


def test_scale_multiplies_by_one_factor_a_record():
    x, lengths = records([5, 3, 4] * 700, time=5, leads=2)
    y, _ = augment(Scale(1.0, (0.5, 2.0)), x, lengths)
    factors = y[:, -1, 0] / x[:, -1, 0]
    np.testing.assert_allclose(y, x * factors[:, None, None], rtol=1e-5)
    assert scipy.stats.kstest(np.log2(factors), "uniform", (-1, 2)).pvalue > 0.01
    np.testing.assert_array_equal(augment(Scale(1.0, (2.0, 2.0)), x, lengths)[0], 2 * x)


def test_flip_is_the_negative():
    x, lengths = records([TIME, 700])
    y, new_lengths = augment(Flip(1.0), x, lengths)
    np.testing.assert_array_equal(y, -x)
    np.testing.assert_array_equal(new_lengths, lengths)
    assert not np.signbit(y[1, :-700]).any()


def test_shift_moves_to_the_right_and_loses_the_end():
    x, lengths = records([TIME, 3000, 130])
    y, new_lengths = augment(Shift(1.0, (0.4, 0.4)), x, lengths)
    np.testing.assert_array_equal(new_lengths, [4900, 2900, 65])  # never more than half
    np.testing.assert_array_equal(y[:2, 100:], x[:2, :-100])
    np.testing.assert_array_equal(y[2, -65:], x[2, -130:-65])
    assert not y[:, :100].any()


def test_shifts_are_drawn_from_the_whole_range():
    x, lengths = records([40] * 2000, time=40)
    y, new_lengths = augment(Shift(1.0, (0.0, 0.02)), x, lengths)
    shifts, counts = np.unique(lengths - new_lengths, return_counts=True)
    assert shifts.tolist() == [1, 2, 3, 4, 5] and counts.min() > 320
    for before, after, n in zip(x, y, new_lengths):
        np.testing.assert_array_equal(after[-n:], before[:n])


def test_crop_keeps_a_stretch_of_the_record():
    lengths = [1000, 400, 777] * 200
    x = np.zeros((600, 1000, 1), np.float32)
    for record, length in zip(x, lengths):
        record[-length:, 0] = np.arange(1, length + 1)
    y, kept = augment(Crop(1.0, (0.6, 0.9)), x, np.asarray(lengths, np.int32))
    assert (kept >= np.floor(0.6 * np.array(lengths))).all() and (kept <= 0.9 * np.array(lengths)).all()
    firsts = np.array([record[-n, 0] for record, n in zip(y, kept)])
    for record, first, n in zip(y, firsts, kept):
        np.testing.assert_array_equal(record[-n:, 0], np.arange(first, first + n))
        assert not record[:-n].any()
    lasts = firsts + kept - 1
    assert firsts.min() < 4 and (np.array(lengths) - lasts).min() < 4 and (lasts <= lengths).all()
    # A stretch lies anywhere: its place among the possible ones is even.
    place = (firsts - 1) / (np.array(lengths) - kept)
    assert scipy.stats.kstest(place, "uniform").pvalue > 0.01


@pytest.mark.parametrize("factor", [0.8, 0.93, 1.1, 1.25])
def test_resample_is_interpolation_around_the_end(factor):
    x, lengths = records([4400, 1001, 77], leads=2)
    y, new_lengths = augment(Resample(1.0, (factor, factor)), x, lengths)
    for before, after, length, n in zip(x, y, lengths, new_lengths):
        whole = int(np.floor((length - 1) * np.float64(np.float32(factor)))) + 1
        assert n == min(whole, TIME)
        at = length - 1 - np.arange(n)[::-1] / np.float64(np.float32(factor))
        for lead in range(2):
            expected = np.interp(at, np.arange(length), before[-length:, lead].astype(np.float64))
            np.testing.assert_allclose(after[-n:, lead], expected, atol=2e-3)


def test_resample_changes_the_heart_rate():
    x = np.zeros((1, TIME, 1), np.float32)
    x[0, -4000::200] = 1.0
    y, _ = augment(Resample(1.0, (1.1, 1.1)), x, np.array([4000], np.int32))
    peaks = scipy.signal.find_peaks(y[0, :, 0])[0]
    np.testing.assert_allclose(np.diff(peaks), 220, atol=1)


def test_noise_has_the_ratio_that_was_asked_for():
    x, lengths = records([TIME, 3000], leads=2)
    x[:, :, 1] *= 5
    for noise, deviation in added(Noise(1.0, (20.0, 20.0)), x, lengths):
        np.testing.assert_allclose(20 * np.log10(deviation / noise.std(axis=0)), 20, atol=1e-3)
        assert abs(np.corrcoef(noise.T)[0, 1]) < 0.2
    (noise, deviation), _ = added(Noise(1.0, (6.0, 18.0)), x, lengths)
    assert 6 <= 20 * np.log10(deviation[0] / noise[:, 0].std()) <= 18


@pytest.mark.parametrize("exponent", [0.0, 1.0])
@pytest.mark.parametrize("time", [TIME, 4999])
def test_noise_is_white_to_pink_and_normal(exponent, time):
    x, lengths = records([time] * 20, time)
    noise = np.stack(
        [part[:, 0] / part.std() for part, _ in added(Noise(1.0, (0.0, 0.0), (exponent,) * 2), x, lengths)]
    )
    frequency, power = scipy.signal.welch(noise, RATE, nperseg=1024)
    band = (frequency > 2) & (frequency < 120)
    slope = np.polyfit(np.log(frequency[band]), np.log(power.mean(axis=0)[band]), 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.05)
    assert abs(scipy.stats.kurtosis(noise.ravel())) < 0.1
    assert abs(np.corrcoef(noise)[0, 1]) < 0.2


def test_wander_lies_below_half_a_hertz():
    x, lengths = records([TIME] * 10)
    for drift, deviation in added(Wander(1.0, (0.05, 0.5), (0.8, 0.8)), x, lengths):
        power = np.abs(np.fft.rfft(drift[:, 0] * scipy.signal.windows.blackman(TIME))) ** 2
        frequency = np.fft.rfftfreq(TIME, 1 / RATE)
        assert power[frequency > 0.7].sum() < 1e-4 * power.sum()
        assert 0.05 * deviation < np.abs(drift).max() <= 0.8 * deviation + 1e-5


def test_wander_of_one_frequency_is_a_sine():
    x, lengths = records([TIME, 1300, 4001], leads=2)
    for drift, deviation in added(Wander(1.0, (0.25, 0.25), (0.8, 0.8)), x, lengths):
        for lead in range(2):
            amplitude, _, error = fitted_sine(drift[:, lead], 0.25)
            assert error < 1e-4 and 0 < amplitude <= 0.8 * deviation[lead]


def test_mains_is_a_line_of_the_amplitude_drawn():
    x, lengths = records([TIME, 1300], leads=2)
    for hum, deviation in added(Mains(1.0, (50.0,), (0.3, 0.3)), x, lengths):
        spectrum = np.abs(np.fft.rfft(hum[-1250:, 0]))
        assert np.fft.rfftfreq(1250, 1 / RATE)[spectrum.argmax()] == pytest.approx(50.0)
        fits = [fitted_sine(hum[:, lead], 50.0) for lead in range(2)]
        np.testing.assert_allclose([amplitude for amplitude, _, _ in fits], 0.3 * deviation, rtol=1e-4)
        assert max(error for _, _, error in fits) < 1e-5
        assert fits[0][1] == pytest.approx(fits[1][1], abs=1e-4)


def test_each_record_has_one_mains_frequency_and_a_phase_of_its_own():
    x, lengths = records([1000] * 200, time=1000)
    found, phases = [], []
    for hum, deviation in added(Mains(1.0, (50.0, 60.0), (0.1, 0.2)), x, lengths):
        fits = {hertz: fitted_sine(hum[:, 0], hertz) for hertz in (50.0, 60.0)}
        best = min(fits, key=lambda hertz: fits[hertz][2])
        amplitude, phase, error = fits[best]
        assert error < 1e-5 and 0.1 - 1e-5 <= amplitude / deviation[0] <= 0.2 + 1e-5
        found.append(best)
        phases.append(phase)
    assert 60 < found.count(50.0) < 140
    assert scipy.stats.kstest(phases, "uniform", (-np.pi, 2 * np.pi)).pvalue > 0.01


def test_cutout_silences_one_span():
    x, lengths = records([TIME, 300, 60] * 30, leads=2)
    y, _ = augment(Cutout(1.0, (0.2, 0.4)), x, lengths)
    spans = []
    for before, after, n in zip(x, y, lengths):
        cut = np.flatnonzero((after[-n:] == 0).all(axis=1))
        assert cut[0] > 0 and np.array_equal(cut, np.arange(cut[0], cut[0] + len(cut)))
        rest = np.setdiff1d(np.arange(n), cut)
        np.testing.assert_array_equal(after[-n:][rest], before[-n:][rest])
        spans.append(len(cut))
    spans = np.reshape(spans, (30, 3))
    assert (spans[:, :2] >= 50).all() and (spans[:, :2] <= 100).all() and len(set(spans[:, 0])) > 10
    assert (spans[:, 2] == 30).all()  # half of the record

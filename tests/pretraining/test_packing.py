"""Packing keeps samples, annotations and statistics."""

import dataclasses

import numpy as np
import pytest

from pretraining.packing import INVALID_COUNT, pack_patient, resample_record
from transplant.datasets.record import Record
from transplant.errors import DataError


def make_record(counts, gain=200.0, baseline=1024, name="r", rate=250.0, **fields):
    counts = np.asarray(counts, np.int64)[:, None]
    gain, baseline = np.array([gain]), np.array([baseline])
    signal = ((counts - baseline) / gain).astype(np.float32)
    defaults = {"beat_positions": np.array([1]), "beat_classes": np.array([1], np.uint8)}
    return Record(name, "7", signal, rate, ("MLII",), adc_gain=gain, adc_baseline=baseline, **(defaults | fields))


def test_counts_are_kept_where_they_give_the_signal_back():
    counts = np.arange(900, 1100)
    packed = pack_patient("7", [make_record(counts), make_record(counts + 5, gain=100.0, baseline=0)], 250)
    assert packed.signal.dtype == np.int16
    np.testing.assert_array_equal(packed.signal[:, 0], np.concatenate([counts, counts + 5]))
    np.testing.assert_array_equal(packed.millivolts(0), make_record(counts).signal)
    np.testing.assert_array_equal(packed.millivolts(1), make_record(counts + 5, gain=100.0, baseline=0).signal)


@pytest.mark.parametrize("change", ["value between counts", "no gain", "out of range"])
def test_floats_are_kept_where_counts_do_not_give_the_signal_back(change):
    record = make_record(np.arange(900, 1100))
    if change == "value between counts":
        record.signal[3, 0] += np.float32(1e-4)
    elif change == "no gain":
        record = dataclasses.replace(record, adc_gain=None, adc_baseline=None)
    else:
        record = make_record(np.arange(32_700, 32_900), baseline=0)
    packed = pack_patient("7", [record], 250)
    assert packed.signal.dtype == np.float32
    np.testing.assert_array_equal(packed.millivolts(0), record.signal)


def test_invalid_samples_stay_invalid_in_both_forms():
    record = make_record(np.arange(900, 1000))
    record.signal[10:13] = np.nan
    packed = pack_patient("7", [record], 250)
    assert (packed.signal[10:13] == INVALID_COUNT).all() and (packed.signal != INVALID_COUNT).sum() == 97
    np.testing.assert_array_equal(packed.millivolts(0), record.signal)
    as_float = pack_patient("7", [dataclasses.replace(record, adc_gain=None)], 250)
    assert np.isnan(as_float.signal[10:13]).all() and np.isfinite(as_float.signal).sum() == 97


def test_resampling_moves_annotations_and_keeps_them_inside():
    record = make_record(
        1000 + np.arange(3600) % 7,
        rate=360.0,
        beat_positions=np.array([0, 361, 3599]),
        beat_classes=np.array([1, 4, 1], np.uint8),
        rhythm_starts=np.array([100]),
        rhythm_ends=np.array([3600]),
        rhythm_classes=np.array([4], np.uint8),
    )
    moved = resample_record(record, 250)
    assert len(moved.signal) == 2500
    np.testing.assert_array_equal(moved.beat_positions, [0, 251, 2499])
    np.testing.assert_array_equal([moved.rhythm_starts[0], moved.rhythm_ends[0]], [69, 2500])


def test_patients_without_beats_or_samples_are_refused():
    record = make_record(np.arange(900, 1000))
    with pytest.raises(DataError, match="no beats"):
        pack_patient("7", [dataclasses.replace(record, beat_positions=np.zeros(0, np.int64))], 250)
    with pytest.raises(DataError, match="only NaN"):
        pack_patient("7", [dataclasses.replace(record, signal=np.full_like(record.signal, np.nan))], 250)


def test_pooled_moments_are_those_of_all_samples_together():
    rng = np.random.default_rng(0)
    signals = [rng.normal(5, 2, (300, 2)).astype(np.float32), rng.normal(-1, 7, (50, 2)).astype(np.float32)]
    signals[0][7, 1] = np.nan
    beats = {"beat_positions": np.array([1]), "beat_classes": np.array([1], np.uint8)}
    parts = [pack_patient("1", [Record("a", "1", s, 250, ("I", "II"), **beats)], 250) for s in signals]
    pooled = parts[0].moments().pool(parts[1].moments())
    together = np.concatenate(signals).astype(np.float64)
    np.testing.assert_allclose(pooled.mean, np.nanmean(together, axis=0), rtol=1e-12)
    np.testing.assert_allclose(
        np.sqrt(np.array(pooled.deviations) / pooled.count), np.nanstd(together, axis=0), rtol=1e-12
    )
    assert pooled.count == (350, 349)

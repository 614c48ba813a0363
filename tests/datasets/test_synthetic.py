"""The two faces of the embedded recordings."""

import collections
import subprocess
import sys

import numpy as np
import pytest
import scipy.signal
import scipy.stats

from transplant.datasets import synthetic
from transplant.datasets.icentia11k import (
    BEAT_NORMAL,
    BEAT_PAC,
    BEAT_PVC,
    RHYTHM_AFIB,
    RHYTHM_AFLUT,
    RHYTHM_NOISE,
    RHYTHM_NORMAL,
)
from transplant.errors import OptionError

RECORDS = 240


@pytest.fixture(scope="module")
def patients():
    return list(synthetic.long_recordings(20, seed=7, duration_s=300.0))


@pytest.fixture(scope="module")
def drawn():
    return [synthetic.draw_short_record(11, index) for index in range(RECORDS)]


def by_label(drawn, measure):
    values = collections.defaultdict(list)
    for record, clean in drawn:
        values[record.label].append(measure(record, clean))
    return values


def snr_db(record, clean):
    return 10 * np.log10(clean.var() / (record.signal[:, 0] - clean).var())


def assert_same_record(one, other):
    for name in ("signal", "beat_positions", "beat_classes", "rhythm_starts", "rhythm_ends", "rhythm_classes"):
        assert np.array_equal(getattr(one, name), getattr(other, name))
    assert (one.name, one.patient, one.label) == (other.name, other.patient, other.label)


def test_long_recordings_have_the_agreed_form(patients):
    for index, record in enumerate(patients):
        assert (record.name, record.patient, record.leads) == (f"synthetic_{index:05d}", str(index), ("II",))
        assert record.sampling_rate_hz == 250 and record.duration_s == 300.0
        assert record.signal.dtype == np.float32 and np.isfinite(record.signal).all()
        assert record.beat_positions.dtype == np.int64 and record.beat_classes.dtype == np.uint8
        assert np.all(np.diff(record.beat_positions) > 0)
        assert record.beat_positions[0] >= 0 and record.beat_positions[-1] < len(record.signal)
        assert set(record.beat_classes) <= {BEAT_NORMAL, BEAT_PAC, BEAT_PVC}


def test_rhythms_cover_a_long_recording_without_gaps(patients):
    for record in patients:
        assert record.rhythm_starts[0] == 0 and record.rhythm_ends[-1] == len(record.signal)
        assert np.array_equal(record.rhythm_starts[1:], record.rhythm_ends[:-1])
        assert np.all(record.rhythm_classes[1:] != record.rhythm_classes[:-1])
        assert set(record.rhythm_classes) <= {RHYTHM_NORMAL, RHYTHM_AFIB, RHYTHM_AFLUT, RHYTHM_NOISE}


def test_ten_patients_have_every_beat_and_fibrillation(patients):
    for seed in range(3):
        ten = list(synthetic.long_recordings(10, seed=seed, duration_s=300.0))
        assert set(np.concatenate([r.beat_classes for r in ten])) == {BEAT_NORMAL, BEAT_PAC, BEAT_PVC}
        assert {RHYTHM_AFIB, RHYTHM_AFLUT, RHYTHM_NORMAL} <= set(np.concatenate([r.rhythm_classes for r in ten]))
    rates = [60 * 250 / np.median(np.diff(r.beat_positions)) for r in patients]
    assert min(rates) < 65 and max(rates) > 100
    assert RHYTHM_NOISE in np.concatenate([r.rhythm_classes for r in patients])


def test_premature_beats_come_and_go_within_a_patient(patients):
    mixed = 0
    for record in patients:
        frames = record.beat_positions // (16 * 250)
        premature = np.array([np.any(record.beat_classes[frames == f] > 1) for f in np.unique(frames)])
        mixed += premature.any() and not premature.all()
    assert mixed >= len(patients) // 2


def test_rhythm_intervals_hold_what_they_say(patients):
    variation = collections.defaultdict(list)
    for record in patients:
        for start, end, rhythm in zip(record.rhythm_starts, record.rhythm_ends, record.rhythm_classes):
            inside = (record.beat_positions >= start) & (record.beat_positions < end)
            rr = np.diff(record.beat_positions[inside])
            if rhythm == RHYTHM_NOISE:
                assert not inside.any()
            elif len(rr) > 20 and not np.any(record.beat_classes[inside] > 1):
                variation[rhythm].append(rr.std() / rr.mean())
    assert max(variation[RHYTHM_NORMAL]) < 0.12 < min(variation[RHYTHM_AFIB])


def test_noise_hides_the_ecg_in_noise_intervals(patients):
    def muscle(record, wanted):
        fast = scipy.signal.sosfilt(scipy.signal.butter(4, 70, "high", fs=250, output="sos"), record.signal[:, 0])
        chosen = np.zeros(len(fast), bool)
        for start, end, rhythm in zip(record.rhythm_starts, record.rhythm_ends, record.rhythm_classes):
            chosen[start:end] = (rhythm == RHYTHM_NOISE) == wanted
        return fast[chosen].std()

    noisy = [r for r in patients if RHYTHM_NOISE in r.rhythm_classes]
    assert noisy and all(muscle(r, True) > 2 * muscle(r, False) for r in noisy)


def test_millivolts_are_whole_counts_over_the_gain(patients, drawn):
    for record in [*patients[:3], *(record for record, _ in drawn[:20])]:
        counts = np.rint(record.signal.astype(np.float64) * record.adc_gain - record.adc_baseline).astype(np.int16)
        again = ((counts + record.adc_baseline) / record.adc_gain).astype(np.float32)
        assert np.array_equal(again, record.signal)


def test_a_record_depends_on_seed_and_index_alone():
    few, many = (list(synthetic.long_recordings(n, seed=3, duration_s=30.0)) for n in (2, 4))
    for one, other in zip(few, many):
        assert_same_record(one, other)
    assert_same_record(many[3], synthetic.long_recording(3, 3, 30.0))
    few, many = (list(synthetic.short_records(n, seed=3)) for n in (3, 6))
    for one, other in zip(few, many):
        assert_same_record(one, other)
    assert_same_record(many[5], synthetic.short_record(3, 5))


def test_another_seed_is_another_record():
    assert not np.array_equal(synthetic.long_recording(3, 0, 30.0).signal, synthetic.long_recording(4, 0, 30.0).signal)
    lengths = [[len(r.signal) for r in synthetic.short_records(8, seed)] for seed in (3, 4)]
    assert lengths[0] != lengths[1]


def test_short_records_have_the_agreed_form(drawn):
    for index, (record, clean) in enumerate(drawn):
        assert record.name == record.patient == f"S{index:05d}"
        assert record.leads == ("ECG",) and record.sampling_rate_hz == 300
        assert record.signal.shape == (len(clean), 1) and record.signal.dtype == np.float32
        assert np.isfinite(record.signal).all() and 9.0 <= record.duration_s <= 61.0
    counts = collections.Counter(record.label for record, _ in drawn)
    for label, share in synthetic.SHORT_SHARES.items():
        assert counts[label] == pytest.approx(share * RECORDS, abs=4)


def test_length_does_not_depend_on_the_label(drawn):
    for label in "NAO~":
        lengths = [len(record.signal) for record in synthetic.short_records(12, 11, shares={label: 1.0})]
        assert lengths == [len(record.signal) for record, _ in drawn[:12]]
    seconds = np.array([record.duration_s for record, _ in drawn])
    assert 0.4 < np.mean(seconds == 30.0) < 0.6
    assert seconds.min() < 13 and seconds.max() > 57


def test_the_duration_range_is_kept():
    seconds = [r.duration_s for r in synthetic.short_records(20, 1, duration_range_s=(9.0, 12.0))]
    assert 9.0 <= min(seconds) < max(seconds) <= 12.0


def test_only_the_noise_class_is_below_zero_db(drawn):
    ratios = by_label(drawn, snr_db)
    assert max(ratios["~"]) < 0 < min(min(ratios[label]) for label in "NAO")


@pytest.mark.parametrize("pair", ["NA", "NO", "AO"])
def test_size_and_noise_do_not_tell_the_label(drawn, pair):
    for measure in (snr_db, lambda r, _: r.signal.std(), lambda r, _: r.signal.mean(), lambda r, _: r.duration_s):
        values = by_label(drawn, measure)
        assert scipy.stats.ks_2samp(values[pair[0]], values[pair[1]]).pvalue > 0.005


def test_the_noise_class_is_no_larger_than_the_others(drawn):
    values = by_label(drawn, lambda r, _: r.signal.std())
    others = [v for label in "NAO" for v in values[label]]
    assert scipy.stats.ks_2samp(values["~"], others).pvalue > 0.005


def test_every_kind_of_noise_is_on_every_label(drawn):
    lost = collections.Counter()
    for record, clean in drawn:
        added = record.signal[:, 0] - clean
        frequency, power = scipy.signal.periodogram(added, 300, window="hann")

        def strongest(low, high, frequency=frequency, power=power):
            return power[(frequency >= low) & (frequency <= high)].max()

        floor = np.median(power[(frequency > 52) & (frequency < 58)])
        assert max(strongest(49.5, 50.5), strongest(59.5, 60.5)) > 10 * floor, "mains"
        assert floor > 0, "muscle"
        assert strongest(0.05, 0.5) > 5 * floor, "wander"
        assert strongest(1.0, 8.0) > floor, "motion"
        lost[record.label] += bool(np.any(np.convolve(record.signal[:, 0] == 0.0, np.ones(25), "valid") == 25))
    counts = collections.Counter(record.label for record, _ in drawn)
    assert all(0 < lost[label] < counts[label] for label in "NAO~")


def test_some_records_of_every_label_are_upside_down(drawn):
    # The ECG's largest deflection points up in all our hearts but for some ventricular beats.
    upside_down = by_label(drawn, lambda _, clean: bool(-clean.min() > clean.max()))
    assert all(0.03 < np.mean(upside_down[label]) < 0.5 for label in "NAO~")


def test_labels_mean_what_they_say(drawn):
    """Rate and irregularity, from peaks found in the ECG without looking at annotations."""

    def rr_of(record, clean):
        steep = np.abs(np.gradient(clean))
        peaks, _ = scipy.signal.find_peaks(steep, height=0.45 * steep.max(), distance=round(0.25 * 300))
        return np.diff(peaks) / 300

    intervals = by_label(drawn, rr_of)
    normal_bpm = [60 / rr.mean() for rr in intervals["N"]]
    assert min(normal_bpm) > 55 and max(normal_bpm) < 106
    variation = {label: [rr.std() / rr.mean() for rr in intervals[label]] for label in "NAO"}
    assert np.max(variation["N"]) < 0.12
    assert np.mean(np.array(variation["A"]) > 0.1) > 0.95
    other_bpm = [60 / rr.mean() for rr in intervals["O"]]
    assert min(other_bpm) < 52 and max(other_bpm) > 108


def test_shares_choose_the_labels():
    assert {r.label for r in synthetic.short_records(6, 0, shares={"A": 2, "N": 0})} == {"A"}
    halves = collections.Counter(r.label for r in synthetic.short_records(20, 0, shares={"A": 1, "O": 1}))
    assert halves["A"] == pytest.approx(10, abs=2)


@pytest.mark.parametrize(
    "call",
    [
        lambda: synthetic.short_record(0, 0, shares={"X": 1}),
        lambda: synthetic.short_record(0, 0, shares={"N": -1, "A": 2}),
        lambda: synthetic.short_record(0, 0, shares={}),
        lambda: synthetic.short_record(0, 0, duration_range_s=(30.0, 9.0)),
        lambda: synthetic.short_record(-1, 0),
        lambda: synthetic.long_recording(0, 0, duration_s=1.0),
        lambda: synthetic.long_recording(0, -1),
    ],
)
def test_wrong_options_are_refused(call):
    with pytest.raises(OptionError, match="Received"):
        call()


def test_numpy_is_all_that_is_needed():
    code = (
        "import sys, transplant.datasets.synthetic as s; s.short_record(0, 0); s.long_recording(0, 0, 20);"
        "print([m for m in ('scipy', 'pandas', 'wfdb', 'tensorflow', 'keras', 'sklearn') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"

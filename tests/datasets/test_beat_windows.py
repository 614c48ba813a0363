"""Single beats: where a window lies, which beats count, and the real MIT-BIH."""

import re

import numpy as np
import pytest
import wfdb

from transplant.datasets import beat_windows
from transplant.datasets.beat_windows import _cut, read_beats, read_synthetic_beats, read_two_lead_beats
from transplant.datasets.record import Record
from transplant.errors import DataError, OptionError

NORMAL, PAC, ABERRATED, PVC = 1, 2, 3, 4


def record(name, rate=256.0, seconds=20, positions=(), classes=(), signal=None):
    time = np.arange(int(seconds * rate)) / rate
    signal = np.sin(2 * np.pi * time)[:, None].astype(np.float32) if signal is None else signal
    return Record(
        name, name, signal, rate, ("MLII",),
        beat_positions=np.array(positions, np.int64), beat_classes=np.array(classes, np.uint8),
    )  # fmt: skip


def cut(*records, most=100):
    return _cut(((each.patient, each) for each in records), "beats", "v", most, "here").data


def test_a_window_lies_around_its_beat_at_128_hz():
    # A slow wave, which resampling leaves alone: the window says where it was cut.
    beats = record("a", positions=[1280, 1536, 2560], classes=[NORMAL, PAC, PVC])
    found = cut(beats)
    assert found.x.shape == (3, 192, 1) and found.classes == ("normal", "pac", "pvc") and found.y.tolist() == [0, 1, 2]
    assert found.record_ids.tolist() == ["a_1280", "a_1536", "a_2560"] and found.sampling_rate_hz == 128
    for row, second in zip(found.x, (5, 6, 10)):
        times = second - 0.75 + np.arange(192) / 128
        np.testing.assert_allclose(row[:, 0], np.sin(2 * np.pi * times), atol=0.01)


def test_other_beats_ends_and_invalid_samples_are_left_out_and_counted():
    signal = np.sin(np.arange(5120) / 40)[:, None].astype(np.float32)
    signal[2000:2010] = np.nan
    beats = record(
        "a", positions=[100, 1000, 1200, 1400, 1900, 3000, 5000], signal=signal,
        classes=[NORMAL, NORMAL, PAC, ABERRATED, NORMAL, PVC, NORMAL],
    )  # fmt: skip
    found = cut(beats)
    assert found.record_ids.tolist() == ["a_1000", "a_1200", "a_3000"]
    assert "1 of other kinds, 3 at the ends or on invalid samples" in found.notes[-1]


def test_beats_of_a_patient_are_thinned_out_evenly():
    positions = list(range(300, 4800, 100))
    classes = [NORMAL] * len(positions)
    classes[5], classes[9] = PAC, PVC
    found = cut(record("a", positions=positions, classes=classes), most=4)
    assert found.counts() == {"normal": 4, "pac": 1, "pvc": 1}
    chosen = [int(name.partition("_")[2]) for name, label in zip(found.record_ids, found.y) if label == 0]
    assert chosen[0] == 300 and chosen[-1] == 4700 and np.ptp(np.diff(chosen)) <= 200
    assert "(39 thinned out)" in found.notes[-1]


def test_a_class_without_beats_is_refused():
    with pytest.raises(DataError, match=r"here: .* Received: none of pac, pvc"):
        cut(record("a", positions=[1280], classes=[NORMAL]))


def test_a_number_that_is_none():
    with pytest.raises(OptionError, match="Received: many"):
        read_synthetic_beats(beats_per_patient="many")


def test_the_embedded_beats(monkeypatch):
    monkeypatch.setattr(beat_windows, "_SYNTHETIC_PATIENTS", 6)
    found = read_synthetic_beats(beats_per_patient="20").data
    assert set(found.group_ids) == {str(patient) for patient in range(6)} and found.notes[0].endswith("not evidence")
    assert found.counts()["normal"] == 120
    # The beat is in the middle: its peak is the largest there is near it.
    middle = np.abs(found.x[found.y == 0, 90:102, 0]).max(axis=1)
    assert np.median(middle / np.abs(found.x[found.y == 0, :, 0]).max(axis=1)) > 0.8


def test_the_real_ones(real_data):
    found = read_beats(real_data / "mitdb").data
    assert len(set(found.group_ids)) == 42 and "201" in found.group_ids and "202" not in found.group_ids
    # 95,118 beats in all: kept, thinned out, of other kinds, at the ends.
    counted = re.findall(r"[\d,]*\d(?= thinned| of other| at the)", found.notes[-1])
    assert len(counted) == 3
    assert len(found) + sum(int(text.replace(",", "")) for text in counted) == 95_118


def test_two_leads_are_taken_by_name(tmp_path):
    time = np.arange(20 * 256) / 256
    waves = {"V1": np.sin(2 * np.pi * time), "MLII": np.cos(2 * np.pi * time), "V5": 0 * time}
    for name, leads in (("a", ("V1", "MLII")), ("b", ("MLII", "V5")), ("c", ("MLII", "V1", "V5"))):
        wfdb.wrsamp(
            name, fs=256, units=["mV"] * len(leads), sig_name=list(leads), fmt=["16"] * len(leads),
            p_signal=np.stack([waves[lead] for lead in leads], axis=1), write_dir=str(tmp_path),
        )  # fmt: skip
        wfdb.wrann(name, "atr", np.array([1280, 1536, 2560]), symbol=["N", "A", "V"], write_dir=str(tmp_path))
    found = read_two_lead_beats(tmp_path).data
    assert found.leads == ("MLII", "V1") and set(found.group_ids.tolist()) == {"a", "c"} and len(found) == 6
    assert found.notes[-1] == "1 records have not both leads: b"
    times = 5 - 0.75 + np.arange(192) / 128
    for row in (found.x[0], found.x[3]):
        np.testing.assert_allclose(row, np.stack([np.cos(2 * np.pi * times), np.sin(2 * np.pi * times)], 1), atol=0.01)


def test_two_real_leads(real_data):
    found = read_two_lead_beats(real_data / "mitdb").data
    assert found.x.shape[1:] == (192, 2) and "114" not in found.group_ids and "100" not in found.group_ids
    assert len(set(found.group_ids)) > 30
    # The first lead is the one that beats of a single lead have, where a record has both.
    single = read_beats(real_data / "mitdb").data
    rows = {name: index for index, name in enumerate(single.record_ids.tolist())}
    shared = [index for index, name in enumerate(found.record_ids.tolist()) if name in rows]
    assert len(shared) == len(found)
    np.testing.assert_array_equal(found.x[shared, :, 0], single.x[[rows[found.record_ids[i]] for i in shared], :, 0])

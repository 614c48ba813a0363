"""The PTB diagnostic database: made WFDB records in its form, and the one real record."""

import numpy as np
import pytest
import wfdb

from transplant.datasets.ptbdb import CLASSES, LEADS, group_of, read_ptbdb
from transplant.errors import DataError


def write(folder, subject, name, reason, seconds=21.0, leads=LEADS):
    """Write a record at 1000 Hz whose leads are sines of 1 to 15 Hz, .1 to 1.5 mV."""
    place = folder / subject
    place.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(1000 * seconds)) / 1000
    number = np.arange(1, len(leads) + 1)
    signal = 0.1 * number * np.sin(2 * np.pi * number * time[:, None])
    comments = ["age: 60", "sex: male", "", "Diagnose:", f"Reason for admission: {reason}"]
    wfdb.wrsamp(
        name, fs=1000, units=["mV"] * len(leads), sig_name=list(leads), p_signal=signal, fmt=["16"] * len(leads),
        adc_gain=[2000] * len(leads), baseline=[0] * len(leads), comments=comments, write_dir=str(place),
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, "patient001", "s0010_re", "Myocardial infarction")
    write(tmp_path, "patient001", "s0014lre", "Myocardial infarction", seconds=10.0)
    write(tmp_path, "patient104", "s0306lre", "Healthy control", seconds=15.0)
    write(tmp_path, "patient200", "s0400_re", "Heart failure (NYHA 3)", seconds=12.0)
    write(tmp_path, "patient201", "s0401_re", "Palpitation")
    write(tmp_path, "patient202", "s0402_re", "n/a")
    return tmp_path


def test_windows_are_ten_seconds_every_five_by_subject(folder):
    data = read_ptbdb(folder).data
    assert data.x.shape == (3 + 1 + 2 + 1, 2000, 15) and data.sampling_rate_hz == 200 and data.leads == LEADS
    found = [(group, CLASSES[label]) for group, label in zip(data.group_ids, data.y)]
    assert found == [("patient001", "myocardial infarction")] * 4 + [("patient104", "healthy")] * 2 + [
        ("patient200", "cardiomyopathy or heart failure")
    ]
    assert data.record_ids[2] == "patient001/s0010_re-010s"
    assert "1 of palpitation, 1 of no reason" in data.notes[0]


def test_values_are_millivolts_at_200_hz(folder):
    data = read_ptbdb(folder).data
    time = np.arange(1000, 3000) / 200
    for lead in (0, 7, 14):
        expected = 0.1 * (lead + 1) * np.sin(2 * np.pi * (lead + 1) * time)
        np.testing.assert_allclose(data.x[1, :, lead], expected, atol=0.003 * (lead + 1))


@pytest.mark.parametrize(
    ("reason", "group"),
    [
        ("Myocardial infarction", "myocardial infarction"),
        ("Heart failure (NYHA 4)", "cardiomyopathy or heart failure"),
        ("Cardiomyopathy", "cardiomyopathy or heart failure"),
        ("Hypertrophy", "hypertrophy"),
        ("Myocardial hypertrophy", "hypertrophy"),
        ("Bundle branch block", "bundle branch block"),
        ("Valvular heart disease", "valvular heart disease"),
        ("n/a", "no reason"),
    ],
)
def test_reasons_make_six_groups(reason, group):
    assert group_of(["age: 81", f" Reason for admission: {reason} "]) == group
    assert group_of(["age: 81"]) == "no reason"


def test_what_is_wrong_with_a_record_is_told(folder):
    write(folder, "patient300", "s0500_re", "Dysrhythmia", leads=LEADS[:12])
    with pytest.raises(DataError, match=r"s0500_re\.hea: leads .* Received: no vx, vy, vz"):
        read_ptbdb(folder)
    write(folder, "patient300", "s0500_re", "Dysrhythmia", seconds=9.0)
    with pytest.raises(DataError, match=r"s0500_re: 10 s of valid samples are needed\. Received: 9 s"):
        read_ptbdb(folder)
    skipped = []
    assert len(read_ptbdb(folder, skipped=skipped).data) == 7
    assert [entry.name for entry in skipped] == ["patient300/s0500_re"]
    with pytest.raises(DataError, match="folders patient001, patient002"):
        read_ptbdb(folder / "nothing")


def test_the_real_record(real_data, tmp_path):
    place = real_data / "ecg_extras" / "ptbdb_one_record"
    if not place.is_dir():
        pytest.skip("the record of PTBDB is not there")
    (tmp_path / "patient001").symlink_to(place)
    data = read_ptbdb(tmp_path).data
    assert data.x.shape == (6, 2000, 15) and set(data.y.tolist()) == {CLASSES.index("myocardial infarction")}
    # What the converter's units are: physical values by wfdb itself, at the same times.
    record = wfdb.rdrecord(str(place / "s0010_re"))
    expected = record.p_signal[5000 + 100 : 15000 - 100 : 5, 1]
    np.testing.assert_allclose(data.x[1, 20:-20, 1], expected, atol=0.1)

import os
import pathlib

import numpy as np
import pytest
import wfdb

from transplant.datasets.icentia11k import ds_beat_names, ds_rhythm_names
from transplant.datasets.wfdb_directory import WfdbDirectory, beat_class, patient_of, rhythm_intervals
from transplant.errors import DataError

DATA = os.environ.get("TRANSPLANT_DATA")
NORMAL, PAC, ABERRATED, PVC, UNDEFINED = 1, 2, 3, 4, 0


def write_record(folder, name, n=2000, leads=("II",), fmt="16", units="mV", gain=200.0, baseline=0, fs=250, marks=None):
    """Write name.hea, .dat and .atr in WFDB's own format; return the counts that were written."""
    folder.mkdir(parents=True, exist_ok=True)
    counts = np.random.default_rng(len(name)).integers(-900, 900, (n, len(leads)))
    wfdb.wrsamp(
        name,
        fs=fs,
        units=[units] * len(leads),
        sig_name=list(leads),
        d_signal=counts,
        fmt=[fmt] * len(leads),
        adc_gain=[gain] * len(leads),
        baseline=[baseline] * len(leads),
        write_dir=str(folder),
    )
    marks = marks or [(10, "+", "(N"), (20, "N", ""), (300, "V", "")]
    wfdb.wrann(
        name,
        "atr",
        sample=np.array([m[0] for m in marks]),
        symbol=[m[1] for m in marks],
        aux_note=[m[2] for m in marks],
        write_dir=str(folder),
    )
    return counts


@pytest.mark.parametrize(
    "symbols, expected",
    [
        ("NLRej", NORMAL),
        ("AJS", PAC),
        ("a", ABERRATED),
        ("VE", PVC),
        ("Q/fFnrB?", UNDEFINED),
        ('+~|"x[]!stpu^=()*D@T', None),
    ],
)
def test_beat_symbols_map_to_icentia_classes(symbols, expected):
    assert [beat_class(symbol) for symbol in symbols] == [expected] * len(symbols)


def test_a_mark_opens_its_rhythm_until_the_next_mark_or_the_end():
    starts, ends, classes = rhythm_intervals([0, 100, 400, 450], ["(N", "(AFIB\x00", "(AFL", "(VT"], 500)
    assert starts.tolist() == [0, 100, 400, 450]
    assert ends.tolist() == [100, 400, 450, 500]
    assert [ds_rhythm_names[c] for c in classes] == ["normal", "afib", "aflut", "undefined"]


def test_a_closing_mark_leaves_a_gap_and_nothing_is_said_before_the_first_mark():
    starts, ends, classes = rhythm_intervals([50, 100, 300], ["(AFIB", ")", "(N"], 400)
    assert list(zip(starts, ends, classes)) == [(50, 100, 4), (300, 400, 3)]


def test_a_rhythm_of_one_beat_opens_and_closes_at_once():
    starts, ends, classes = rhythm_intervals([0, 100, 120, 300], ["(N", "(AFIB)", "(N", ")"], 400)
    assert (starts.tolist(), ends.tolist(), classes.tolist()) == ([0, 120], [100, 300], [3, 3])


def test_marks_on_one_sample_or_behind_the_end_make_no_interval():
    starts, ends, classes = rhythm_intervals([0, 10, 10, 90], ["(N", "(AFIB", "(AFL", "(N"], 80)
    assert list(zip(starts, ends, classes)) == [(0, 10, 3), (10, 80, 5)]
    assert [len(part) for part in rhythm_intervals([], [], 80)] == [0, 0, 0]


def test_patient_ids():
    assert patient_of("p00012_s03") == "12"
    assert patient_of("202") == patient_of("201") == "201"
    assert patient_of("100") == "100"


def test_icentia_layout_is_listed_by_patient_and_hidden_files_are_ignored(tmp_path):
    for patient, segment in ((2, 1), (2, 0), (10, 0)):
        folder = tmp_path / f"p0{patient // 1000}" / f"p{patient:05d}"
        write_record(folder, f"p{patient:05d}_s{segment:02d}", n=400)
    write_record(tmp_path / ".cache", "p00003_s00", n=400)
    (tmp_path / "p00" / "p00002" / ".p00002_s05.hea").write_text("left by a copy")
    directory = WfdbDirectory(tmp_path)
    patients = directory.patients()
    assert list(patients) == ["2", "10"]
    assert [os.path.basename(record) for record in patients["2"]] == ["p00002_s00", "p00002_s01"]
    assert directory.name == tmp_path.name
    record = directory.read(patients["10"][0])
    assert (record.name, record.patient) == ("p00010_s00", "10")


def test_a_records_file_names_the_records(tmp_path):
    for name in ("100", "101", "201", "202"):
        write_record(tmp_path, name, n=400)
    (tmp_path / "RECORDS").write_text("100\n202\n201\n")
    patients = WfdbDirectory(tmp_path).patients()
    assert {patient: [os.path.basename(r) for r in records] for patient, records in patients.items()} == {
        "100": ["100"],
        "201": ["201", "202"],
    }


@pytest.mark.parametrize("fmt", ["16", "212"])
def test_samples_are_counts_less_baseline_over_gain(tmp_path, fmt):
    counts = write_record(tmp_path, "a", fmt=fmt, gain=200.0, baseline=50, leads=("V5", "MLII"))
    record = WfdbDirectory(tmp_path).read(str(tmp_path / "a"))
    np.testing.assert_array_equal(record.signal, ((counts - 50) / 200.0).astype(np.float32))
    assert record.signal.dtype == np.float32
    assert record.leads == ("V5", "MLII")
    assert record.sampling_rate_hz == 250
    assert record.adc_gain.tolist() == [200, 200] and record.adc_baseline.tolist() == [50, 50]
    assert list(zip(record.beat_positions, record.beat_classes)) == [(20, NORMAL), (300, PVC)]
    assert list(zip(record.rhythm_starts, record.rhythm_ends, record.rhythm_classes)) == [(10, 2000, 3)]


@pytest.mark.parametrize("units, millivolts", [("uV", 1e-3), ("V", 1e3), ("mV", 1.0)])
def test_other_units_become_millivolts_and_counts_still_rebuild_the_signal(tmp_path, units, millivolts):
    counts = write_record(tmp_path, "a", units=units, gain=4.0, baseline=3)
    record = WfdbDirectory(tmp_path).read(str(tmp_path / "a"))
    np.testing.assert_allclose(record.signal, (counts - 3) / 4.0 * millivolts, rtol=1e-6)
    np.testing.assert_allclose(record.signal * record.adc_gain + record.adc_baseline, counts, rtol=1e-6, atol=1e-3)


def test_samples_marked_invalid_are_nan(tmp_path):
    write_record(tmp_path, "a", n=100, marks=[(5, "N", "")])
    raw = np.fromfile(tmp_path / "a.dat", "<i2")
    raw[7] = -32768
    raw.tofile(tmp_path / "a.dat")
    signal = WfdbDirectory(tmp_path).read(str(tmp_path / "a")).signal
    assert np.flatnonzero(np.isnan(signal)).tolist() == [7]


def test_channels_that_are_no_voltage_are_left_out(tmp_path):
    write_record(tmp_path, "a", leads=("II", "ABP"))
    header = tmp_path / "a.hea"
    lines = header.read_text().splitlines()
    lines[2] = lines[2].replace("/mV", "/mmHg")
    header.write_text("\n".join(lines) + "\n")
    record = WfdbDirectory(tmp_path).read(str(tmp_path / "a"))
    assert record.leads == ("II",) and record.signal.shape == (2000, 1) and len(record.adc_gain) == 1


def test_a_record_of_several_segments_is_joined_and_has_no_single_gain(tmp_path):
    first = write_record(tmp_path, "s1", n=300, gain=200.0)
    second = write_record(tmp_path, "s2x", n=500, gain=100.0)
    (tmp_path / "whole.hea").write_text("whole/2 1 250 800\ns1 300\ns2x 500\n")
    wfdb.wrann("whole", "atr", np.array([10, 700]), ["N", "V"], write_dir=str(tmp_path))
    record = WfdbDirectory(tmp_path).read(str(tmp_path / "whole"))
    expected = np.concatenate([first / 200, second / 100]).astype(np.float32)
    np.testing.assert_allclose(record.signal, expected, rtol=1e-6)
    assert record.adc_gain is None and record.beat_positions.tolist() == [10, 700]


def test_frames_of_several_samples_are_averaged_to_whole_counts(tmp_path):
    counts = write_record(tmp_path, "a", n=400, marks=[(5, "N", "")])
    header = (tmp_path / "a.hea").read_text().replace("a 1 250 400", "a 1 250 200").replace(".dat 16 ", ".dat 16x2 ")
    (tmp_path / "a.hea").write_text(header)
    record = WfdbDirectory(tmp_path).read(str(tmp_path / "a"))
    rebuilt = record.signal[:, 0] * 200
    np.testing.assert_allclose(rebuilt, np.rint(rebuilt), atol=1e-3)
    np.testing.assert_allclose(rebuilt, counts.reshape(200, 2).mean(axis=1), atol=0.501)
    assert record.adc_gain.tolist() == [200]


def cut(path, n_bytes):
    path.write_bytes(path.read_bytes()[:-n_bytes])


@pytest.mark.parametrize(
    "damage, file",
    [
        (lambda d: cut(d / "a.dat", 101), "a.dat"),
        (lambda d: cut(d / "a.dat", 2), "a.dat"),
        (lambda d: (d / "a.dat").unlink(), "a.dat"),
        (lambda d: (d / "a.atr").unlink(), "a.atr"),
        (lambda d: cut(d / "a.atr", 2), "a.atr"),
        (lambda d: cut(d / "a.atr", 3), "a.atr"),
        (lambda d: (d / "a.atr").write_bytes(b""), "a.atr"),
        (lambda d: (d / "a.hea").unlink(), "a.hea"),
        (lambda d: (d / "a.hea").write_text(""), "a.hea"),
        (lambda d: (d / "a.hea").write_text("garbage\n"), "a.hea"),
        (lambda d: (d / "a.hea").write_text("a 1 250 many\n"), "a.hea"),
        (lambda d: (d / "a.hea").write_text("a 1 250 2000\n"), "a.hea"),
        (lambda d: (d / "a.hea").write_bytes(bytes(range(256))), "a.hea"),
    ],
)
@pytest.mark.parametrize("fmt", ["16", "212"])
def test_damage_is_an_error_that_names_the_file_and_a_remedy(tmp_path, damage, file, fmt):
    write_record(tmp_path, "a", fmt=fmt, leads=("II", "V1") if fmt == "212" else ("II",))
    damage(tmp_path)
    directory = WfdbDirectory(tmp_path)
    (record,) = directory.patients()["a"]
    with pytest.raises(DataError, match=rf"{file}: .*Received: .*leave (it|the record) out"):
        directory.read(record)


def test_marks_behind_the_signal_are_an_error(tmp_path):
    write_record(tmp_path, "a", n=400, marks=[(10, "N", ""), (500, "N", "")])
    with pytest.raises(DataError, match=r"a\.atr: .*10 to 500, 400 samples"):
        WfdbDirectory(tmp_path).read(str(tmp_path / "a"))


def test_missing_and_empty_folders_are_errors(tmp_path):
    with pytest.raises(DataError, match=r"nowhere: .*no such folder"):
        WfdbDirectory(tmp_path / "nowhere")
    with pytest.raises(DataError, match="Received: a folder without any"):
        WfdbDirectory(tmp_path).patients()
    (tmp_path / "RECORDS").write_text("\n")
    with pytest.raises(DataError, match=r"RECORDS: .*empty file"):
        WfdbDirectory(tmp_path).patients()


@pytest.mark.skipif(DATA is None, reason="TRANSPLANT_DATA is not set")
def test_mit_bih_beats_and_rhythms():
    directory = WfdbDirectory(pathlib.Path(DATA) / "mitdb" / "mitdb")
    patients = directory.patients()
    assert len(patients) == 41 + (len(patients["201"]) == 1)
    assert sum(map(len, patients.values())) == 42
    beats, seconds, leads = 0, {}, {}
    for records in patients.values():
        for path in records:
            record = directory.read(path)
            beats += len(record.beat_positions)
            leads[record.name] = record.leads
            assert record.signal.shape == (650_000, 2) and set(record.beat_classes) <= set(ds_beat_names)
            for name, kind in (("afib", 4), ("aflut", 5)):
                chosen = record.rhythm_classes == kind
                total = (record.rhythm_ends - record.rhythm_starts)[chosen].sum() / record.sampling_rate_hz
                seconds[name, record.name] = round(float(total))
    assert beats == 95_118
    afib = {record: seconds["afib", record] for record in ("201", "203", "219", "221")}
    assert afib == {"201": 606, "203": 1455, "219": 1427, "221": 1757}
    assert (seconds["aflut", "203"], seconds["aflut", "222"]) == (314, 423)
    assert leads["114"][0] == "V5" and "MLII" not in leads["102"]


@pytest.mark.skipif(DATA is None, reason="TRANSPLANT_DATA is not set")
def test_mit_bih_annotations_in_all():
    folder = pathlib.Path(DATA) / "mitdb" / "mitdb"
    names = (folder / "RECORDS").read_text().split()
    assert sum(len(wfdb.rdann(str(folder / name), "atr").sample) for name in names) == 97_921

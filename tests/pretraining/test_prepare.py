"""The prepare command: stores that are whole, resumable, honest about what they left out."""

import json
import pathlib

import numpy as np
import pytest
import wfdb
from wfdb_files import write_record

from pretraining import prepare
from pretraining.preparation import PreparationSettings, prepare_store
from pretraining.sources import SyntheticSource, open_source, select_patients
from pretraining.store import Store
from transplant.datasets.wfdb_directory import WfdbDirectory
from transplant.errors import DataError, OptionError


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    for name in ("100", "101", "102"):
        write_record(folder, name)
    return folder


def run(source, out, *options):
    return prepare.main(["--source", str(source), "--out", str(out), "--workers", "1", *options])


def error_line(capsys):
    captured = capsys.readouterr().err.strip().splitlines()
    assert "Traceback" not in "".join(captured)
    return captured[-1]


def test_a_store_holds_what_the_records_hold(source, tmp_path):
    assert run(source, tmp_path / "store") == 0
    store = Store.open(tmp_path / "store")
    assert [p.patient for p in store.patients] == ["100", "101", "102"]
    segments = store.patients[1].load()
    assert segments.signal.shape == (20 * 250, 1)
    assert store.patients[1].leads == [["MLII"]]
    np.testing.assert_array_equal(segments.annotations[0].beat_positions, np.arange(250, 5000, 250))
    assert segments.annotations[0].beat_classes[0] == 4 and segments.annotations[0].beat_classes[1] == 1


def test_a_signal_at_the_stores_rate_stays_int16_and_exact(tmp_path):
    (tmp_path / "source").mkdir()
    write_record(tmp_path / "source", "100", rate=250)
    assert run(tmp_path / "source", tmp_path / "store", "--leads", "V1", "MLII") == 0
    patient = Store.open(tmp_path / "store").patients[0]
    assert patient.dtype == "int16"
    physical = wfdb.rdrecord(str(tmp_path / "source" / "100")).p_signal[:, ::-1].astype(np.float32)
    np.testing.assert_array_equal(patient.load().millivolts(0), physical)


def test_patients_can_be_added_and_finished_ones_are_kept(source, tmp_path):
    store = tmp_path / "store"
    assert run(source, store, "--patient-ids", "100,102") == 0
    made = (store / "patients" / "100" / "signal.npy").stat().st_mtime_ns
    before = Store.open(store).fingerprint
    assert run(source, store, "--patient-ids", "101", "102") == 0
    assert [p.patient for p in Store.open(store).patients] == ["100", "101", "102"]
    assert (store / "patients" / "100" / "signal.npy").stat().st_mtime_ns == made
    assert Store.open(store).fingerprint != before
    run(source, tmp_path / "at_once")
    assert Store.open(tmp_path / "at_once").fingerprint == Store.open(store).fingerprint


def test_processes_give_the_same_store_as_one(source, tmp_path):
    run(source, tmp_path / "one")
    assert prepare.main(["--source", str(source), "--out", str(tmp_path / "two"), "--workers", "2"]) == 0
    assert Store.open(tmp_path / "one").fingerprint == Store.open(tmp_path / "two").fingerprint


def test_an_interrupted_store_is_refused_until_it_is_finished(source, tmp_path, capsys):
    store = tmp_path / "store"
    run(source, store)
    (store / "manifest.json").unlink()
    with pytest.raises(DataError, match="not finished"):
        Store.open(store)
    assert run(source, store) == 0
    assert len(Store.open(store).patients) == 3


def test_other_settings_do_not_mix_into_a_store(source, tmp_path, capsys):
    run(source, tmp_path / "store")
    assert run(source, tmp_path / "store", "--rate", "125") == 2
    assert "rate_hz 250.0 (asked: 125.0)" in error_line(capsys)


@pytest.mark.parametrize("case", ["missing", "empty", "truncated .dat", "no .dat", "NaN", "no beats", "other lead"])
def test_bad_recordings_give_one_line_and_status_2(case, source, tmp_path, capsys):
    options = []
    if case == "missing":
        source = tmp_path / "nowhere"
    elif case == "empty":
        source = tmp_path / "empty"
        source.mkdir()
    elif case == "truncated .dat":
        data = (source / "101.dat").read_bytes()
        (source / "101.dat").write_bytes(data[: len(data) // 2])
    elif case == "no .dat":
        (source / "101.dat").unlink()
    elif case == "NaN":
        write_record(source, "101", nan=True)
    elif case == "no beats":
        write_record(source, "101", beats=False)
    else:
        options = ["--leads", "aVF"]
    assert run(source, tmp_path / "store", *options) == 2
    line = error_line(capsys)
    assert line.startswith("error: ")
    expected = {"missing": "nowhere", "empty": "empty", "other lead": "MLII, V1"}.get(case, "101")
    assert expected in line
    assert not (tmp_path / "store" / "manifest.json").exists()


def test_skip_bad_leaves_out_counts_and_lists(source, tmp_path, capsys):
    (source / "101.dat").unlink()
    assert run(source, tmp_path / "store", "--skip-bad") == 0
    store = Store.open(tmp_path / "store")
    assert [p.patient for p in store.patients] == ["100", "102"]
    assert [patient for patient, _ in store.skipped] == ["101"]
    output = capsys.readouterr().out
    assert "left out: patient 101" in output and "1 left out" in output


def test_nothing_is_left_behind_when_no_patient_could_be_prepared(tmp_path):
    (tmp_path / "source").mkdir()
    write_record(tmp_path / "source", "100", beats=False)
    assert run(tmp_path / "source", tmp_path / "store") == 2
    assert not (tmp_path / "store").exists()


def test_a_disk_that_is_too_small_is_refused_before_anything_is_written(source, tmp_path, monkeypatch, capsys):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("pretraining.preparation.shutil.disk_usage", lambda path: usage)
    assert run(source, tmp_path / "store") == 2
    assert "GiB free" in error_line(capsys)
    assert not (tmp_path / "store").exists()


def test_patients_that_left_the_source_stay_in_the_store(source, tmp_path):
    run(source, tmp_path / "store", "--patient-ids", "100", "101")
    for suffix in (".hea", ".dat", ".atr"):
        (source / f"100{suffix}").unlink()
    assert run(source, tmp_path / "store", "--patient-ids", "102") == 0
    assert sorted(p.patient for p in Store.open(tmp_path / "store").patients) == ["100", "101", "102"]


def test_the_size_is_said_first_for_a_relative_source_too(source, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(source.parent)
    run(source.name, tmp_path / "store", "--leads", "MLII", "V1")
    # 3 patients x 20 s x 250 Hz x 2 leads x 4 bytes = 0.11 MiB, 60 s of ECG.
    output = capsys.readouterr().out
    assert "preparing 3 patients (0.0 h of ECG)" in output and "about 0 MiB" in output
    assert WfdbDirectory(source.name).expected_samples(WfdbDirectory(source.name).patients()["100"], 250) == (5000, 4)


def test_leftovers_of_a_killed_run_are_removed(source, tmp_path):
    leftover = tmp_path / "store" / "patients" / f".100-{'0' * 32}"
    run(source, tmp_path / "store")
    leftover.mkdir()
    run(source, tmp_path / "store")
    assert not leftover.exists()


@pytest.mark.parametrize("header", ["", "100 1 0 7200\n", "100 1 360 99999999999\n"])
def test_a_bad_header_costs_its_patient_alone(header, source, tmp_path, capsys):
    """Empty, rate 0, absurd sample count."""
    lines = (source / "100.hea").read_text().splitlines(keepends=True)
    first = header.replace(" 1 ", " 2 ")
    (source / "100.hea").write_text(first + "".join(lines[1:]) if header else "")
    assert run(source, tmp_path / "store") == 2
    assert "100" in error_line(capsys)
    assert run(source, tmp_path / "skipping", "--skip-bad") == 0
    assert [p.patient for p in Store.open(tmp_path / "skipping").patients] == ["101", "102"]


@pytest.mark.parametrize("options", [["--patient-ids", ","], ["--rate", "0"], ["--seed", "-1"]])
def test_impossible_values_are_errors(options, source, tmp_path, capsys):
    try:
        status = run(source, tmp_path / "store", *options)
    except SystemExit as end:
        status = end.code
    assert status == 2 and "Traceback" not in capsys.readouterr().err


def test_a_damaged_store_is_named(source, tmp_path):
    run(source, tmp_path / "store")
    signal = tmp_path / "store" / "patients" / "101" / "signal.npy"
    signal.write_bytes(signal.read_bytes()[:1000])
    with pytest.raises(DataError, match="101"):
        Store.open(tmp_path / "store").patients[1].load()


def test_a_foreign_folder_is_not_filled(source, tmp_path, capsys):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "thesis.txt").write_text("mine")
    assert run(source, tmp_path / "store") == 2
    assert "not empty" in error_line(capsys)
    assert [p.name for p in (tmp_path / "store").iterdir()] == ["thesis.txt"]


def test_patient_ids_match_whatever_their_zeros():
    assert select_patients(["0", "7", "12"], ["p00007", "00012"]) == ["7", "12"]
    with pytest.raises(OptionError, match="13"):
        select_patients(["0", "7"], ["13"])


def test_the_synthetic_source_needs_no_files(tmp_path):
    store = prepare_store(SyntheticSource(3, 30.0, 1), tmp_path / "s", PreparationSettings(), workers=1)
    assert [p.dtype for p in store.patients] == ["int16"] * 3
    assert open_source("synthetic").patients().keys() == {str(i) for i in range(100)}


def test_normalization_comes_from_the_patients_asked(source, tmp_path):
    run(source, tmp_path / "store")
    store = Store.open(tmp_path / "store")
    normalization = store.normalization(store.patients[:2])
    signal = np.concatenate([p.load().signal for p in store.patients[:2]]).astype(np.float64)
    np.testing.assert_allclose(normalization.mean, signal.mean(axis=0), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(normalization.std, signal.std(axis=0), rtol=1e-6)


def test_the_manifest_names_the_data_and_what_decides_it(source, tmp_path):
    run(source, tmp_path / "store")
    manifest = json.loads(pathlib.Path(tmp_path / "store" / "manifest.json").read_text())
    assert manifest["sampling_rate_hz"] == 250.0 and manifest["unit"] == "mV" and manifest["dataset"] == "wfdb"

"""The benchmark of the live door: its patients are the torrent's form, and its output a table and one line of JSON."""

import functools
import gzip
import importlib.util
import json
import pathlib
import pickle
import sys

import numpy as np
import pytest

from transplant.datasets.icentia11k_files import Icentia11kFiles

FOLDER = pathlib.Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def zipped_stream(monkeypatch):
    spec = importlib.util.spec_from_file_location("zipped_stream", FOLDER / "zipped_stream.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "zipped_stream", module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_its_patients_are_what_the_torrent_holds(zipped_stream, tmp_path):
    patients = importlib.import_module("zipped_patients")
    patients.write_patient(tmp_path, 3, segments=3, samples=120_000)
    with gzip.open(tmp_path / "00003_batched.pkl.gz") as file:
        signal = pickle.load(file)
    assert signal.dtype == np.float32 and signal.shape == (3, 120_000)
    counts = signal * np.float32(patients.GAIN)
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-3)
    assert len(np.unique(signal)) > 20
    files = Icentia11kFiles(tmp_path)
    loaded = patients.ZippedPatients(tmp_path, 4)[3]
    for i, name in enumerate(files.patients()["3"]):
        record = files.read(name)
        np.testing.assert_array_equal(record.signal[:, 0], signal[i])
        for ours, theirs in zip((record.signal[:, 0], record.beat_positions, record.beat_classes), loaded[i]):
            np.testing.assert_array_equal(ours, theirs)
        assert len(record.beat_positions) > 300 and set(record.rhythm_classes) == {3}


def test_a_run_ends_in_one_line_of_json(zipped_stream, monkeypatch, tmp_path, capsys):
    small = functools.partial(zipped_stream.write_patient, segments=2, samples=80_000)
    monkeypatch.setattr(zipped_stream, "write_patient", small)
    options = ["--batch-size", "4", "--frame-size", "1024", "--samples-per-patient", "8", "--workers", "1"]
    assert zipped_stream.main(["--quick", "--folder", str(tmp_path), *options]) == 0
    lines = capsys.readouterr().out.strip().split("\n")
    assert "per-frame from_generator" in "\n".join(lines[:-1])
    result = json.loads(lines[-1])
    assert (result["benchmark"], result["batch_size"], result["patients"]) == ("zipped_stream", 4, 4)
    assert set(result["frames_per_cpu_second"]) == {"ours", "from_generator", "unshuffled"}
    assert list(tmp_path.iterdir()) == []


def test_summary_takes_medians_and_ratios(zipped_stream):
    speeds = {"ours": [(90.0, 1.0), (300.0, 1.0), (100.0, 1.0)], "from_generator": [(40.0, 1.0)] * 3}
    summary = zipped_stream.summarize(speeds | {"unshuffled": [(50.0, 2.0)] * 3})
    assert summary["frames_per_cpu_second"] == {"ours": 100, "from_generator": 40, "unshuffled": 50}
    assert (summary["ours_over_from_generator"], summary["ours_over_unshuffled"]) == (2.5, 2.0)

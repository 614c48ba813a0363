"""Pretraining from a prepared TensorFlow data set gives what the original files give."""

import dataclasses
import json
import pickle

import numpy as np
import pytest
import tensorflow_datasets as tfds
from wfdb_files import write_record

import transplant.datasets.tfds  # noqa: F401 - registers the builders
from pretraining import prepare
from pretraining.store import Store
from pretraining.tfds_source import TfdsSource
from transplant.datasets.wfdb_directory import WfdbDirectory
from transplant.errors import DataError, OptionError

NAMES = ("100", "101", "201", "202")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """(data_dir, folder of the original files) of MIT-BIH-like records, one with invalid samples."""
    base = tmp_path_factory.mktemp("tfds")
    files = base / "manual" / "mitdb"
    files.mkdir(parents=True)
    for name in NAMES:
        write_record(files, name, seconds=20)
    counts = np.fromfile(files / "101.dat", "<i2")
    counts[100:104] = -32768
    counts.tofile(files / "101.dat")
    builder = tfds.builder("mitdb", data_dir=base / "data")
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=base / "manual"))
    return base / "data", files


@pytest.fixture
def source(folders):
    return TfdsSource("tfds:mitdb", folders[0])


def same(record, expected):
    for field in dataclasses.fields(record):
        value, wanted = getattr(record, field.name), getattr(expected, field.name)
        if isinstance(wanted, np.ndarray):
            np.testing.assert_array_equal(value, wanted, strict=True)
        else:
            assert value == wanted


def test_records_are_those_of_the_files_in_any_order(source, folders):
    original = WfdbDirectory(folders[1])
    assert source.patients() == {"100": [0], "101": [1], "201": [2, 3]}
    assert (source.name, source.dataset) == ("tfds:mitdb/1.0.0", "wfdb")
    for place in (0, 1, 2, 3, 3, 0, 2, 1):
        name = NAMES[place]
        same(source.read(place), original.read(str(folders[1] / name)))
    assert np.isnan(source.read(1).signal).sum() == 4


def test_sizes_are_those_of_the_records(source):
    # 20 s at 360 Hz each.
    assert source.expected_samples([0, 3], 250) == (10_000, 4)
    assert source.expected_samples([1], 360) == (7200, 2)


def test_a_copy_in_another_process_reads_the_same(source):
    source.read(0)
    copy = pickle.loads(pickle.dumps(source))
    same(copy.read(2), source.read(2))
    assert copy is not source and copy.read(2).name == "201"


def test_the_store_is_that_of_the_files(folders, tmp_path, capsys):
    data, files = folders
    common = ["--rate", "360", "--leads", "MLII", "V1"]
    assert prepare.main(["--source", "tfds:mitdb", "--data-dir", str(data), "--out", str(tmp_path / "a"), *common]) == 0
    assert prepare.main(["--source", str(files), "--out", str(tmp_path / "b"), "--workers", "1", *common]) == 0
    from_tfds, from_files = Store.open(tmp_path / "a"), Store.open(tmp_path / "b")
    assert [p.dtype for p in from_tfds.patients] == ["int16"] * 3
    assert from_tfds.fingerprint == from_files.fingerprint
    assert json.loads((tmp_path / "a" / "manifest.json").read_text())["name"] == "tfds:mitdb/1.0.0"


def test_a_chosen_patient_alone_is_prepared(folders, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(folders[0]))
    assert prepare.main(["--source", "tfds:mitdb/1.0.0", "--out", str(tmp_path / "a"), "--patient-ids", "201"]) == 0
    assert [p.records for p in Store.open(tmp_path / "a").patients] == [["201", "202"]]


@pytest.mark.parametrize(
    "spec, error, message",
    [
        ("tfds:mitdb/2.0.0", DataError, r"version 2\.0\.0\. Received: 1\.0\.0 .* tfds:mitdb/1\.0\.0"),
        ("tfds:icentia11k", DataError, r"Received: none .*python -m transplant\.datasets\.tfds\.build icentia11k "),
        ("tfds:mitdb:all", DataError, r"tfds:mitdb:all: .*Received: none .*build mitdb:all --data-dir"),
        ("tfds:", OptionError, "a TensorFlow data set is tfds:NAME"),
        ("tfds:../mitdb", OptionError, "a TensorFlow data set is tfds:NAME"),
    ],
)
def test_what_is_not_there_is_named_with_the_remedy(spec, error, message, folders):
    with pytest.raises(error, match=message):
        TfdsSource(spec, folders[0])


def test_the_newest_version_and_the_only_configuration_are_taken(folders, tmp_path):
    original = folders[0] / "mitdb" / "1.0.0"
    for place in ("mitdb/1.0.0", "mitdb/1.10.0", "mitdb/1.9.0", "parts/first/1.0.0"):
        target = tmp_path / place
        target.mkdir(parents=True)
        for file in original.iterdir():
            (target / file.name).write_bytes(file.read_bytes())
    (tmp_path / "mitdb" / "2.0.0").mkdir()
    assert TfdsSource("tfds:mitdb", tmp_path).path == tmp_path / "mitdb" / "1.10.0"
    assert TfdsSource("tfds:mitdb/1.9.0", tmp_path).path == tmp_path / "mitdb" / "1.9.0"
    assert TfdsSource("tfds:parts", tmp_path).path == tmp_path / "parts" / "first" / "1.0.0"
    (tmp_path / "parts" / "second" / "1.0.0").mkdir(parents=True)
    (tmp_path / "parts" / "second" / "1.0.0" / "dataset_info.json").write_text("{}")
    with pytest.raises(OptionError, match="there are first, second, say tfds:parts:first"):
        TfdsSource("tfds:parts", tmp_path)


def test_damage_is_told_with_the_folder(folders, tmp_path):
    target = tmp_path / "mitdb" / "1.0.0"
    target.mkdir(parents=True)
    for file in (folders[0] / "mitdb" / "1.0.0").iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    shard = target / "mitdb-train.tfrecord-00000-of-00001"
    content = bytearray(shard.read_bytes())
    content[-1000] ^= 0xFF
    shard.write_bytes(content)
    source = TfdsSource("tfds:mitdb", tmp_path)
    source.read(0)
    with pytest.raises(DataError, match=r"mitdb/1\.0\.0: .*DataLossError.*build the data set again"):
        source.read(3)
    shard.unlink()
    with pytest.raises(DataError, match=r"mitdb/1\.0\.0: "):
        TfdsSource("tfds:mitdb", tmp_path).read(0)


def test_a_data_set_without_beats_is_refused(tmp_path):
    tfds.testing.DummyDataset(data_dir=tmp_path).download_and_prepare()
    with pytest.raises(DataError, match=r"annotated records are needed.*build mitdb or icentia11k"):
        TfdsSource("tfds:dummy_dataset", tmp_path)


def test_the_trainer_converts_it_once_and_trains_on_it(folders, tmp_path, monkeypatch, capsys):
    from pretraining import trainer

    monkeypatch.setenv("TFDS_DATA_DIR", str(folders[0]))
    job = tmp_path / "job"
    options = ["--task", "beat", "--train", "tfds:mitdb", "--stages", "1", "--frame-size", "256", "--batch-size", "4"]
    options += ["--steps-per-epoch", "2", "--val-size", "8", "--job-dir", str(job)]
    assert trainer.main(options) == 0
    assert [p.patient for p in Store.open(job / "store").patients] == ["100", "101", "201"]
    assert "tfds:mitdb/1.0.0" in capsys.readouterr().out


def test_the_trainer_says_how_to_build_what_is_not_there(tmp_path, monkeypatch, capsys):
    from pretraining import trainer

    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert trainer.main(["--task", "beat", "--train", "tfds:mitdb", "--job-dir", str(tmp_path / "job")]) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("error: ") and "transplant.datasets.tfds.build mitdb" in line

"""The builders' downloads, through TensorFlow Datasets' download manager, from a server on this machine."""

import io
import zipfile

import numpy as np
import pytest
import scipy.io
import tensorflow_datasets as tfds
import wfdb
from file_server import serving
from wfdb_files import write_record

from transplant.datasets.tfds import Icentia11kConfig, build
from transplant.errors import DataError

ICENTIA = "icentia11k-continuous-ecg"


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """The folder of three small records of two patients, and {path: content} as published."""
    folder = tmp_path_factory.mktemp("records")
    published = {}
    for name in ("p00003_s00", "p00003_s01", "p00012_s00"):
        write_record(folder, name, seconds=5, rate=250, leads=("ECG",))
        for suffix in ("hea", "dat", "atr"):
            published[f"p00/{name[:6]}/{name}.{suffix}"] = (folder / f"{name}.{suffix}").read_bytes()
    return folder, published


@pytest.fixture
def server(records, monkeypatch):
    with serving() as running:
        running.publish(ICENTIA, "1.0", records[1])
        monkeypatch.setenv("TRANSPLANT_MIRROR", running.url)
        yield running


def load(tmp_path, **config):
    name = "_".join(str(value) for value in config.values()) or "every"
    builder = tfds.builder("icentia11k", config=Icentia11kConfig(name=name, **config), data_dir=tmp_path)
    builder.download_and_prepare()
    return list(tfds.as_numpy(builder.as_dataset(split="train")))


def test_only_what_a_configuration_needs_is_downloaded_and_only_once(server, records, tmp_path):
    (example,) = load(tmp_path, patient_ids=(3,), segments_per_patient=1)
    expected = wfdb.rdrecord(str(records[0] / "p00003_s00"))
    np.testing.assert_allclose(example["signal"], expected.p_signal, atol=1e-6)
    fetched = sorted(path.removeprefix(f"{ICENTIA}/1.0/") for path, _ in server.gets)
    assert fetched == ["SHA256SUMS.txt", *(f"p00/p00003/p00003_s00.{suffix}" for suffix in ("atr", "dat", "hea"))]
    assert [e["name"] for e in load(tmp_path)] == [b"p00003_s00", b"p00003_s01", b"p00012_s00"]
    assert len(server.gets) == 10


def test_a_wrong_byte_is_refused_and_fetched_again(server, tmp_path):
    server.faults[f"{ICENTIA}/1.0/p00/p00012/p00012_s00.dat"] = [("wrong", 99)]
    with pytest.raises(DataError, match=r"p00012_s00\.dat: the file must have the SHA-256 that its publisher lists"):
        load(tmp_path)
    assert not (tmp_path / "icentia11k" / "every").exists() or not list((tmp_path / "icentia11k" / "every").iterdir())
    assert len(load(tmp_path)) == 3


def test_a_list_that_is_none_is_fetched_again(server, tmp_path):
    listing = server.files[f"{ICENTIA}/1.0/SHA256SUMS.txt"]
    server.files[f"{ICENTIA}/1.0/SHA256SUMS.txt"] = b"<html>please log in</html>"
    with pytest.raises(DataError, match="please log in"):
        load(tmp_path)
    server.files[f"{ICENTIA}/1.0/SHA256SUMS.txt"] = listing
    assert len(load(tmp_path)) == 3


def test_a_disk_that_is_too_small_is_refused_before_the_transfer(server, tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("transplant.datasets.tfds.source_files.shutil.disk_usage", lambda path: usage)
    with pytest.raises(DataError, match=r"9 files of 0\.0 GiB need three times that"):
        load(tmp_path)
    assert len(server.gets) == 1


def test_the_build_command_downloads_the_challenge(tmp_path, monkeypatch, capsys):
    packed, content = io.BytesIO(), io.BytesIO()
    values = np.arange(600, dtype=np.int16)[None, :]
    scipy.io.savemat(content, {"val": values}, format="4")
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("training2017/A00001.mat", content.getvalue())
    labels = {f"REFERENCE-v{version}.csv": b"A00001,A\n" for version in (1, 2, 3)}
    with serving() as server:
        server.publish("challenge-2017", "1.0.0", {"training2017.zip": packed.getvalue(), **labels})
        monkeypatch.setenv("TRANSPLANT_MIRROR", server.url)
        assert build.main(["challenge2017:v3", "--data-dir", str(tmp_path)]) == 0
        assert "challenge2017/v3/1.0.0: 1 records" in capsys.readouterr().out
        (example,) = tfds.as_numpy(tfds.load("challenge2017/v3", split="train", data_dir=tmp_path))
        np.testing.assert_allclose(example["signal"], values.T / 1000, rtol=1e-6)
        del server.files["challenge-2017/1.0.0/REFERENCE-v1.csv"]
        assert build.main(["challenge2017:v1", "--data-dir", str(tmp_path / "other")]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and "404" in error and "build the data set again" in error


def test_the_build_command_refuses_a_manual_folder_without_the_files(tmp_path, capsys):
    (tmp_path / "manual").mkdir()
    arguments = ["mitdb", "--data-dir", str(tmp_path / "data"), "--manual-dir", str(tmp_path / "manual")]
    assert build.main(arguments) == 2
    assert "--manual-dir must hold the files of mitdb" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end:
        build.main(["mnist"])
    assert end.value.code == 2

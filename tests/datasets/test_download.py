"""Whole data sets from a server on this machine: listed, chosen, fetched, verified, prepared."""

import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import scipy.io
from file_server import serving
from wfdb_files import write_record

from finetuning import prepare as finetuning_prepare
from pretraining import prepare as pretraining_prepare
from pretraining.store import Store
from transplant.datasets import fetch, published_files
from transplant.datasets.archive import unpack
from transplant.datasets.file_list import read_checksums
from transplant.datasets.labelled_set import LabelledSet
from transplant.datasets.published_files import PublishedFiles
from transplant.datasets.publishers import PUBLICATIONS, mirror_root
from transplant.errors import DataError, OptionError

ICENTIA = "icentia11k-continuous-ecg"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(fetch, "PAUSES_S", (0.001, 0.001))


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """{path: content} of MIT-BIH-like and Icentia11k-like records, with what else lies beside them."""
    folder = tmp_path_factory.mktemp("records")
    for name in ("100", "101", "202"):
        write_record(folder, name, seconds=5)
    mitdb = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    mitdb |= {"102-0.atr": b"old", "mitdbdir/intro.htm": b"text", "x_mitdb/x_108.hea": b"excerpt", "RECORDS": b"100\n"}
    icentia = {}
    for patient in ("p00003", "p00012"):
        for segment in range(3):
            name = f"{patient}_s{segment:02d}"
            write_record(folder, name, seconds=5, rate=250, leads=("ECG",))
            for suffix in ("hea", "dat", "atr"):
                icentia[f"{patient[:3]}/{patient}/{name}.{suffix}"] = (folder / f"{name}.{suffix}").read_bytes()
    return {"mitdb": mitdb, "icentia11k": icentia}


@pytest.fixture
def server(records):
    with serving() as running:
        running.publish("mitdb", "1.0.0", records["mitdb"])
        running.publish(ICENTIA, "1.0", records["icentia11k"])
        yield running


def prepare(server, name, out, *options):
    return pretraining_prepare.main(
        ["--dataset", name, "--out", str(out), "--mirror", server.url, "--workers", "1", *options]
    )


def fetched(server, prefix):
    return [path.removeprefix(prefix) for path, _ in server.gets]


def error_line(capsys):
    lines = capsys.readouterr().err.strip().splitlines()
    assert "Traceback" not in "".join(lines)
    return lines[-1]


def test_only_the_files_of_the_records_are_fetched_and_prepared(server, tmp_path, capsys):
    assert prepare(server, "mitdb", tmp_path / "store") == 0
    # One man gave 201 and 202.
    assert [p.patient for p in Store.open(tmp_path / "store").patients] == ["100", "101", "201"]
    suffixes = ("atr", "dat", "hea")
    assert sorted(fetched(server, "mitdb/1.0.0/")) == sorted(
        ["SHA256SUMS.txt", *(f"{record}.{suffix}" for record in (100, 101, 202) for suffix in suffixes)]
    )
    output = capsys.readouterr().out
    assert "Open Data Commons Attribution License" in output and "https://physionet.org/content/mitdb/1.0.0/" in output
    assert "fetching 9 of 9 files, about 0 MiB" in output
    assert not list((tmp_path / "downloads").rglob("*.part"))


def test_patients_are_added_without_fetching_anything_twice(server, tmp_path, records):
    assert prepare(server, "mitdb", tmp_path / "store", "--patient-ids", "100") == 0
    assert len(server.gets) == 4
    assert prepare(server, "mitdb", tmp_path / "store", "--patient-ids", "100,101") == 0
    assert len(server.gets) == 7
    folder = tmp_path / "downloads" / "mitdb"
    for path in ("100.dat", "101.hea", "101.atr"):
        assert (folder / path).read_bytes() == records["mitdb"][path]
    assert [p.patient for p in Store.open(tmp_path / "store").patients] == ["100", "101"]


def test_a_part_of_icentia11k_keeps_the_publishers_folders(server, tmp_path, monkeypatch):
    monkeypatch.setattr(published_files, "BATCH", 4)
    options = ["--patient-ids", "12", "--segments-per-patient", "2", "--download-dir", str(tmp_path / "files")]
    assert prepare(server, "icentia11k", tmp_path / "store", *options) == 0
    folder = tmp_path / "files" / "icentia11k" / "p00" / "p00012"
    assert sorted(path.name for path in folder.glob("*.dat")) == ["p00012_s00.dat", "p00012_s01.dat"]
    store = Store.open(tmp_path / "store")
    assert store.dataset == "icentia11k" and [p.records for p in store.patients] == [["p00012_s00", "p00012_s01"]]


def test_a_download_that_stops_says_how_to_go_on_and_goes_on(server, tmp_path, capsys, records):
    server.faults["mitdb/1.0.0/101.dat"] = [("cut", 3000), *[500] * 50]
    assert prepare(server, "mitdb", tmp_path / "store") == 2
    assert "101.dat: the download stopped" in (line := error_line(capsys)) and "run the same command again" in line
    assert not (tmp_path / "store").exists()
    folder = tmp_path / "downloads" / "mitdb"
    assert (folder / "101.dat.part").stat().st_size == 3000 and not (folder / "101.dat").exists()
    server.faults.clear()
    before = len(server.gets)
    assert prepare(server, "mitdb", tmp_path / "store") == 0
    assert ("mitdb/1.0.0/101.dat", "bytes=3000-") in server.gets[before:]
    assert (folder / "101.dat").read_bytes() == records["mitdb"]["101.dat"]
    assert len(Store.open(tmp_path / "store").patients) == 3


def test_a_killed_download_goes_on(server, tmp_path):
    server.faults["mitdb/1.0.0/101.dat"] = [("cut", 3000)]
    program = (
        "import sys\nfrom pretraining import prepare\nfrom transplant.datasets import fetch\nfetch.PAUSES_S = (60,)\n"
        f"prepare.main(['--dataset', 'mitdb', '--out', sys.argv[1], '--mirror', '{server.url}'])\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "store")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert "101.dat: the connection ended after 3,000" in process.stderr.readline()
        process.kill()
    assert not (tmp_path / "downloads" / "mitdb" / "101.dat").exists()
    assert prepare(server, "mitdb", tmp_path / "store") == 0
    paths = fetched(server, "mitdb/1.0.0/")
    assert ("mitdb/1.0.0/101.dat", "bytes=3000-") in server.gets and paths.count("SHA256SUMS.txt") == 1
    assert len(Store.open(tmp_path / "store").patients) == 3


def test_a_wrong_byte_is_refused(server, tmp_path, capsys):
    server.faults["mitdb/1.0.0/100.dat"] = [("wrong", 7)]
    assert prepare(server, "mitdb", tmp_path / "store") == 2
    assert "100.dat: the file must have the SHA-256" in error_line(capsys)
    assert not list((tmp_path / "downloads").rglob("100.dat*"))


def test_what_is_there_is_verified(server, tmp_path, records):
    assert prepare(server, "mitdb", tmp_path / "one") == 0
    damaged = tmp_path / "downloads" / "mitdb" / "100.dat"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert prepare(server, "mitdb", tmp_path / "two") == 0
    assert damaged.read_bytes() == records["mitdb"]["100.dat"]
    assert fetched(server, "mitdb/1.0.0/").count("100.dat") == 2 and len(server.gets) == 11


def test_a_small_disk_is_refused_before_the_transfer(server, tmp_path, capsys, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("transplant.datasets.published_files.shutil.disk_usage", lambda path: usage)
    assert prepare(server, "mitdb", tmp_path / "store") == 2
    assert "GiB free" in error_line(capsys)
    assert fetched(server, "mitdb/1.0.0/") == ["SHA256SUMS.txt"]


@pytest.mark.parametrize(
    "listing, message",
    [
        (b"<html>please log in</html>\n", "line 1 '<html>please log in</html>'"),
        (b"", "the list must name files like"),
        (b"0" * 64 + b" ../../100.dat\n" + b"0" * 64 + b" /100.dat\n", "the list must name files like"),
    ],
)
def test_a_list_that_is_none_is_refused(listing, message, server, tmp_path, capsys):
    server.files["mitdb/1.0.0/SHA256SUMS.txt"] = listing
    assert prepare(server, "mitdb", tmp_path / "store") == 2
    assert message in error_line(capsys)
    assert len(server.gets) == 1


def test_the_list_is_read_as_sha256sum_writes_it(tmp_path):
    (tmp_path / "100.dat").write_bytes(b"abc")
    (tmp_path / "101.dat").write_bytes(b"")
    # Known digests of "abc" and of nothing (FIPS 180-2).
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    written = f"{abc} 100.dat\n{nothing.upper()} *./101.dat\r\n{abc}  mitdbdir/100.dat\n\n{abc} 102-0.atr\n"
    (tmp_path / "list").write_text(written)
    found = read_checksums(tmp_path / "list", PUBLICATIONS["mitdb"].file_pattern)
    assert found == {"100.dat": abc, "101.dat": nothing}
    assert fetch.file_sha256(tmp_path / "100.dat") == abc


def test_patients_that_are_not_published_are_refused(server, tmp_path, capsys):
    assert prepare(server, "mitdb", tmp_path / "store", "--patient-ids", "999") == 2
    assert "999" in error_line(capsys)
    assert len(server.gets) == 1


def test_patients_are_sorted_by_number(server, tmp_path):
    files = PublishedFiles(PUBLICATIONS["icentia11k"], tmp_path, server.url, log=lambda line: None).listed
    assert {p: list(r) for p, r in files.patients().items()} == {
        "3": ["p00003_s00", "p00003_s01", "p00003_s02"],
        "12": ["p00012_s00", "p00012_s01", "p00012_s02"],
    }
    assert files.of_patients(["3"], 1) == [f"p00/p00003/p00003_s00.{suffix}" for suffix in ("atr", "dat", "hea")]


def test_the_mirror_is_physionet_unless_told_otherwise(monkeypatch):
    monkeypatch.delenv("TRANSPLANT_MIRROR", raising=False)
    assert PUBLICATIONS["mitdb"].url("100.dat") == "https://physionet.org/files/mitdb/1.0.0/100.dat"
    assert PUBLICATIONS["icentia11k"].url("p00/a b") == (
        "https://physionet.org/files/icentia11k-continuous-ecg/1.0/p00/a%20b"
    )
    monkeypatch.setenv("TRANSPLANT_MIRROR", "http://mirror/files/")
    assert mirror_root() == "http://mirror/files" and mirror_root("https://other") == "https://other"
    with pytest.raises(OptionError, match="Received: /data/mitdb; name a folder on disk with --source"):
        mirror_root("/data/mitdb")


@pytest.mark.parametrize(
    "options, message",
    [
        (["--source", "x", "--mirror", "http://m"], "--mirror goes with --dataset"),
        (["--source", "synthetic", "--download-dir", "d"], "--download-dir goes with --dataset"),
        (["--dataset", "mitdb", "--data-dir", "d"], "--data-dir goes with --source tfds:NAME"),
        (["--dataset", "mitdb", "--mirror", "file:///x"], "--mirror (or TRANSPLANT_MIRROR) is an http"),
    ],
)
def test_options_of_another_source_are_refused(options, message, tmp_path, capsys):
    assert pretraining_prepare.main([*options, "--out", str(tmp_path / "store")]) == 2
    assert message in error_line(capsys)


@pytest.mark.parametrize("options", [[], ["--source", "x", "--dataset", "mitdb"], ["--dataset", "challenge2017"]])
def test_one_source_is_named(options, tmp_path):
    with pytest.raises(SystemExit) as end:
        pretraining_prepare.main([*options, "--out", str(tmp_path / "store")])
    assert end.value.code == 2


def challenge_files(per_class=5, extra=()):
    """Return {path: content} of a small challenge, the records in an archive as published."""
    packed, labels = io.BytesIO(), []
    rng = np.random.default_rng(4)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("training2017")
        for i in range(4 * per_class):
            name, values = f"A{i + 1:05d}", rng.integers(-500, 500, (1, 900)).astype(np.int16)
            content = io.BytesIO()
            scipy.io.savemat(content, {"val": values}, format="4")
            archive.writestr(f"training2017/{name}.mat", content.getvalue())
            header = f"{name} 1 300 900 2014-03-29 08:03:08 \n{name}.mat 16+24 1000/mV 16 0 6 0 0 ECG \n"
            archive.writestr(f"training2017/{name}.hea", header)
            labels.append(f"{name},{'NAO~'[i % 4]}\n")
        for name in extra:
            archive.writestr(name, "content")
    reference = "".join(labels).encode()
    return {
        "training2017.zip": packed.getvalue(),
        "REFERENCE-v2.csv": reference,
        "REFERENCE-v3.csv": reference,
        "REFERENCE-v0.csv": b"",
        "sample2017.zip": b"",
    }


def finetune(out, *options):
    return finetuning_prepare.main(["--dataset", "challenge2017", "--out-dir", str(out), "--length", "750", *options])


def test_the_challenge_is_downloaded_unpacked_and_prepared(tmp_path, monkeypatch, capsys):
    with serving() as server:
        server.publish("challenge-2017", "1.0.0", challenge_files())
        monkeypatch.setenv("TRANSPLANT_MIRROR", server.url)
        assert finetune(tmp_path / "set", "--label-version", "v3") == 0
        assert sorted(fetched(server, "challenge-2017/1.0.0/")) == [
            "REFERENCE-v2.csv",
            "REFERENCE-v3.csv",
            "SHA256SUMS.txt",
            "training2017.zip",
        ]
        described = json.loads((tmp_path / "set" / "prepare.json").read_text())
        assert described["label_file"] == str(tmp_path / "downloads" / "challenge2017" / "REFERENCE-v3.csv")
        assert len(list((tmp_path / "downloads" / "challenge2017" / "training2017").iterdir())) == 40
        assert len(LabelledSet.load(tmp_path / "set" / "train.npz")) == 16
        assert finetune(tmp_path / "again") == 0
        assert len(server.gets) == 4
    first, second = (LabelledSet.load(tmp_path / name / "train.npz") for name in ("set", "again"))
    np.testing.assert_array_equal(first.x, second.x)
    downloaded = tmp_path / "downloads" / "challenge2017"
    assert finetune(tmp_path / "from_files", "--source", str(downloaded)) == 0
    np.testing.assert_array_equal(LabelledSet.load(tmp_path / "from_files" / "train.npz").x, first.x)
    capsys.readouterr()
    assert finetune(tmp_path / "x", "--source", str(downloaded), "--mirror", "http://m") == 2
    assert "--download-dir and --mirror are for downloads" in error_line(capsys)


def test_unpacking_is_whole_or_absent_and_stays_in_its_folder(tmp_path):
    content = challenge_files(1, extra=["../../outside.txt", "/etc/absolute.txt", "..\\windows.txt"])[
        "training2017.zip"
    ]
    (tmp_path / "a" / "b").mkdir(parents=True)
    archive = tmp_path / "a" / "b" / "training2017.zip"
    archive.write_bytes(content)
    unpack(archive, tmp_path / "a" / "b" / "out", log=lambda line: None)
    names = {path.name for path in (tmp_path / "a" / "b" / "out").iterdir()}
    assert len(names) == 11 and {"outside.txt", "absolute.txt", "windows.txt"} < names
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file() and "out" not in path.parts) == [
        "training2017.zip"
    ]
    damaged = bytearray(content)
    damaged[200] ^= 0xFF
    archive.write_bytes(damaged)
    with pytest.raises(DataError, match=r"training2017\.zip: "):
        unpack(archive, tmp_path / "a" / "b" / "damaged", log=lambda line: None)
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == ["out", "training2017.zip"]

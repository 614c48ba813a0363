import collections
import itertools
import os
import pathlib

import numpy as np
import pytest
import scipy.io

from transplant.datasets.challenge2017 import read_challenge2017
from transplant.errors import DataError

DATA = os.environ.get("TRANSPLANT_DATA")
needs_data = pytest.mark.skipif(DATA is None, reason="TRANSPLANT_DATA is not set")


def write_mat(folder, name, values, header="2014-03-29 08:03:08", rate=300, gain="1000/mV", length=None):
    """Write a record as distributed: a MATLAB v4 file of one int16 row and, unless None, a header."""
    folder.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(folder / f"{name}.mat", {"val": np.asarray(values)[None, :]}, format="4")
    if header is not None:
        (folder / f"{name}.hea").write_text(
            f"{name} 1 {rate} {len(values) if length is None else length} {header} \n"
            f"{name}.mat 16+24 {gain} 16 0 6 0 0 ECG \n"
        )


def counts_of(name, n=900):
    return np.random.default_rng(int(name[1:])).integers(-800, 800, n).astype(np.int16)


def write_set(folder, labels, reference="REFERENCE-v2.csv", header="2014-03-29 08:03:08"):
    for name in labels:
        write_mat(folder, name, counts_of(name), header)
    (folder / reference).write_text("".join(f"{name},{label}\n" for name, label in labels.items()))


LABELS = {"A00001": "N", "A00002": "A", "A00003": "O", "A00004": "~"}


@pytest.mark.parametrize("header", ["2014-03-29 08:03:08", "08:03:08 29/03/2014", "", None])
def test_records_are_read_with_any_header_or_none(tmp_path, header):
    write_set(tmp_path, LABELS, header=header)
    source = read_challenge2017(tmp_path)
    records = list(source)
    assert len(source) == 4 and source.label_version == "v2"
    assert [(r.name, r.label, r.patient) for r in records] == [(n, label, n) for n, label in LABELS.items()]
    for record in records:
        np.testing.assert_array_equal(record.signal[:, 0], counts_of(record.name) / np.float32(1000))
        assert record.sampling_rate_hz == 300 and record.leads == ("ECG",) and record.signal.dtype == np.float32
        assert record.adc_gain.tolist() == [1000] and record.adc_baseline.tolist() == [0]


@pytest.mark.parametrize(
    "gain, expected", [("500/mV", (500, 0)), ("500", (500, 0)), ("500(20)/mV", (500, 20)), ("0", (1000, 0))]
)
def test_gain_and_baseline_come_from_the_header(tmp_path, gain, expected):
    write_mat(tmp_path, "A00001", np.array([20, 520, -480], np.int16), gain=gain)
    (tmp_path / "REFERENCE-v2.csv").write_text("A00001,N\n")
    (record,) = read_challenge2017(tmp_path)
    assert (record.adc_gain[0], record.adc_baseline[0]) == expected
    values = (np.array([20, 520, -480]) - expected[1]) / expected[0]
    np.testing.assert_allclose(record.signal[:, 0], values, rtol=1e-6)


@pytest.mark.parametrize("below", [".", "training2017", "training/A00", "some/where"])
def test_signals_are_found_in_the_folder_or_below_it(tmp_path, below):
    write_set(tmp_path / below, LABELS)
    if below != ".":
        write_mat(tmp_path / ".trash", "A00009", [1, 2, 3])
    (tmp_path / below / "REFERENCE-v2.csv").rename(tmp_path / "REFERENCE-v2.csv")
    assert [record.name for record in read_challenge2017(tmp_path)] == list(LABELS)


def test_labels_are_found_between_the_folder_and_the_signals(tmp_path):
    write_set(tmp_path / "training" / "A00", LABELS)
    (tmp_path / "training" / "A00" / "REFERENCE-v2.csv").rename(tmp_path / "training" / "REFERENCE-v2.csv")
    assert len(read_challenge2017(tmp_path)) == 4


def test_labels_are_found_one_folder_above(tmp_path):
    write_set(tmp_path / "training2017", LABELS)
    for version in ("v1", "v3"):
        (tmp_path / f"REFERENCE-{version}.csv").write_text("".join(f"{name},O\n" for name in LABELS))
    source = read_challenge2017(tmp_path / "training2017", "v3")
    assert source.label_version == "v3"
    assert {record.label for record in source} == {"O"}


def test_a_version_asked_for_that_is_not_there_is_an_error_that_names_what_is(tmp_path):
    write_set(tmp_path, LABELS, "REFERENCE.csv")
    (tmp_path / "REFERENCE-v1.csv").write_text("A00001,N\n")
    with pytest.raises(DataError, match=r"REFERENCE-v3\.csv.*Received: REFERENCE-v1\.csv, REFERENCE\.csv"):
        read_challenge2017(tmp_path, "v3")
    with pytest.raises(DataError, match=r"v1, v2, v3\. Received: v4"):
        read_challenge2017(tmp_path, "v4")


def test_only_another_version_is_not_taken_silently(tmp_path):
    write_set(tmp_path, LABELS, "REFERENCE-v3.csv")
    with pytest.raises(DataError, match=r"REFERENCE-v2\.csv.*Received: REFERENCE-v3\.csv.*--label-version"):
        read_challenge2017(tmp_path)


def test_an_unversioned_part_of_the_set_is_recorded_as_such(tmp_path):
    write_set(tmp_path, LABELS, "REFERENCE.csv")
    assert read_challenge2017(tmp_path).label_version == "unversioned"


@pytest.mark.parametrize(
    "counts, version",
    [
        ({"N": 5050, "A": 738, "O": 2456, "~": 284}, "v2"),
        ({"N": 5076, "A": 758, "O": 2415, "~": 279}, "v3"),
        ({"N": 5050, "A": 739, "O": 2455, "~": 284}, "unversioned"),
    ],
)
def test_an_unversioned_full_set_is_told_by_its_class_counts(tmp_path, counts, version):
    write_mat(tmp_path, "A00001", [1, 2, 3])
    labels = itertools.chain.from_iterable([label] * n for label, n in counts.items())
    (tmp_path / "REFERENCE.csv").write_text("".join(f"A{i:05d},{label}\n" for i, label in enumerate(labels, 1)))
    assert read_challenge2017(tmp_path, records=["A00001"]).label_version == version


def test_records_may_be_named_in_a_list_or_a_file(tmp_path):
    write_set(tmp_path, LABELS)
    (tmp_path / "RECORDS").write_text("A00/A00003\nA00/A00001\n")
    for wanted in (["A00003", "A00001"], tmp_path / "RECORDS", str(tmp_path / "RECORDS")):
        assert [record.name for record in read_challenge2017(tmp_path, records=wanted)] == ["A00001", "A00003"]
    with pytest.raises(DataError, match=r"list: .*no such file"):
        read_challenge2017(tmp_path, records=str(tmp_path / "list"))
    with pytest.raises(DataError, match=r"1 with neither signal nor label .A00077"):
        read_challenge2017(tmp_path, records=["A00001", "A00077"])


def without_signal(folder):
    (folder / "A00002.mat").unlink()


def without_label(folder):
    (folder / "REFERENCE-v2.csv").write_text("A00001,N\nA00003,O\nA00004,~\n")


def unknown_label(folder):
    (folder / "REFERENCE-v2.csv").write_text("A00001,N\nA00002,AF\nA00003,O\nA00004,~\n")


def cut_signal(n_bytes):
    def cut(folder):
        file = folder / "A00002.mat"
        file.write_bytes(file.read_bytes()[:n_bytes])

    return cut


def nan_signal(folder):
    write_mat(folder, "A00002", np.r_[np.zeros(5), np.nan, np.ones(5)])


def shorter_than_promised(folder):
    write_mat(folder, "A00002", np.zeros(100, np.int16), length=900)


def bad_header(text):
    return lambda folder: (folder / "A00002.hea").write_text(text)


def another_variable(folder):
    scipy.io.savemat(folder / "A00002.mat", {"other": np.zeros((1, 5))}, format="4")


BAD = {
    "without signal": (without_signal, r"REFERENCE-v2\.csv: .*1 with no signal \(A00002\).*--records"),
    "without label": (without_label, r"1 with no label \(A00002\).*--skip-bad"),
    "unknown label": (unknown_label, r"REFERENCE-v2\.csv: .*A00002 labelled 'AF'"),
    "empty file": (cut_signal(0), r"A00002\.mat: .*cut short"),
    "cut in the head": (cut_signal(13), r"A00002\.mat: .*cut short"),
    "cut in the name": (cut_signal(22), r"A00002\.mat: .*cut short"),
    "cut in the samples": (cut_signal(900), r"A00002\.mat: .*cut short"),
    "one byte short": (cut_signal(24 + 1800 - 1), r"A00002\.mat: .*cut short"),
    "NaN": (nan_signal, r"A00002\.mat: .*Received: 1 NaN"),
    "shorter than promised": (shorter_than_promised, r"A00002\.mat: .*promises 900 samples\. Received: 100"),
    "empty header": (bad_header(""), r"A00002\.hea"),
    "two signals": (bad_header("A00002 2 300 900\nA00002.mat 16+24 1000/mV 16 0\n"), r"A00002\.hea: .*2 signals"),
    "no gain": (bad_header("A00002 1 300 900\nA00002.mat 16+24 much 16 0\n"), r"A00002\.hea: .*gain much"),
    "other variable": (another_variable, r"A00002\.mat"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_record_is_an_error_or_is_skipped_and_listed(tmp_path, name):
    write_set(tmp_path, LABELS)
    spoil, message = BAD[name]
    spoil(tmp_path)
    with pytest.raises(DataError, match=message):
        list(read_challenge2017(tmp_path))
    skipped = []
    records = list(read_challenge2017(tmp_path, skipped=skipped))
    assert [record.name for record in records] == ["A00001", "A00003", "A00004"]
    assert [record.name for record in skipped] == ["A00002"] and skipped[0].reason


def test_a_cut_signal_without_header_is_an_error_too(tmp_path):
    write_set(tmp_path, LABELS, header=None)
    cut_signal(24 + 1800 - 400)(tmp_path)
    with pytest.raises(DataError, match=r"A00002\.mat"):
        list(read_challenge2017(tmp_path))


def test_missing_and_empty_folders_and_label_files_are_errors(tmp_path):
    with pytest.raises(DataError, match=r"none: .*no such folder"):
        read_challenge2017(tmp_path / "none")
    with pytest.raises(DataError, match=r"\.mat files are needed"):
        read_challenge2017(tmp_path)
    write_mat(tmp_path, "A00001", [1, 2])
    with pytest.raises(DataError, match="no REFERENCE file"):
        read_challenge2017(tmp_path)
    for content, message in (("", "empty file"), ("A00001;N\n", "line 1"), ("A00001,N\nA00001,A\n", "N and A")):
        (tmp_path / "REFERENCE-v2.csv").write_text(content)
        with pytest.raises(DataError, match=message):
            read_challenge2017(tmp_path)


@needs_data
def test_all_real_records():
    folder = pathlib.Path(DATA) / "cinc2017"
    source = read_challenge2017(folder, "v3", records=folder / "training2017" / "RECORDS")
    records = list(source)
    assert collections.Counter(r.label for r in records) == {"N": 364, "A": 44, "O": 58, "~": 243}
    assert len(records) == len(source) == 709
    lengths = {
        line.split(",")[0]: int(line.split(",")[1]) for line in (folder / "provenance.csv").read_text().splitlines()[1:]
    }
    assert {r.name: len(r.signal) for r in records} == lengths
    rebuilt = np.rint(records[0].signal[:, 0] * 1000).astype(np.int16)
    raw = np.frombuffer((folder / "training2017" / "A00001.mat").read_bytes()[24:], "<i2")
    np.testing.assert_array_equal(rebuilt, raw)


@needs_data
def test_real_records_with_headers_as_distributed(tmp_path):
    folder = pathlib.Path(DATA) / "cinc2017"
    headers = sorted((folder / "original_headers_validation").glob("*.hea"))
    for header in headers:
        (tmp_path / header.name).symlink_to(header)
        (tmp_path / f"{header.stem}.mat").symlink_to(folder / "training2017" / f"{header.stem}.mat")
    (tmp_path / "REFERENCE-v3.csv").symlink_to(folder / "REFERENCE-v3.csv")
    records = list(read_challenge2017(tmp_path, "v3", records=[header.stem for header in headers]))
    assert len(records) == 240
    assert collections.Counter(r.label for r in records) == {"N": 118, "A": 38, "O": 52, "~": 32}
    assert {r.sampling_rate_hz for r in records} == {300.0}

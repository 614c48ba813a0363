"""Icentia11k as the torrent, the public code and the replication hold it: one reader, the same records."""

import os
import pickle

import numpy as np
import pytest
from icentia_files import flatten, make_patient, write_raw_pickles, write_unzipped, write_zipped

from transplant.datasets.byte_stream import ByteStream
from transplant.datasets.icentia11k_files import Icentia11kFiles, has_icentia11k_files
from transplant.errors import DataError, UnsafeFileError

WRITERS = {"zipped": write_zipped, "unzipped": write_unzipped, "raw pickles": write_raw_pickles}


def indices(*values):
    return np.array(values, np.int64)


# Two segments of 1,000 samples. The second has noise alone, and no beat.
NONE = indices()
LABELS = [
    {
        "btype": [NONE, indices(10, 400, 700), indices(250), NONE, indices(550)],
        "rtype": [NONE, NONE, indices(900), indices(100, 300), indices(600), NONE],
    },
    {"btype": [NONE] * 5, "rtype": [NONE, NONE, indices(1000), NONE, NONE, NONE]},
]
SIGNAL = ((np.arange(2000).reshape(2, 1000) * 7) % 601 - 300).astype(np.float32) / np.float32(250)


@pytest.mark.parametrize("form", WRITERS)
def test_a_patient_is_read_as_it_was_written(tmp_path, form):
    signal = SIGNAL.copy()
    signal[1, 3:5] = np.nan
    WRITERS[form](tmp_path, 12, signal, LABELS)
    files = Icentia11kFiles(tmp_path)
    assert files.dataset == "icentia11k" and files.name == tmp_path.name
    assert dict(files.patients()) == {"12": ["p00012_s00", "p00012_s01"]}
    first, second = (files.read(name) for name in files.patients()["12"])
    assert (first.name, first.patient, first.sampling_rate_hz, first.leads) == ("p00012_s00", "12", 250, ("ECG",))
    np.testing.assert_array_equal(first.signal[:, 0], signal[0])
    np.testing.assert_array_equal(second.signal[:, 0], signal[1])
    assert first.beat_positions.tolist() == [10, 250, 400, 550, 700]
    assert first.beat_classes.tolist() == [1, 2, 1, 4, 1] and second.beat_classes.tolist() == []
    # A mark ends its rhythm; two normal ones in a row are one rhythm; the tail inherits the last.
    assert first.rhythm_starts.tolist() == [0, 300, 600, 900] and first.rhythm_ends.tolist() == [300, 600, 900, 1000]
    assert first.rhythm_classes.tolist() == [3, 4, 2, 2] and first.rhythm_known_until == 900
    assert second.rhythm_classes.tolist() == [2, 2] and second.rhythm_ends.tolist() == [1000, 1000]
    assert (first.adc_gain, first.adc_baseline) == (250, 0)


def test_forms_may_lie_side_by_side_and_the_unzipped_one_is_read(tmp_path):
    write_zipped(tmp_path, 3, SIGNAL, LABELS)
    write_unzipped(tmp_path, 20, SIGNAL[:1], LABELS[:1])
    write_unzipped(tmp_path, 3, SIGNAL + np.float32(1), LABELS)
    (tmp_path / "._00004_batched.npy").write_bytes(b"left by a Mac")
    files = Icentia11kFiles(tmp_path)
    assert {patient: len(records) for patient, records in files.patients().items()} == {"3": 2, "20": 1}
    np.testing.assert_array_equal(files.read("p00003_s01").signal[:, 0], SIGNAL[1] + np.float32(1))
    np.testing.assert_array_equal(files.read("p00020_s00").signal[:, 0], SIGNAL[0])


@pytest.mark.parametrize(("pairs", "segments", "ndim"), [(True, 2, 2), (False, 2, 1), (True, 1, 3)])
def test_every_shape_of_the_unzipped_labels_is_read(tmp_path, pairs, segments, ndim):
    """Lists of one length, as a single segment's, make an array of numbers."""
    signal, labels = make_patient(5, segments)
    write_unzipped(tmp_path, 0, signal, labels, pairs)
    assert np.load(tmp_path / "00000_batched_lbls.npz", allow_pickle=True)["btype"].ndim == ndim
    beats, classes = flatten(labels)["btype"][-1]
    record = Icentia11kFiles(tmp_path).read(f"p00000_s{segments - 1:02d}")
    np.testing.assert_array_equal(record.beat_positions, beats)
    np.testing.assert_array_equal(record.beat_classes, classes)


def big_signal(dtype=np.float32):
    """Larger than what is read as a description: 70,001 samples a segment, all byte values."""
    return np.random.default_rng(1).normal(size=(2, 70_001)).astype(dtype)


def test_a_zipped_patient_is_inflated_once_for_all_its_records(tmp_path, monkeypatch):
    write_zipped(tmp_path, 1, big_signal(), LABELS)
    opened = []
    original = ByteStream.open.__func__

    def count(cls, path):
        opened.append(os.path.basename(path))
        return original(cls, path)

    files = Icentia11kFiles(tmp_path)
    names = files.patients()["1"]
    monkeypatch.setattr(ByteStream, "open", classmethod(count))
    for name in names:
        files.read(name)
    assert sorted(opened) == ["00001_batched.pkl.gz", "00001_batched_lbls.pkl.gz"]


def test_patients_are_listed_without_inflating_their_signals(tmp_path, monkeypatch):
    """Four MB of signal; what is read of it is a block."""
    write_zipped(tmp_path, 1, np.random.default_rng(0).normal(size=(2, 1 << 19)).astype(np.float32), LABELS)
    sizes = []
    original = ByteStream._next

    def count(self):
        original(self)
        sizes.append(len(self._block))

    monkeypatch.setattr(ByteStream, "_next", count)
    assert Icentia11kFiles(tmp_path).patients()["1"] == ["p00001_s00", "p00001_s01"]
    assert sum(sizes) <= 1 << 18


class Calls:
    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


def nested(item):
    array = np.empty(2, object)
    array[:] = [(np.arange(3), np.arange(3)), (item, np.arange(3))]
    return array


@pytest.mark.parametrize("place", ["signal", "labels", "raw signal", "raw labels", "npz member", "npy"])
def test_a_file_that_runs_code_is_refused_and_did_not_run(tmp_path, place):
    target = tmp_path / "pwned"
    attack = Calls(exec, f"open({str(target)!r}, 'w').close()")
    write_zipped(tmp_path, 7, SIGNAL, LABELS)
    if place == "signal":
        write_zipped(tmp_path, 7, [attack], None)
    elif place == "labels":
        write_zipped(tmp_path, 7, None, [{"btype": nested(attack), "rtype": attack}])
    elif place == "raw signal":
        (tmp_path / "00007_batched.npz").write_bytes(pickle.dumps(attack))
    elif place == "raw labels":
        (tmp_path / "00007_batched_lbls.npz").write_bytes(pickle.dumps({"btype": nested(attack)}))
    elif place == "npz member":
        np.savez(tmp_path / "00007_batched_lbls.npz", btype=nested(attack), rtype=nested(1), size=np.array(2))
    else:
        np.save(tmp_path / "00007_batched.npy", nested(attack))
    files = Icentia11kFiles(tmp_path)
    with pytest.raises(DataError if place == "npy" else UnsafeFileError, match="00007_batched") as caught:
        files.read(files.patients()["7"][0])
    assert not target.exists() and "\n" not in str(caught.value)


def cut(file, share):
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])


def flip(file, position):
    data = bytearray(file.read_bytes())
    data[position] ^= 0xFF
    file.write_bytes(data)


def empty_archive(folder):
    np.savez(folder / "00007_batched_lbls.npz", size=np.array(2))


SIGNALS, MARKS = "00007_batched.pkl.gz", "00007_batched_lbls.pkl.gz"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / SIGNALS).unlink(), f"{MARKS}: .*no {SIGNALS} or"),
        (lambda f: (f / MARKS).unlink(), f"{SIGNALS}: .*no {MARKS} or"),
        *((lambda f, s=s: cut(f / SIGNALS, s), f"{SIGNALS}: .*too early") for s in (0.3, 0.99)),
        (lambda f: cut(f / SIGNALS, 0), f"{SIGNALS}: .*too early"),
        (lambda f: cut(f / MARKS, 0.9), f"{MARKS}: .*too early"),
        (lambda f: flip(f / SIGNALS, -8), f"{SIGNALS}: .*BadGzipFile"),
        (lambda f: flip(f / MARKS, -8), f"{MARKS}: .*BadGzipFile"),
        (lambda f: write_zipped(f, 7, big_signal()[0], None), r"float32 \(70001,\)"),
        (lambda f: write_zipped(f, 7, big_signal()[:0], None), r"\(0, 70001\)"),
        (lambda f: write_zipped(f, 7, big_signal().astype(np.int16), None), "int16"),
        (lambda f: write_zipped(f, 7, [big_signal()], None), f"{SIGNALS}: .*one array"),
        (lambda f: write_zipped(f, 7, {"x": 1}, None), "a pickle of one array"),
        (lambda f: write_zipped(f, 7, None, LABELS[:1]), f"{MARKS}: .*belong to {SIGNALS}.*of 1 segments"),
        (lambda f: write_zipped(f, 7, SIGNAL[:, :900], None), f"{MARKS}: .*1000 on 900 samples, s01"),
        (lambda f: write_zipped(f, 7, None, [{"btype": [NONE] * 4, "rtype": [NONE] * 6}] * 2), "btype of 4 classes"),
        (lambda f: write_zipped(f, 7, None, [{"btype": [NONE] * 5}] * 2), "KeyError"),
        (lambda f: write_zipped(f, 7, None, "labels"), "a str"),
        (lambda f: write_zipped(f, 7, None, {"btype": [[[1.5], [1]]], "rtype": []}), "btype as an array of float64"),
        (lambda f: write_zipped(f, 7, None, {"btype": [([5], [9])], "rtype": [([5], [1])]}), "btype 9"),
        (empty_archive, "00007_batched_lbls.npz: .*btype"),
        (lambda f: (f / "00007_batched_lbls.npz").write_bytes(b"PK\3\4 half"), "00007_batched_lbls.npz: a pickle"),
        (lambda f: (f / "00007_batched.npy").write_bytes(b"\x93NUMPY\1\0"), "00007_batched.npy: "),
        (lambda f: (f / "00007_batched.npz").write_bytes(b"PK\3\4 half"), "00007_batched.npz: a pickle of arrays"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named_in_one_line(tmp_path, spoil, said):
    write_zipped(tmp_path, 7, SIGNAL, LABELS)
    spoil(tmp_path)
    files = Icentia11kFiles(tmp_path)
    # Listing never fails: reading says what is wrong, and --skip-bad may leave the patient out.
    names = files.patients()["7"]
    with pytest.raises(DataError, match=said) as caught:
        files.read(names[0])
    assert "\n" not in str(caught.value) and "Received: " in str(caught.value)


def test_an_npy_file_cut_short_is_named(tmp_path):
    write_unzipped(tmp_path, 7, SIGNAL, LABELS)
    cut(tmp_path / "00007_batched.npy", 0.8)
    with pytest.raises(DataError, match=r"00007_batched\.npy: .*cut short"):
        Icentia11kFiles(tmp_path).read("p00007_s00")


@pytest.mark.parametrize("content", ["missing", "empty", "other files"])
def test_a_folder_without_such_files_is_named(tmp_path, content):
    folder = tmp_path / "data"
    if content != "missing":
        folder.mkdir()
    if content == "other files":
        (folder / "100.hea").write_text("100 1 250 10\n")
        (folder / "0001_batched.npy").write_bytes(b"")
    with pytest.raises(DataError, match=r"data: .*Received: "):
        Icentia11kFiles(folder).patients()


def test_the_size_is_estimated_from_heads_and_without_damaged_ones(tmp_path):
    for number in range(3):
        write_zipped(tmp_path, number, SIGNAL, LABELS)
    (tmp_path / "00001_batched.pkl.gz").write_bytes(b"\x1f\x8b")
    files = Icentia11kFiles(tmp_path)
    records = [name for names in files.patients().values() for name in names]
    assert len(records) == 5
    assert files.expected_samples(records, 250) == (5000, 2)
    assert files.expected_samples(records, 500) == (10_000, 4)


def test_a_reader_travels_to_worker_processes_without_its_data(tmp_path):
    write_zipped(tmp_path, 0, big_signal(), LABELS)
    files = Icentia11kFiles(tmp_path)
    files.read("p00000_s00")
    assert len(pickle.dumps(files)) < 1000
    assert dict(pickle.loads(pickle.dumps(files)).patients()) == dict(files.patients())


def test_the_first_such_file_tells_the_layout(tmp_path):
    assert not has_icentia11k_files(tmp_path / "none")
    assert not has_icentia11k_files(tmp_path)
    (tmp_path / "00012_batched_lbls.npz").write_bytes(b"")
    assert has_icentia11k_files(tmp_path)

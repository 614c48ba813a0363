"""The idx files: read byte for byte, and refused where they are cut or something else."""

import gzip
import os
import pathlib
import struct

import numpy as np
import pytest

from transplant.datasets.mnist import read_mnist
from transplant.errors import DataError

DATA = os.environ.get("TRANSPLANT_DATA")
LABELS = {"train": [5, 0, 4], "t10k": [7, 2]}


def pixels(part):
    return np.random.default_rng(len(part)).integers(0, 256, (len(LABELS[part]), 28, 28)).astype(np.uint8)


def contents():
    """Return {file name: bytes} of a small set in the published form."""
    files = {}
    for part, labels in LABELS.items():
        files[f"{part}-images-idx3-ubyte"] = struct.pack(">4I", 2051, len(labels), 28, 28) + pixels(part).tobytes()
        files[f"{part}-labels-idx1-ubyte"] = struct.pack(">2I", 2049, len(labels)) + bytes(labels)
    return files


def write(folder, files, packed):
    for name, content in files.items():
        file = folder / (f"{name}.gz" if packed else name)
        file.write_bytes(gzip.compress(content) if packed else content)
    return folder


@pytest.mark.parametrize("packed", [False, True])
def test_images_and_labels_are_read_and_the_test_part_marked(tmp_path, packed):
    ticks = []
    whole = read_mnist(write(tmp_path, contents(), packed), on_record=lambda: ticks.append(1))
    data = whole.data
    assert len(ticks) == 4
    np.testing.assert_array_equal(data.x[..., 0], np.concatenate([pixels("train"), pixels("t10k")]))
    assert data.x.dtype == np.uint8 and data.x.shape == (5, 28, 28, 1) and data.lengths.tolist() == [28] * 5
    assert data.y.tolist() == [5, 0, 4, 7, 2] and data.classes == tuple("0123456789")
    assert whole.published_test.tolist() == [False, False, False, True, True]
    assert data.record_ids.tolist() == ["train-00000", "train-00001", "train-00002", "t10k-00000", "t10k-00001"]
    assert data.group_ids.tolist() == data.record_ids.tolist()
    assert (data.sampling_rate_hz, data.unit, data.leads) == (None, "grey level", ("grey",))
    assert "3 images of train, where 60,000 are published" in data.notes


def test_names_with_a_point_are_found(tmp_path):
    files = {name.replace("-idx", ".idx"): content for name, content in contents().items()}
    assert len(read_mnist(write(tmp_path, files, False)).data) == 5


def cut(content):
    return content[:-1]


def lengthened(content):
    return content + b"\0"


def of_no_images(content):
    return content[:4] + struct.pack(">3I", 0, 28, 28)


def wide(content):
    return content[:8] + struct.pack(">2I", 14, 56) + content[16:]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "name, change, message",
    [
        ("train-images-idx3-ubyte", cut, "3 images, as its header promises, are 2,352 bytes.*Received: 2,351 bytes"),
        ("train-images-idx3-ubyte", lengthened, "Received: 2,353 bytes"),
        ("t10k-labels-idx1-ubyte", cut, "2 labels, as its header promises, are 2 bytes.*Received: 1 bytes"),
        ("t10k-labels-idx1-ubyte", lambda content: content[:6], "the number 2049. Received: bytes 00 00 08"),
        ("t10k-labels-idx1-ubyte", lambda content: b"", r"Received: bytes \(none\)"),
        ("t10k-images-idx3-ubyte", lambda content: b"\0\0\x08\x01" + content[4:], "number 2051. Received: bytes 00 00"),
        ("t10k-images-idx3-ubyte", of_no_images, "0 images, as its header promises"),
        ("t10k-images-idx3-ubyte", wide, "MNIST's images are 28 x 28. Received: 14 x 56"),
    ],
)
def test_a_file_that_breaks_its_header_is_refused(tmp_path, packed, name, change, message):
    files = contents()
    files[name] = change(files[name])
    with pytest.raises(DataError, match=message) as error:
        read_mnist(write(tmp_path, files, packed))
    assert name in str(error.value)


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-9], lambda b: b[:2], lambda b: b[:40] + b"\xff" * 8 + b[48:]], ids=["cut", "2", "bytes"]
)
def test_a_damaged_gzip_is_refused(tmp_path, damage):
    write(tmp_path, contents(), True)
    file = tmp_path / "train-images-idx3-ubyte.gz"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz: an idx file.*cut short or damaged"):
        read_mnist(tmp_path)


def test_labels_of_another_count_are_refused(tmp_path):
    files = contents()
    files["train-labels-idx1-ubyte"] = struct.pack(">2I", 2049, 2) + bytes([5, 0])
    with pytest.raises(DataError, match="Received: 2 labels for the 3 images of train-images-idx3-ubyte"):
        read_mnist(write(tmp_path, files, False))


def test_a_label_that_is_no_digit_is_refused_or_left_out(tmp_path):
    files = contents()
    files["train-labels-idx1-ubyte"] = struct.pack(">2I", 2049, 3) + bytes([5, 10, 4])
    write(tmp_path, files, False)
    with pytest.raises(DataError, match=r"a label is a digit. Received: 10 for image 1"):
        read_mnist(tmp_path)
    skipped = []
    whole = read_mnist(tmp_path, skipped=skipped)
    assert [entry.name for entry in skipped] == ["train-00001"]
    assert whole.data.record_ids.tolist() == ["train-00000", "train-00002", "t10k-00000", "t10k-00001"]
    assert whole.data.y.tolist() == [5, 4, 7, 2]
    np.testing.assert_array_equal(whole.data.x[1, ..., 0], pixels("train")[2])
    assert whole.published_test.tolist() == [False, False, True, True]


def test_missing_files_are_named(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        read_mnist(tmp_path / "nowhere")
    files = contents()
    del files["t10k-labels-idx1-ubyte"]
    with pytest.raises(DataError, match="add t10k-labels-idx1-ubyte"):
        read_mnist(write(tmp_path, files, True))


@pytest.mark.skipif(DATA is None, reason="TRANSPLANT_DATA is not set")
def test_the_real_files_are_the_published_set():
    whole = read_mnist(pathlib.Path(DATA) / "mnist")
    assert whole.data.x.shape == (70_000, 28, 28, 1) and not whole.published_test[:60_000].any()
    assert whole.published_test[60_000:].all()
    # Counts and mean (0.1307 of 255) as they are known of the published training part.
    train = np.bincount(whole.data.y[:60_000]).tolist()
    assert train == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert whole.data.x[:60_000].mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert len(whole.data.notes) == 1

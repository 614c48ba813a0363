"""One large array in a pickle: every way to write it, read once from front to back."""

import gzip
import pickle

import numpy as np
import pytest
from icentia_files import python_2_pickle

from transplant.datasets import pickled_array
from transplant.datasets.pickled_array import PickledArray


def big_signal(dtype=np.float32):
    """Larger than what is read as a description: 70,001 samples a segment, all byte values."""
    return np.random.default_rng(1).normal(size=(2, 70_001)).astype(dtype)


@pytest.mark.parametrize(
    "data",
    [
        *(lambda x, p=p: pickle.dumps(x, p) for p in (1, 2, 3, 4, 5)),
        python_2_pickle,
        lambda x: pickle.dumps(np.asfortranarray(x), 2),
        lambda x: pickle.dumps(x.astype(">f4"), 2),
        lambda x: pickle.dumps(x.astype(np.float64), 4),
    ],
    ids=["protocol 1", "2", "3", "4", "5", "Python 2", "Fortran order", "big endian", "float64"],
)
@pytest.mark.parametrize("compress", [True, False])
def test_every_way_to_pickle_an_array_is_read(tmp_path, data, compress):
    signal = big_signal()
    file = tmp_path / "a.pkl"
    file.write_bytes(gzip.compress(data(signal), 1) if compress else data(signal))
    with PickledArray(file) as array:
        assert array.shape == signal.shape and array.dtype.kind == "f"
        np.testing.assert_array_equal(array.read(), signal)
    with PickledArray(file) as array:
        assert b"".join(array.blocks()) == signal.astype(array.dtype).tobytes()


def test_members_of_a_gzip_file_and_padding_behind_it_are_read(tmp_path):
    data = pickle.dumps(big_signal(), 2)
    parts = [gzip.compress(data[:1000]), gzip.compress(data[1000:]), b"\0" * 512]
    (tmp_path / "a.pkl").write_bytes(b"".join(parts))
    with PickledArray(tmp_path / "a.pkl") as array:
        np.testing.assert_array_equal(array.read(), big_signal())


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_text_becomes_bytes_however_it_is_cut(size):
    raw = np.random.default_rng(3).integers(0, 256, 5000).astype(np.uint8).tobytes()
    text = raw.decode("latin1").encode()
    blocks = [text[i : i + size] for i in range(0, len(text), size)]
    assert b"".join(pickled_array.latin1_of_utf8(blocks)) == raw


@pytest.mark.parametrize("text", [b"a\xc3", b"\x80a", b"\xc3a", "Ā".encode(), "€".encode(), b"\xc2\xc2\x80", b"a\xff"])
def test_text_that_holds_no_bytes_is_refused(text):
    with pytest.raises(ValueError, match="text that"):
        list(pickled_array.latin1_of_utf8([text]))

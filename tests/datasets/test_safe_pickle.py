import gzip
import os
import pickle
import pickletools

import numpy as np
import pytest

from transplant.datasets.safe_pickle import load_safe_pickle
from transplant.errors import DataError, UnsafeFileError


def write(path, content, protocol=4, compress=True):
    data = content if isinstance(content, bytes) else pickle.dumps(content, protocol=protocol)
    path.write_bytes(gzip.compress(data) if compress else data)
    return path


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("compress", [True, False])
def test_arrays_and_containers_come_back_as_they_were(tmp_path, protocol, compress):
    content = {
        "x": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "big": np.arange(4, dtype=">i2"),
        "flags": np.array([True, False]),
        "text": np.array(["A", "~", "långt"]),
        "bytes": np.array([b"ab", b"c"]),
        "objects": np.array(["A00001", "A00002", 3], object),
        "empty": np.zeros((0, 5), np.int64),
        "scalar": np.float64(2.5),
        "plain": [1, (2.0, None, True), {"k": "v"}, b"\x00\xff", {4, 5}],
    }
    loaded = load_safe_pickle(write(tmp_path / "a.pkl", content, protocol, compress))
    assert loaded.keys() == content.keys()
    for name in ("x", "fortran", "big", "flags", "text", "bytes", "objects", "empty"):
        assert loaded[name].dtype == content[name].dtype
        np.testing.assert_array_equal(loaded[name], content[name])
    assert loaded["scalar"] == 2.5 and loaded["plain"] == content["plain"]


@pytest.mark.parametrize("module", ["numpy.core", "numpy._core"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_both_names_of_numpys_core_are_read(tmp_path, module, protocol):
    values = np.arange(5.0)
    stream = pickle.dumps([values], protocol=protocol)
    old, new = b"numpy._core.multiarray", f"{module}.multiarray".encode()
    if protocol == 2:
        stream = stream.replace(b"c" + old, b"c" + new)
    else:
        stream = stream.replace(bytes([0x8C, len(old)]) + old, bytes([0x8C, len(new)]) + new)
        stream = stream[:2] + b"".join([stream[2:3], (len(stream) - 11).to_bytes(8, "little"), stream[11:]])
    assert new in stream
    np.testing.assert_array_equal(load_safe_pickle(write(tmp_path / "a.pkl", stream))[0], values)


def test_a_python_2_pickle_with_raw_string_bytes_is_read(tmp_path):
    # What Python 2 wrote: the array's bytes are a plain (8-bit) string.
    raw = np.array([1.5, -2.0], "<f8").tobytes()
    stream = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x02\x85cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89U" + bytes([len(raw)]) + raw + b"tb."
    )
    assert load_safe_pickle(write(tmp_path / "a.pkl", stream)).tolist() == [1.5, -2.0]


class Calls:
    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


def attacks(target):
    touch = f"open({str(target)!r}, 'w').close()"
    nested = np.empty(1, object)
    nested[0] = Calls(exec, touch)
    return {
        "os.system": Calls(os.system, f"touch {target}"),
        "exec": Calls(exec, touch),
        "eval": {"x": np.zeros(3), "y": Calls(eval, f"open({str(target)!r}, 'w')")},
        "in an object array": nested,
        "numpy.load with pickles": Calls(np.load, str(target)),
        "numpy file": Calls(np.save, str(target), np.zeros(1)),
        "getattr chain": Calls(getattr, np.zeros(1), "tofile"),
        "memmap": Calls(np.memmap, str(target), "u1", "w+", 0, (4,)),
    }


@pytest.mark.parametrize("name", attacks("x"))
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_that_runs_code_is_refused_and_did_not_run(tmp_path, name, protocol):
    target = tmp_path / "pwned"
    file = write(tmp_path / "a.pkl", attacks(target)[name], protocol)
    with pytest.raises(UnsafeFileError, match=r"a\.pkl: .*nothing was run"):
        load_safe_pickle(file)
    assert not target.exists()


def test_the_attack_would_have_worked_with_pickle_itself(tmp_path):
    target = tmp_path / "pwned"
    pickle.loads(pickle.dumps(attacks(target)["exec"]))
    assert target.exists()


HEAD = b"\x80\x04"
DTYPE = b"cnumpy\ndtype\n"
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"


@pytest.mark.parametrize(
    "stream",
    [
        # os.system by two strings on the stack (STACK_GLOBAL)
        HEAD + b"\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.",
        # INST, the oldest way to call something
        b"(S'true'\nios\nsystem\n.",
        # numpy.dtype of a name that numpy would import or evaluate
        HEAD + DTYPE + b"\x8c\x0bos.system()\x85R.",
        HEAD + DTYPE + b"\x8c\x02V8\x85R.",
        # dotted name below an admitted module
        HEAD + b"\x8c\x16numpy.core.multiarray\x8c\x16_reconstruct.__class__\x93.",
        HEAD + b"cnumpy.core.multiarray\nfromstring\n.",
        HEAD + b"cnumpy\nload\n.",
        HEAD + b"cbuiltins\neval\nC\x011\x85R.",
        HEAD + b"cbuiltins\nbytearray\n.",
        # the admitted function itself as data
        HEAD + RECONSTRUCT + b".",
        # attributes set on the admitted function
        HEAD + RECONSTRUCT + b"N}\x8c\x08__code__N\x86b.",
        # an array that never got its bytes, and a subclass in its place
        HEAD + RECONSTRUCT + b"cnumpy\nndarray\nK\x00\x85C\x01b\x87R.",
        HEAD + RECONSTRUCT + b"cnumpy\nmatrix\nK\x00\x85C\x01b\x87R.",
    ],
)
def test_sneaky_streams_are_refused(tmp_path, stream):
    with pytest.raises(DataError, match=r"a\.pkl: "):
        load_safe_pickle(write(tmp_path / "a.pkl", stream))


def test_an_object_array_holds_only_strings_and_numbers(tmp_path):
    array = np.empty(2, object)
    array[:] = [{"a": 1}, [2]]
    with pytest.raises(UnsafeFileError, match="strings or numbers only"):
        load_safe_pickle(write(tmp_path / "a.pkl", array))


def test_structured_arrays_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"a\.pkl"):
        load_safe_pickle(write(tmp_path / "a.pkl", np.zeros(2, [("a", "O"), ("b", "i4")])))


def test_an_array_whose_bytes_do_not_fill_it_is_refused(tmp_path):
    stream = pickle.dumps(np.arange(4, dtype=np.int8), protocol=2)
    assert any(op.name == "BININT1" and value == 4 for op, value, _ in pickletools.genops(stream))
    with pytest.raises(DataError, match="do not fill its shape"):
        load_safe_pickle(write(tmp_path / "a.pkl", stream.replace(b"K\x04\x85", b"K\x09\x85")))


def test_a_memo_index_out_of_proportion_is_refused_before_memory_is_asked_for(tmp_path):
    with pytest.raises(DataError, match="memo index 2147483646"):
        load_safe_pickle(write(tmp_path / "a.pkl", HEAD + b"K\x01r\xfe\xff\xff\x7f."))


def test_a_length_beyond_the_file_is_refused(tmp_path):
    stream = HEAD + b"\x96" + (1 << 33).to_bytes(8, "little") + b"abc."
    with pytest.raises(DataError, match=r"a\.pkl"):
        load_safe_pickle(write(tmp_path / "a.pkl", stream))


def test_shared_containers_stay_shared_and_a_container_in_itself_is_refused(tmp_path):
    nested = ["end"]
    for _ in range(60):
        nested = [nested, nested]
    loaded = load_safe_pickle(write(tmp_path / "a.pkl", nested))
    assert loaded[0] is loaded[1] and len(loaded) == 2
    loop = []
    loop.append(loop)
    with pytest.raises(DataError, match="holds itself"):
        load_safe_pickle(write(tmp_path / "b.pkl", loop))


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_a_file_cut_short_is_a_data_error(tmp_path, compress, share):
    file = write(tmp_path / "a.pkl", {"x": np.random.default_rng(0).normal(size=500)}, compress=compress)
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    with pytest.raises(DataError, match=r"a\.pkl: .*Received: "):
        load_safe_pickle(file)


def test_a_missing_file_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        load_safe_pickle(tmp_path / "none.pkl")

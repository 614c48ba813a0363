import dataclasses
import gzip
import json
import pickle

import numpy as np
import pytest

from transplant.datasets.labelled_set import LabelledSet
from transplant.errors import DataError, UnsafeFileError
from transplant.signals.normalization import Normalization, fit_normalization


def make_set(**changes):
    """Four records of up to 6 samples and two leads, padded on the left."""
    lengths = np.array([6, 2, 4, 5])
    x = np.random.default_rng(1).normal(1.0, 0.5, (4, 6, 2)).astype(np.float32)
    for record, length in zip(x, lengths):
        record[: 6 - length] = 0
    values = dict(
        x=x,
        lengths=lengths,
        y=np.array([1, 0, 1, 3]),
        classes=("A", "N", "O", "~"),
        record_ids=np.array(["r1", "r2", "r3", "r4"]),
        group_ids=np.array(["p1", "p2", "p1", "p3"]),
        sampling_rate_hz=250,
        leads=("II", "V1"),
        dataset="test",
        label_version="v1",
    )
    return LabelledSet(**(values | changes))


def same(a, b):
    return all(
        np.array_equal(getattr(a, f.name), getattr(b, f.name))
        if isinstance(getattr(a, f.name), np.ndarray)
        else getattr(a, f.name) == getattr(b, f.name)
        for f in dataclasses.fields(a)
    )


def test_counts_and_one_hot():
    labelled = make_set()
    assert labelled.counts() == {"A": 1, "N": 2, "O": 0, "~": 1}
    assert labelled.one_hot().tolist() == [[0, 1, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
    assert len(labelled) == 4 and labelled.length == 6


def test_it_prints_what_it_holds():
    text = str(make_set())
    assert text == (
        "4 records x 6 samples (0.0 s) x 2 leads at 250 Hz; A 1, N 2, O 0, ~ 1; test, labels v1; mV, not standardised"
    )
    assert text in repr(make_set())


def test_select_takes_indices_in_order_or_a_mask():
    labelled = make_set()
    part = labelled.select([3, 0])
    assert part.record_ids.tolist() == ["r4", "r1"] and part.y.tolist() == [3, 1] and part.lengths.tolist() == [5, 6]
    np.testing.assert_array_equal(part.x[0], labelled.x[3])
    assert labelled.select(labelled.y == 1).record_ids.tolist() == ["r1", "r3"]


@pytest.mark.parametrize("lead", ["V1", "v1", 1, "1"])
def test_a_lead_is_chosen_by_name_or_column(lead):
    labelled = make_set()
    part = labelled.select_lead(lead)
    assert part.leads == ("V1",) and part.normalization.mean == (0.0,)
    np.testing.assert_array_equal(part.x, labelled.x[:, :, 1:])
    with pytest.raises(DataError, match=r"no lead aVR\. Received: leads II, V1"):
        labelled.select_lead("aVR")
    with pytest.raises(DataError, match="no lead 2"):
        labelled.select_lead(2)


def test_standardised_values_leave_the_padding_at_zero():
    labelled = make_set()
    normalization = fit_normalization(labelled.x, labelled.lengths)
    x = labelled.standardized(normalization)
    for lead in range(2):
        valid = np.concatenate([record[-length:, lead] for record, length in zip(x, labelled.lengths)])
        assert abs(valid.mean()) < 1e-6 and abs(valid.std() - 1) < 1e-6
    assert all((record[: 6 - length] == 0).all() for record, length in zip(x, labelled.lengths))
    assert x.dtype == np.float32
    with pytest.raises(DataError, match="one mean a lead"):
        labelled.standardized(Normalization.none(1))


def test_the_fingerprint_changes_with_any_content_and_only_with_it():
    fingerprint = make_set().fingerprint()
    assert len(fingerprint) == 16 and int(fingerprint, 16) >= 0
    assert make_set().fingerprint() == fingerprint
    x = make_set().x.copy()
    x[0, 0, 0] += 1e-3
    others = [
        make_set(x=x),
        make_set(y=np.array([1, 0, 1, 2])),
        make_set(record_ids=["r1", "r2", "r3", "r5"]),
        make_set(group_ids=["p1", "p2", "p3", "p3"]),
        make_set(label_version="v2"),
        make_set(sampling_rate_hz=300),
        make_set().select([0, 1, 3, 2]),
    ]
    assert len({other.fingerprint() for other in others} | {fingerprint}) == len(others) + 1


def test_a_saved_set_comes_back_equal_and_without_pickles(tmp_path):
    labelled = make_set(notes=("said by hand",))
    labelled.save(tmp_path / "set.npz")
    loaded = LabelledSet.load(tmp_path / "set.npz")
    assert same(loaded, labelled) and loaded.fingerprint() == labelled.fingerprint()
    with np.load(tmp_path / "set.npz", allow_pickle=False) as file:
        assert file["x"].shape == (4, 6, 2) and json.loads(str(file["metadata"]))["unit"] == "mV"
    assert [path.name for path in tmp_path.iterdir()] == ["set.npz"]
    with pytest.raises(DataError, match=r"written as \.npz"):
        labelled.save(tmp_path / "set.pkl")


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"x": np.zeros((4, 6), np.float32)}, "x is .records, time, leads."),
        ({"leads": ("II",)}, "x is .records, time, leads."),
        ({"y": np.array([0, 1, 1])}, "y has one entry a record"),
        ({"y": np.array([0, 1, 1, 4])}, r"one of A, N, O, ~\. Received: .*1 record.s. .r4"),
        ({"lengths": np.array([6, 2, 4, 7])}, "1 to 6 valid samples.*r4"),
        ({"lengths": np.array([6, 0, 4, 5])}, "1 to 6 valid samples.*r2"),
        ({"lengths": np.array([6, 2, 3, 5])}, "padding on the left is zero.*r3"),
        ({"record_ids": ["r1", "r2", "r1", "r4"]}, "unique.*2 record.s. .r1, r1"),
        ({"classes": ("A", "N", "A", "~")}, "class names are unique"),
    ],
)
def test_contradictions_are_refused(changes, message):
    with pytest.raises(DataError, match=message):
        make_set(**changes)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_invalid_samples_are_refused_by_record(value):
    x = make_set().x.copy()
    x[2, 5, 1] = value
    with pytest.raises(DataError, match=r"must be a number.*1 record.s. \(r3\)"):
        make_set(x=x)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_a_set_cut_short_is_an_error_that_names_the_file(tmp_path, share):
    file = tmp_path / "set.npz"
    make_set().save(file)
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    with pytest.raises(DataError, match=r"set\.npz: .*Received: "):
        LabelledSet.load(file)


def test_a_damaged_set_is_an_error(tmp_path):
    file = tmp_path / "set.npz"
    make_set().save(file)
    data = bytearray(file.read_bytes())
    data[200] ^= 0xFF
    file.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"set\.npz: "):
        LabelledSet.load(file)


def test_other_archives_and_missing_files_are_errors(tmp_path):
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(DataError, match=r"other\.npz: .*no lengths, y"):
        LabelledSet.load(tmp_path / "other.npz")
    np.savez(tmp_path / "objects.npz", **{n: np.array([{}]) for n in ("x", "lengths", "y", "record_ids", "group_ids")})
    with pytest.raises(DataError, match=r"objects\.npz"):
        LabelledSet.load(tmp_path / "objects.npz")
    with pytest.raises(DataError, match=r"none\.npz: .*finetuning\.prepare"):
        LabelledSet.load(tmp_path / "none.npz")


def write_pickle(path, protocol=4, **changes):
    """Write what the public code's save_pkl writes: a gzipped dict with object arrays of names."""
    x = np.zeros((3, 8, 1))
    x[0, 2:], x[1, :], x[2, 7:] = 0.5, -1.5, 2.0
    x[0, 4] = 0
    content = {
        "x": x,
        "y": np.array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]]),
        "record_ids": np.array(["A00001", "A00002", "A00003"], object),
        "classes": np.array(["A", "N", "O", "~"], object),
    }
    with gzip.open(path, "wb") as stream:
        pickle.dump(content | changes, stream, protocol=protocol)
    return x


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_pickle_of_the_public_code_is_read(tmp_path, protocol):
    x = write_pickle(tmp_path / "train.pkl", protocol)
    loaded = LabelledSet.load(tmp_path / "train.pkl")
    np.testing.assert_array_equal(loaded.x, x.astype(np.float32))
    assert loaded.lengths.tolist() == [6, 8, 1]
    assert loaded.y.tolist() == [1, 0, 3] and loaded.classes == ("A", "N", "O", "~")
    assert loaded.record_ids.tolist() == loaded.group_ids.tolist() == ["A00001", "A00002", "A00003"]
    assert loaded.sampling_rate_hz == 250 and "250 Hz" in loaded.notes[0] and loaded.notes[0] in str(loaded)
    assert loaded.is_standardised and loaded.normalization.source == "file"


def test_values_that_the_files_writer_standardised_are_not_standardised_again(tmp_path):
    x = write_pickle(tmp_path / "train.pkl")
    loaded = LabelledSet.load(tmp_path / "train.pkl")
    np.testing.assert_array_equal(loaded.standardized(loaded.normalization), x.astype(np.float32))
    with pytest.raises(DataError, match="not standardised again"):
        loaded.standardized(Normalization.paper("cinc2017", 0.0075, 0.2373))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"y": np.array([[1, 1, 0, 0]] * 3)}, "several labels"),
        ({"y": np.array([1, 2, 3])}, "several labels"),
        ({"x": np.zeros((3, 8))}, "x is an array"),
        ({"x": np.zeros((3, 8, 1))}, "valid samples"),
        ({"record_ids": np.array(["a", "a", "b"])}, "unique"),
    ],
)
def test_other_pickles_are_refused(tmp_path, changes, message):
    write_pickle(tmp_path / "train.pkl", **changes)
    with pytest.raises(DataError, match=rf"train\.pkl: .*{message}"):
        LabelledSet.load(tmp_path / "train.pkl")


class Attack:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return exec, (f"open({str(self.target)!r}, 'w').close()",)


def test_a_pickle_that_runs_code_is_refused_and_did_not_run(tmp_path):
    write_pickle(tmp_path / "train.pkl", classes=Attack(tmp_path / "pwned"))
    with pytest.raises(UnsafeFileError, match="nothing was run"):
        LabelledSet.load(tmp_path / "train.pkl")
    assert not (tmp_path / "pwned").exists()


def make_images(**changes):
    """Three grey images of 4 x 5."""
    values = dict(
        x=np.arange(60, dtype=np.uint8).reshape(3, 4, 5, 1),
        lengths=np.full(3, 4),
        y=np.array([0, 1, 0]),
        classes=("a", "b"),
        record_ids=np.array(["1", "2", "3"]),
        group_ids=np.array(["1", "2", "3"]),
        sampling_rate_hz=None,
        leads=("grey",),
        dataset="images",
        label_version="v1",
        unit="grey level",
    )
    return LabelledSet(**(values | changes))


def test_images_keep_their_bytes_and_are_standardised_as_numbers(tmp_path):
    images = make_images()
    assert images.x.dtype == np.uint8 and images.input_shape == (4, 5, 1) and images.sampling_rate_hz is None
    images.save(tmp_path / "images.npz")
    loaded = LabelledSet.load(tmp_path / "images.npz")
    assert same(images, loaded) and loaded.x.dtype == np.uint8
    assert str(loaded).startswith("3 images of 4 x 5 x 1; a 2, b 1; images, labels v1; grey level, not standardised")
    normalization = fit_normalization(images.x, images.lengths)
    # Of 0, 1 ... 59: the mean, and the root of (60^2 - 1) / 12.
    assert normalization.mean == (29.5,) and normalization.std == pytest.approx((17.318102,), abs=1e-6)
    standardised = images.standardized(normalization)
    assert standardised.dtype == np.float32
    np.testing.assert_allclose(standardised[1, 0, 0, 0], (20 - 29.5) / 17.318102, rtol=1e-5)


def test_indicators_stay_as_they_are(tmp_path):
    x = np.array([[[1.0, 0.0, 5.0], [3.0, 1.0, 5.0]], [[5.0, 1.0, 5.0], [7.0, 1.0, 5.0]]])
    table = make_set(
        x=x, lengths=[2, 2], y=[0, 1], record_ids=["a", "b"], group_ids=["a", "b"], leads=("HR", "mask->HR", "pH"),
        indicators=("mask->HR",), sampling_rate_hz=1 / 3600,
    )  # fmt: skip
    normalization = fit_normalization(table.x, table.lengths, untouched=[1])
    # A variable that never changes is centred; its deviation would divide by 0.
    assert normalization.mean == (4.0, 0.0, 5.0) and normalization.std == (pytest.approx(5**0.5), 1.0, 1.0)
    np.testing.assert_array_equal(table.standardized(normalization)[:, :, 1], x[:, :, 1])
    table.save(tmp_path / "table.npz")
    assert LabelledSet.load(tmp_path / "table.npz").indicators == ("mask->HR",)
    assert "2 records x 2 steps of 1 h x 3 columns" in str(table)
    assert table.select_lead("mask->HR").indicators == ("mask->HR",) and table.select_lead("HR").indicators == ()
    with pytest.raises(DataError, match=r"indicators are leads\. Received: SpO2"):
        dataclasses.replace(table, indicators=("SpO2",))


def test_a_set_written_before_there_were_indicators_has_the_fingerprint_it_had():
    assert "indicators" not in make_set().metadata()
    assert make_set().fingerprint() != dataclasses.replace(make_set(), indicators=("II",)).fingerprint()

"""The builders on small files in the exact form on disk, through TensorFlow Datasets' own test harness."""

import gzip
import itertools
import pathlib
import pickle
import shutil
import tempfile

import numpy as np
import pytest
import scipy.io
import tensorflow_datasets as tfds
import wfdb
from wfdb_files import write_record

import transplant.datasets.tfds as builders
from transplant.datasets.tfds.record_features import record_of
from transplant.datasets.tfds.records_builder import ordered
from transplant.errors import DataError


def write_mitdb(folder):
    folder.mkdir(parents=True)
    for name in ("114", "201", "202"):
        write_record(folder, name, seconds=5, leads=("V5", "MLII") if name == "114" else ("MLII", "V1"))
    wfdb.wrann(
        "201",
        "atr",
        np.array([10, 20, 500, 900, 1000]),
        symbol=["+", "N", "+", "a", "V"],
        aux_note=["(N", "", "(AFIB", "", ""],
        write_dir=str(folder),
    )
    # What lies beside the records at the publisher.
    (folder / "x_mitdb").mkdir()
    shutil.copy(folder / "114.hea", folder / "x_mitdb" / "x_114.hea")


def write_icentia(folder):
    for patient in ("p00003", "p00012"):
        place = folder / patient[:3] / patient
        place.mkdir(parents=True)
        for segment in range(2):
            write_record(place, f"{patient}_s{segment:02d}", seconds=5, rate=250, leads=("ECG",))


def write_challenge(folder):
    (folder / "training2017").mkdir(parents=True)
    rng = np.random.default_rng(3)
    for i in range(5):
        name, values = f"A{i + 1:05d}", rng.integers(-500, 500, (1, 600 + i)).astype(np.int16)
        scipy.io.savemat(folder / "training2017" / f"{name}.mat", {"val": values}, format="4")
    for version, labels in (("v1", "NNNN~"), ("v2", "NAO~N"), ("v3", "NAO~A")):
        lines = [f"A{i + 1:05d},{label}\n" for i, label in enumerate(labels)]
        (folder / f"REFERENCE-{version}.csv").write_text("".join(lines))


class _Harness:
    """The files that a builder's test reads, as a manual folder."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.EXAMPLE_DIR = pathlib.Path(cls.folder.name) / "manual"
        cls.write(cls.EXAMPLE_DIR)
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.folder.cleanup()


class MitdbTest(_Harness, tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = builders.Mitdb
    SPLITS = {"train": 3}  # noqa: RUF012
    write = staticmethod(write_mitdb)


class Icentia11kTest(_Harness, tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = builders.Icentia11k
    BUILDER_CONFIG_NAMES_TO_TEST = ["all"]  # noqa: RUF012
    SPLITS = {"train": 4}  # noqa: RUF012
    write = staticmethod(write_icentia)


class Challenge2017Test(_Harness, tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = builders.Challenge2017
    SPLITS = {"train": 5}  # noqa: RUF012
    write = staticmethod(write_challenge)


def build(name, tmp_path, write, **options):
    """Build from files in a manual folder; return the examples and the builder."""
    if not (tmp_path / "manual").exists():
        write(tmp_path / "manual" / name.split("/")[0])
    builder = tfds.builder(name, data_dir=tmp_path / "data", **options)
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=tmp_path / "manual"))
    return list(tfds.as_numpy(builder.as_dataset(split="train"))), builder


def test_an_example_is_what_is_on_disk(tmp_path):
    examples, builder = build("mitdb", tmp_path, write_mitdb)
    assert [e["name"] for e in examples] == [b"114", b"201", b"202"]
    # One man gave 201 and 202.
    assert [e["patient"] for e in examples] == [b"114", b"201", b"201"]
    assert [list(e["leads"]) for e in examples] == [[b"V5", b"MLII"], [b"MLII", b"V1"], [b"MLII", b"V1"]]
    for example in examples:
        expected = wfdb.rdrecord(str(tmp_path / "manual" / "mitdb" / example["name"].decode()))
        assert example["sampling_rate_hz"] == expected.fs == 360
        assert example["signal"].dtype == np.float32 and example["signal"].shape == (1800, 2)
        np.testing.assert_allclose(example["signal"], expected.p_signal, atol=1e-6)
        counts = example["signal"] * example["adc_gain"] + example["adc_baseline"]
        np.testing.assert_array_equal(np.rint(counts), expected.adc())
    annotated = examples[1]
    assert annotated["beats"]["position"].tolist() == [20, 900, 1000]
    names = builder.info.features["beats"]["label"].names
    assert [names[i] for i in annotated["beats"]["label"]] == ["normal", "aberrated", "pvc"]
    rhythms = annotated["rhythms"]
    names = builder.info.features["rhythms"]["label"].names
    assert [(s, e, names[i]) for s, e, i in zip(rhythms["start"], rhythms["end"], rhythms["label"])] == [
        (10, 500, "normal"),
        (500, 1800, "afib"),
    ]


def test_a_data_set_tells_where_it_comes_from(tmp_path):
    _, builder = build("mitdb", tmp_path, write_mitdb)
    info = tfds.builder_from_directory(builder.data_path).info
    assert info.homepage == "https://physionet.org/content/mitdb/1.0.0/"
    assert "Open Data Commons Attribution" in info.redistribution_info.license and "moody2001impact" in info.citation
    assert "360 Hz" in info.description and info.metadata["unit"] == "mV"
    assert info.metadata["records"][1] == ["201", "201", 1800, 360.0]


def test_a_configuration_chooses_patients_and_segments(tmp_path):
    config = builders.Icentia11kConfig(name="one", patient_ids=range(10, 13), segments_per_patient=1)
    with pytest.raises(DataError, match=r"icentia11k/one: patients must be there. Received: 10, 11; 2 patients are"):
        build("icentia11k", tmp_path, write_icentia, config=config)
    config = builders.Icentia11kConfig(name="one", patient_ids=[12], segments_per_patient=1)
    examples, builder = build("icentia11k", tmp_path, write_icentia, config=config)
    assert [(e["name"], e["patient"], e["signal"].shape) for e in examples] == [(b"p00012_s00", b"12", (1250, 1))]
    assert builder.data_path == tmp_path / "data" / "icentia11k" / "one" / "1.0.0"
    assert [c.name for c in builders.Icentia11k.BUILDER_CONFIGS] == ["all", "ten_patients"]


def test_the_torrents_files_will_do(tmp_path):
    folder = tmp_path / "manual" / "icentia11k"
    folder.mkdir(parents=True)
    signal = (np.random.default_rng(5).integers(-900, 900, (2, 3000)) / 200).astype(np.float32)
    marks = {"btype": [[], [100, 400], [250], [], []], "rtype": [[], [], [], [400], [2500], []]}
    labels = [{key: [np.array(m, np.int64) for m in value] for key, value in marks.items()}] * 2
    for name, value in (("00007_batched", signal), ("00007_batched_lbls", labels)):
        with gzip.open(folder / f"{name}.pkl.gz", "wb") as file:
            pickle.dump(value, file, protocol=2)
    examples, _ = build("icentia11k", tmp_path, None)
    assert [(e["name"], e["patient"]) for e in examples] == [(b"p00007_s00", b"7"), (b"p00007_s01", b"7")]
    np.testing.assert_array_equal(examples[1]["signal"][:, 0], signal[1])
    assert examples[0]["beats"]["position"].tolist() == [100, 250, 400]
    assert examples[0]["beats"]["label"].tolist() == [1, 2, 1]
    # The torrent marks where a rhythm ends; behind the last mark nothing is known.
    assert examples[0]["rhythms"]["start"].tolist()[:2] == [0, 400] and examples[0]["rhythm_known_until"] == 2500
    record = record_of(examples[0])
    assert (
        record.rhythm_known_until == 2500
        and record.signal.dtype == np.float32
        and record.beat_classes.dtype == np.uint8
    )


def test_each_label_version_is_a_configuration(tmp_path):
    found = {}
    for name in ("challenge2017", "challenge2017/v1", "challenge2017/v3"):
        examples, builder = build(name, tmp_path, write_challenge)
        names = builder.info.features["label"].names
        labels = {e["name"].decode(): names[e["label"]] for e in examples}
        found[builder.info.metadata["label_version"]] = "".join(labels[f"A{i + 1:05d}"] for i in range(5))
    assert found == {"v2": "NAO~N", "v1": "NNNN~", "v3": "NAO~A"}
    example = next(e for e in examples if e["name"] == b"A00002")
    values = scipy.io.loadmat(tmp_path / "manual" / "challenge2017" / "training2017" / "A00002.mat")["val"]
    np.testing.assert_allclose(example["signal"], values.T / 1000, rtol=1e-6)
    assert example["sampling_rate_hz"] == 300


def test_a_damaged_record_stops_the_build_and_leaves_no_data_set(tmp_path):
    write_mitdb(tmp_path / "manual" / "mitdb")
    (tmp_path / "manual" / "mitdb" / "201.dat").write_bytes(b"cut")
    with pytest.raises(DataError, match=r"201\.dat: "):
        build("mitdb", tmp_path, write_mitdb)
    assert not (tmp_path / "data" / "mitdb" / "1.0.0").exists()


@pytest.mark.parametrize("count", [1, 7, 999, 1001, 550_000])
def test_keys_keep_the_order_and_spread_over_the_sorter(count):
    """TensorFlow Datasets puts key k into the k / 2**128 part of a thousand buckets."""
    keys = [key for key, _ in ordered(range(count), count)]
    assert all(a < b for a, b in itertools.pairwise(keys)) and keys[0] >= 0 and keys[-1] < 2**128
    _, filled = np.unique([key * 1000 // 2**128 for key in keys], return_counts=True)
    assert filled.max() <= count // 1000 + 1


def test_real_records_are_those_that_wfdb_reads(real_data, tmp_path):
    folder = next((real_data / "mitdb").rglob("201.hea")).parent
    (tmp_path / "manual" / "mitdb").mkdir(parents=True)
    for name in ("114", "201"):
        for suffix in ("hea", "dat", "atr"):
            shutil.copy(folder / f"{name}.{suffix}", tmp_path / "manual" / "mitdb")
    examples, _ = build("mitdb", tmp_path, None)
    assert [e["name"] for e in examples] == [b"114", b"201"]
    for example in examples:
        expected = wfdb.rdrecord(str(folder / example["name"].decode()))
        np.testing.assert_array_equal(example["signal"], expected.p_signal.astype(np.float32))
        assert [lead.decode() for lead in example["leads"]] == expected.sig_name
    marks = wfdb.rdann(str(folder / "201"), "atr")
    # Record 201 has 606 s of atrial fibrillation by the database's own directory.
    rhythms = examples[1]["rhythms"]
    af = rhythms["label"] == 4
    assert round((rhythms["end"] - rhythms["start"])[af].sum() / 360) == 606
    pvc = examples[1]["beats"]["position"][examples[1]["beats"]["label"] == 4]
    np.testing.assert_array_equal(pvc, [p for p, s in zip(marks.sample, marks.symbol) if s in "VE"])

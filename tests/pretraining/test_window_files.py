"""Files of windows to train or validate on: ours, and the public code's pickles."""

import gzip
import os
import pickle
from argparse import Namespace

import numpy as np
import pandas as pd
import pytest

from pretraining import trainer
from pretraining.data import without_patients
from pretraining.file_data import FileData
from pretraining.store import Store
from pretraining.window_files import load_windows
from pretraining.window_set import WindowSet
from transplant.datasets.icentia11k import PAPER_MEAN_MV, PAPER_STD_MV
from transplant.errors import SplitError
from transplant.signals.normalization import Normalization
from transplant.tasks.task import default_options, get_task
from transplant.training.weights import read_weights

SIZE = 128
SMALL = ["--stages", "1", "--frame-size", str(SIZE), "--batch-size", "8"]


def run(train, job, *options, task="beat"):
    return trainer.main(["--task", task, *SMALL, "--train", str(train), "--job-dir", str(job), *options])


def data_of(train, *options):
    """Return what a run on the file would train and validate on."""
    given = ["--task", "beat", *SMALL, "--train", str(train), *options]
    return FileData(trainer.parse(given), get_task("beat"), lambda line: None)


def frames(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def write(path, protocol=2, **values):
    path.write_bytes(pickle.dumps(values, protocol=protocol))
    return path


@pytest.fixture
def public(tmp_path):
    """Forty windows of ten patients, as the public code pickles them."""
    owners = np.repeat(np.arange(10), 4)
    return write(tmp_path / "train.pkl", x=frames(40, SIZE, 1), y=np.tile(np.arange(4), 10), patient_ids=owners)


@pytest.mark.slow
def test_a_run_on_the_public_pickle_takes_one_pass_an_epoch_and_holds_patients_out(public, tmp_path, capsys):
    options = ["--val-patients", "0.2", "--val-metric", "f1"]
    assert run(public, tmp_path / "job", "--epochs", "2", *options) == 0
    output = capsys.readouterr().out
    assert "data: train.pkl, 8 training and 2 validation patients" in output
    assert "coverage: 32 windows in a pass; 2 epochs x batch 8 x 4 steps = 64 windows, 2.00 passes" in output
    assert "classes of the first 32 frames" in output
    description = read_weights(tmp_path / "job" / "backbone.npz").description
    assert description.normalization == Normalization.paper("icentia11k", PAPER_MEAN_MV, PAPER_STD_MV)
    assert (description.sampling_rate_hz, description.leads, description.input_length) == (250, ("ECG",), SIZE)
    training, held_out = (set(description.data[f"{side}_patients"]) for side in ("training", "validation"))
    assert training | held_out == {str(i) for i in range(10)} and not training & held_out
    assert (tmp_path / "job" / "frame.png").stat().st_size > 1000

    assert run(public, tmp_path / "parts", "--epochs", "1", *options) == 0
    assert run(public, tmp_path / "parts", "--epochs", "2", "--resume", *options) == 0
    whole, parts = (pd.read_csv(tmp_path / name / "history.csv") for name in ("job", "parts"))
    pd.testing.assert_frame_equal(whole, parts, check_exact=True)


def test_patients_of_the_validation_file_are_not_trained_on(public, tmp_path, capsys):
    """A file of validation windows names each patient once."""
    val = write(tmp_path / "val.pkl", x=frames(6, SIZE, 1), y=np.arange(6) % 5, patient_ids=np.array([3, 7]))
    assert run(public, tmp_path / "job", "--val-file", str(val), "--patient-ids", "1,2,3,7") == 0
    description = read_weights(tmp_path / "job" / "backbone.npz").description
    assert description.data["training_patients"] == ["1", "2"]
    assert description.data["validation_patients"] == ["3", "7"]
    capsys.readouterr()
    assert run(public, tmp_path / "other", "--val-file", str(val), "--patient-ids", "3,7") == 2
    assert "no patient is left to train on" in capsys.readouterr().err


@pytest.mark.parametrize("ids", [[3.0, 7.0], ["p00003", " 7"], ["00003", "P00007"]])
def test_patients_are_the_same_however_the_files_write_their_numbers(public, tmp_path, ids):
    val = write(tmp_path / "val.pkl", x=frames(6, SIZE, 1), y=np.arange(6) % 5, patient_ids=np.array(ids))
    data = data_of(public, "--val-file", str(val))
    assert data.training_patients == [str(i) for i in range(10) if i not in (3, 7)]
    assert data.validation_patients == ["3", "7"]


def test_a_pickle_validates_a_run_on_recordings_and_its_patients_are_left_out(small_store, tmp_path):
    names = [p.patient for p in Store.open(small_store).patients]
    val = write(tmp_path / "val.pkl", x=frames(6, SIZE, 1), y=np.arange(6) % 5, patient_ids=np.array(names[:2]))
    assert run(small_store, tmp_path / "job", "--val-file", str(val), "--steps-per-epoch", "2") == 0
    weights = read_weights(tmp_path / "job" / "backbone.npz").description
    assert weights.data["training_patients"] == names[2:] and weights.data["validation_patients"] == names[:2]


def test_validation_windows_are_standardised_as_the_training_windows_are(small_store, public, tmp_path):
    """Whichever of the two is a file."""
    task, args = (
        get_task("beat"),
        vars(trainer.build_parser().parse_args(["--task", "beat", "--frame-size", str(SIZE)])),
    )
    cached = tmp_path / "cached.npz"
    options = ["--val-patients", "2", "--val-size", "8", "--cache-val", str(cached), "--steps-per-epoch", "1"]
    assert run(small_store, tmp_path / "job", *options) == 0
    windows = WindowSet.load(cached)
    other = Namespace(**(args | {"train": str(public), "val_file": str(cached), "normalization": "train"}))
    data = FileData(other, task, lambda line: None)
    assert data.normalization.source == "paper:icentia11k" != windows.normalization.source
    millivolts = windows.inputs["signal"] * windows.normalization.std[0] + windows.normalization.mean[0]
    np.testing.assert_allclose(data.validation.inputs["signal"], (millivolts - PAPER_MEAN_MV) / PAPER_STD_MV, atol=1e-5)


def test_every_epoch_goes_on_where_the_one_before_stopped(public):
    data = data_of(public)
    first, second = (
        np.concatenate([x.numpy() for x, _ in data.dataset(data.pass_steps, epoch * data.pass_steps)])
        for epoch in (0, 1)
    )
    both = np.concatenate([x.numpy() for x, _ in data.dataset(2 * data.pass_steps)])
    np.testing.assert_array_equal(np.concatenate([first, second]), both)
    assert (first != second).any()


def test_a_share_of_the_patients_of_a_file(public):
    assert len(data_of(public, "--val-patients", "2", "--patient-fraction", "0.5").training_patients) == 4


def test_windows_held_out_of_a_file_are_cached_with_their_patients(public, tmp_path):
    cached = tmp_path / "held_out.npz"
    data = data_of(public, "--val-patients", "2", "--cache-val", str(cached))
    windows = WindowSet.load(cached)
    assert windows.patients == data.validation_patients
    assert windows.owners.tolist() == np.repeat(windows.patients, 4).tolist()


@pytest.mark.slow
def test_another_file_is_another_job(public, tmp_path, capsys):
    assert run(public, tmp_path / "job") == 0
    values = pickle.loads(public.read_bytes())
    values["x"][0, 0, 0] += 1
    write(public, **values)
    assert run(public, tmp_path / "job", "--epochs", "2", "--resume") == 2
    assert "error: " in capsys.readouterr().err


def test_a_gzipped_pickle_is_read(public, tmp_path):
    file = tmp_path / "train.pkl.gz"
    file.write_bytes(gzip.compress(public.read_bytes()))
    task = get_task("beat")
    one, other = (load_windows(path, task, default_options(task, SIZE)) for path in (public, file))
    assert one.digest() == other.digest()


def test_a_patient_is_left_out_however_its_number_is_written():
    class Patient:
        def __init__(self, name):
            self.patient = name

    patients = [Patient("p00003"), Patient("p00004"), Patient("00007")]
    assert [p.patient for p in without_patients(patients, ["3", "7"], "val.pkl")] == ["p00004"]
    with pytest.raises(SplitError, match="must leave some"):
        without_patients(patients, ["3", "4", "7"], "val.pkl")


@pytest.mark.slow
def test_predictive_coding_trains_on_a_pickle(tmp_path, capsys):
    windows = {"context": frames(12, 3, SIZE, 1), "samples": frames(12, 3, SIZE, 1, seed=1)}
    file = write(tmp_path / "cpc.pkl", x=windows, y=np.arange(12) % 3, patient_ids=np.arange(12) // 2)
    options = ["--context-size", "3", "--ns", "2"]
    assert run(file, tmp_path / "job", *options, task="cpc") == 0
    output = capsys.readouterr().out
    assert "no patients are held out of a file of cpc" in output and "6 training and 0 validation" in output
    assert run(file, tmp_path / "other", "--context-size", "3", "--ns", "1", task="cpc") == 2
    assert "ns 2 (this run 1)" in capsys.readouterr().err
    assert run(file, tmp_path / "other", *options, "--cache-val", str(tmp_path / "v.npz"), task="cpc") == 2
    assert "--cache-val needs validation windows" in capsys.readouterr().err
    windows["samples"] = windows["samples"][:, :, :-1]
    write(file, x=windows, y=np.arange(12) % 3, patient_ids=np.arange(12) // 2)
    assert run(file, tmp_path / "other", *options, task="cpc") == 2
    assert "windows of task cpc are context with 4 axes and samples with 4 axes" in capsys.readouterr().err


@pytest.mark.slow
def test_our_validation_windows_serve_for_training(small_store, tmp_path, capsys):
    cached = tmp_path / "cached.pkl"
    held_out = ["--val-patients", "2", "--val-size", "20", "--cache-val", str(cached), "--steps-per-epoch", "2"]
    assert run(small_store, tmp_path / "one", *held_out) == 0
    assert run(cached, tmp_path / "two", "--val-patients", "0") == 0
    one, two = (read_weights(tmp_path / name / "backbone.npz").description for name in ("one", "two"))
    assert two.data["training_patients"] == one.data["validation_patients"]
    assert (two.normalization, two.leads, two.sampling_rate_hz) == (one.normalization, one.leads, one.sampling_rate_hz)
    capsys.readouterr()
    assert run(cached, tmp_path / "three") == 2
    assert "--val-patients needs a file with a patient id for each window" in capsys.readouterr().err
    assert run(cached, tmp_path / "four", "--val-file", str(cached)) == 2
    assert "share patients" in capsys.readouterr().err


class Attack:
    def __reduce__(self):
        return os.system, ("touch attacked",)


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        ({"x": frames(40, SIZE + 1, 1)}, [], f"frame_size {SIZE + 1} (this run {SIZE})"),
        ({"x": frames(40, SIZE)}, [], "signal with 3 axes"),
        ({"x": frames(39, SIZE, 1)}, [], "as many as labels"),
        ({"x": {"context": frames(40, 8, SIZE, 1), "samples": frames(40, 2, SIZE, 1)}}, [], "another task"),
        ({"x": np.full((40, SIZE, 1), np.nan, np.float32)}, [], "must be finite"),
        ({"x": [[1.0], [2.0, 3.0]]}, [], "a pickle with frames x"),
        ({"y": np.full(40, 5)}, [], "class indices 0 to 4. Received: 5 to 5"),
        ({"y": np.zeros(40)}, [], "class indices 0 to 4. Received: float64"),
        ({"y": np.arange(40) % 5 + 2**32}, [], "class indices 0 to 4. Received: 4294967296"),
        ({"y": 3}, [], "as many as labels"),
        ({"y": {"a": 1}}, [], "as many as labels"),
        ({"y": Attack()}, [], "train.pkl"),
        ({"patient_ids": 15}, [], "patient_ids are numbers or names"),
        ({"patient_ids": None}, [], "patient_ids are numbers or names"),
        ({"patient_ids": np.zeros((40, 1), int)}, [], "patient_ids are numbers or names"),
        ({"patient_ids": np.zeros(0, int)}, [], "patient_ids are numbers or names"),
        ({"patient_ids": np.full(40, 1.5)}, [], "patient_ids are numbers or names"),
        ({}, ["--normalization", "none"], "windows of"),
        ({}, ["--cache-val", "train.pkl"], "would write over"),
        ({}, ["--cache-val", "v.npz", "--val-patients", "0"], "--cache-val"),
        ({}, ["--cache-val", "."], "directory"),
        ({}, ["--val-patients", "0", "--val-metric", "f1"], "needs validation patients"),
        ({}, ["--patient-ids", "77", "--task", "rhythm"], "Received: 77"),
        ({}, ["--task", "masked", "--patch-size", "32"], "of task beat, rhythm, hr, cpc"),
        ({}, ["--patient-ids", "77"], "Received: 77"),
    ],
)  # fmt: skip
def test_a_wrong_file_gives_one_line(public, tmp_path, capsys, monkeypatch, change, options, said):
    monkeypatch.chdir(tmp_path)
    file = write(public, **(pickle.loads(public.read_bytes()) | change))
    assert run(file, tmp_path / "job", *options) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("error: ") and said in line
    assert not (tmp_path / "attacked").exists()


@pytest.mark.parametrize("missing", ["x", "y", "patient_ids"])
def test_a_pickle_without_its_parts_gives_one_line(public, tmp_path, capsys, missing):
    values = pickle.loads(public.read_bytes())
    del values[missing]
    assert run(write(public, **values), tmp_path / "job") == 2
    assert f"KeyError ('{missing}')" in capsys.readouterr().err


def test_a_file_that_is_cut_short_gives_one_line(public, tmp_path, capsys):
    public.write_bytes(public.read_bytes()[:2000])
    assert run(public, tmp_path / "job") == 2
    assert f"error: {public}" in capsys.readouterr().err


@pytest.mark.parametrize("protocol", [2, 4])
def test_frames_and_labels_come_as_they_were_pickled(tmp_path, protocol):
    x, y = frames(6, SIZE, 1), np.array([0, 4, 2, 1, 3, 0])
    file = write(tmp_path / "f.pkl", protocol, x=x, y=y, patient_ids=np.arange(6))
    task = get_task("beat")
    windows = load_windows(file, task, default_options(task, SIZE))
    np.testing.assert_array_equal(windows.inputs["signal"], x)
    np.testing.assert_array_equal(windows.labels, y)
    assert windows.owners.tolist() == list("012345")


def test_a_pass_shows_every_window_once_in_an_order_of_its_own():
    task = get_task("beat")
    options = default_options(task, 1)
    numbers = np.arange(12, dtype=np.float32).reshape(12, 1, 1)
    windows = WindowSet({"signal": numbers}, np.arange(12, dtype=np.int32), ["a"], {}, ("ECG",), Normalization.none())

    def shown(steps, first=0, seed=5):
        batches = list(windows.shuffled_batches(8, task, options, seed, steps, first))
        for x, y in batches:
            assert x.shape == (8, 1, 1) and x.numpy().ravel().tolist() == y.numpy().tolist()
        return np.concatenate([y.numpy() for _, y in batches])

    drawn = shown(6)
    passes = drawn.reshape(4, 12)
    assert all(sorted(p) == list(range(12)) for p in passes.tolist())
    assert len({tuple(p) for p in passes.tolist()}) == 4
    np.testing.assert_array_equal(shown(2, first=4), drawn[32:])
    assert shown(6, seed=6).tolist() != drawn.tolist()

"""Validation windows: drawn once, the same from a file, their patients never trained on."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest

from pretraining import trainer
from pretraining.data import patient_share
from pretraining.store import Store
from pretraining.window_set import WindowSet
from transplant.training.weights import read_weights

SMALL = ["--task", "beat", "--stages", "1", "--frame-size", "256", "--batch-size", "8", "--steps-per-epoch", "2"]


def run(store, job, *options):
    return trainer.main([*SMALL, "--train", str(store), "--job-dir", str(job), *options])


@pytest.fixture(scope="module")
def cached(small_store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("validation")
    options = ["--val-patients", "2", "--val-size", "20", "--cache-val", str(folder / "val.npz")]
    assert run(small_store, folder / "job", *options) == 0
    return folder


def test_a_run_on_the_file_gives_the_numbers_of_the_run_that_wrote_it(cached, small_store, tmp_path, capsys):
    assert run(small_store, tmp_path / "job", "--val-file", str(cached / "val.npz")) == 0
    pd.testing.assert_frame_equal(
        pd.read_csv(cached / "job" / "history.csv"), pd.read_csv(tmp_path / "job" / "history.csv")
    )
    assert "4 training and 2 validation patients" in capsys.readouterr().out
    one, other = (read_weights(folder / "job" / "backbone.npz").description for folder in (cached, tmp_path))
    assert one.data["training_patients"] == other.data["training_patients"]
    assert one.data["validation_patients"] == other.data["validation_patients"]


def test_the_windows_are_standardised_anew_for_a_run_with_other_training_patients(cached, small_store):
    validation = WindowSet.load(cached / "val.npz")
    assert validation.settings == {"task": "beat", "frame_size": 256, "sampling_rate_hz": 250, "leads": 1}
    assert validation.inputs["signal"].shape == (20, 256, 1) and len(validation.patients) == 2
    store = Store.open(small_store)
    other = store.normalization(store.patients[:1])
    assert other != validation.normalization
    moved = validation.normalized_as(other).inputs["signal"]
    millivolts = validation.inputs["signal"] * validation.normalization.std[0] + validation.normalization.mean[0]
    np.testing.assert_allclose(moved, (millivolts - other.mean[0]) / other.std[0], atol=1e-5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--frame-size", "512"], "frame_size 256 (this run 512)"),
        (["--task", "rhythm"], "task beat (this run rhythm)"),
    ],
)
def test_windows_of_another_task_or_size_are_refused(cached, small_store, tmp_path, capsys, options, said):
    assert run(small_store, tmp_path / "job", "--val-file", str(cached / "val.npz"), *options) == 2
    assert said in capsys.readouterr().err


def test_a_damaged_file_gives_one_line(cached, small_store, tmp_path, capsys):
    damaged = tmp_path / "val.npz"
    damaged.write_bytes((cached / "val.npz").read_bytes()[:500])
    assert run(small_store, tmp_path / "job", "--val-file", str(damaged)) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("error: ") and str(damaged) in line


def test_a_file_whose_patients_are_all_there_are_leaves_none_to_train_on(cached, small_store, tmp_path, capsys):
    description = json.loads(str(np.load(cached / "val.npz")["description"]))
    options = ["--patient-ids", *description["patients"], "--val-file", str(cached / "val.npz")]
    assert run(small_store, tmp_path / "job", *options) == 2
    assert "must leave some to train on" in capsys.readouterr().err


def test_smaller_shares_of_the_patients_are_parts_of_larger_ones():
    patients = list(range(200))
    shares = [patient_share(patients, fraction, 7) for fraction in (0.001, 0.01, 0.1, 0.2, 1.0)]
    assert [len(share) for share in shares] == [1, 2, 20, 40, 200]
    assert all(set(small) <= set(large) for small, large in itertools.pairwise(shares))
    assert patient_share(patients, 0.1, 8) != shares[2]


def test_a_share_of_the_patients_leaves_the_validation_patients_as_they_are(cached, small_store, tmp_path):
    options = ["--val-patients", "2", "--val-size", "20", "--patient-fraction", "0.5"]
    assert run(small_store, tmp_path / "job", *options) == 0
    whole, part = (read_weights(folder / "job" / "backbone.npz").description.data for folder in (cached, tmp_path))
    assert whole["validation_patients"] == part["validation_patients"]
    assert len(part["training_patients"]) == 2 and set(part["training_patients"]) < set(whole["training_patients"])

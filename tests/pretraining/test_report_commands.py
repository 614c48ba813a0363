"""The reports' commands with every flag of the public trainers, on small files in the torrent's layout."""

import shlex

import numpy as np
import pandas as pd
import pytest
from icentia_files import make_patient, write_unzipped, write_zipped

from finetuning import trainer as finetuning_trainer
from pretraining import trainer
from transplant.training.weights import read_weights


@pytest.fixture(scope="module")
def DIR(tmp_path_factory):
    folder = tmp_path_factory.mktemp("icentia")
    for number in range(4):
        write = write_zipped if number < 2 else write_unzipped
        write(folder, number, *make_patient(number, segments=2, samples=6000))
    return folder


def pretrain(text, **names):
    return trainer.main(shlex.split(text.format(**names)))


@pytest.mark.parametrize("ids", ["0,1,2", pytest.param("0 1 2", marks=pytest.mark.slow)])
def test_the_command_that_pretrains(DIR, tmp_path, ids, capsys):
    command = (
        "--job-dir {J} --task beat --train {DIR} --arch resnet18 --epochs 2 --patient-ids {ids} --steps-per-epoch 2 "
        "--samples-per-patient 6 --batch-size 4 --frame-size 512 --unzipped True --val-size 8 --seed 2024"
    )
    assert pretrain(command, J=tmp_path / "J", DIR=DIR, ids=ids) == 0
    output = capsys.readouterr().out
    assert "training straight from the files of 3 patients" in output
    assert "# model parameters: 4,495,045" in output and "coverage: 2 patients x 6 samples" in output
    history = pd.read_csv(tmp_path / "J" / "history.csv")
    assert history["epoch"].tolist() == [1, 2] and np.isfinite(history["val_loss"]).all()
    assert (tmp_path / "J" / "epoch_02" / "weights.npz").is_file()
    assert not (tmp_path / "J" / "decoded").exists(), "decoded patients are gone"


@pytest.mark.slow
def test_every_flag_of_the_public_trainer(DIR, tmp_path):
    command = (
        "--job-dir {J} --task cpc --train {DIR} --cache-val {V} --unzipped --val-patients 0.5 --val-size 8 "
        "--arch resnet18 --stages 1 --frame-size 512 --context-size 3 --ns 2 --positive-offset 1 --context-overlap 100 "
        "--batch-size 4 --samples-per-patient 5 --val-samples-per-patient 4 --steps-per-epoch 2 --epochs 1 "
        "--val-metric acc --data-parallelism 2 --seed 1"
    )
    names = {"DIR": DIR, "V": tmp_path / "val.npz"}
    assert pretrain(command, J=tmp_path / "one", **names) == 0
    again = command.replace("--cache-val {V}", "--val-file {V} --weights-file {one}")
    assert pretrain(again, J=tmp_path / "two", one=tmp_path / "one", **names) == 0
    one, two = (read_weights(tmp_path / name / "backbone.npz").description for name in ("one", "two"))
    assert one.data["validation_patients"] == two.data["validation_patients"]
    assert one.data["task_options"] == {"context_size": 3, "ns": 2, "positive_offset": 1, "context_overlap": 100}


@pytest.mark.slow
def test_a_live_run_that_was_interrupted_ends_with_the_same_numbers(DIR, tmp_path, monkeypatch):
    command = (
        "--job-dir {J} --task rhythm --train {DIR} --stages 1 --frame-size 512 --batch-size 4 "
        "--samples-per-patient 5 --steps-per-epoch 3 --epochs {n} --val-size 8"
    )
    assert pretrain(command, J=tmp_path / "whole", DIR=DIR, n=3) == 0
    assert pretrain(command, J=tmp_path / "parts", DIR=DIR, n=2) == 0
    assert pretrain(command + " --resume", J=tmp_path / "parts", DIR=DIR, n=3) == 0
    whole, parts = (pd.read_csv(tmp_path / name / "history.csv") for name in ("whole", "parts"))
    pd.testing.assert_frame_equal(whole, parts, check_exact=True)


def test_a_patient_that_is_damaged_inside_stops_the_run_with_its_name(DIR, tmp_path, capsys):
    folder = tmp_path / "damaged"
    folder.mkdir()
    for number in range(3):
        write_zipped(folder, number, *make_patient(number, segments=2, samples=6000))
    file = folder / "00001_batched.pkl.gz"
    file.write_bytes(file.read_bytes()[:-2000])
    command = "--job-dir {J} --task beat --train {DIR} --stages 1 --frame-size 512 --batch-size 4 --val-patients 0"
    assert pretrain(command, J=tmp_path / "J", DIR=folder) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("error: ") and "00001_batched.pkl.gz" in line


@pytest.mark.slow
def test_the_command_that_fine_tunes(small_set, tmp_path, capsys):
    command = (
        "--job-dir {J} --train {T} --val-size 0.25 --val-metric f1 --arch resnet18 --stages 1 --batch-size 16 "
        "--epochs 2 --seed 2024 --verbose"
    )
    assert finetuning_trainer.main(shlex.split(command.format(J=tmp_path / "J", T=small_set))) == 0
    output = capsys.readouterr().out
    assert "Split data into train 75.00% and validation 25.00%" in output
    assert "Train data shape: (48, 1024, 1)" in output

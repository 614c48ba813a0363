"""The pretraining command: what it prints, writes and refuses."""

import json
import shutil

import keras
import numpy as np
import pandas as pd
import pytest
from wfdb_files import write_record

from pretraining import trainer
from pretraining.data import coverage, split_patients
from pretraining.store import Store
from transplant.errors import SplitError
from transplant.training.weights import read_weights

SMALL = ["--task", "beat", "--stages", "1", "--frame-size", "256", "--batch-size", "8", "--steps-per-epoch", "2"]


def run(store, job, *options):
    return trainer.main([*SMALL, "--train", str(store), "--job-dir", str(job), *options])


@pytest.fixture(scope="module")
def finished(small_store, tmp_path_factory):
    job = tmp_path_factory.mktemp("pretraining") / "job"
    options = ["--epochs", "3", "--val-patients", "2", "--val-size", "20", "--val-metric", "f1"]
    assert run(small_store, job, *options, "--patient-ids", "0,1", "2", "3,4") == 0
    return job


def test_the_job_folder_holds_what_a_user_looks_for(finished):
    names = {p.name for p in finished.iterdir()}
    assert {"config.json", "history.csv", "best_weights.npz", "backbone.npz", "epoch_01", "epoch_03"} <= names
    assert {"learning_curves.png", "frame.png"} <= names
    optimizers = [(finished / f"epoch_0{n}" / "optimizer.npz").exists() for n in (1, 2, 3)]
    assert optimizers == [False, True, True] and (finished / "epoch_01" / "weights.npz").is_file()


def test_history_has_the_fields_columns(finished):
    history = pd.read_csv(finished / "history.csv")
    assert list(history.columns) == ["epoch", "loss", "acc", "val_loss", "val_acc", "f1"]
    assert history["epoch"].tolist() == [1, 2, 3] and np.isfinite(history.to_numpy()).all()


def test_config_and_backbone_say_how_to_repeat_and_use_them(finished, small_store):
    config = json.loads((finished / "config.json").read_text())
    assert config["options"]["patient_ids"] == ["0", "1", "2", "3", "4"] and config["options"]["seed"] == 2024
    assert {"tensorflow", "keras", "numpy", "transplant"} <= config["versions"].keys()
    store = Store.open(small_store)
    description = read_weights(finished / "backbone.npz").description
    train = description.data["training_patients"]
    assert len(train) == 3 and len(description.data["validation_patients"]) == 2
    assert description.data["fingerprint"] == store.fingerprint
    expected = store.normalization([p for p in store.patients if p.patient in train])
    assert description.normalization == expected
    assert (description.sampling_rate_hz, description.unit, description.leads) == (250, "mV", ("II",))


def test_best_weights_are_those_of_the_best_epoch(finished):
    history = pd.read_csv(finished / "history.csv")
    best = int(history["f1"].idxmax()) + 1
    kept = read_weights(finished / f"epoch_{best:02d}" / "weights.npz").arrays
    chosen = read_weights(finished / "best_weights.npz").arrays
    backbone = read_weights(finished / "backbone.npz").arrays
    assert all(np.array_equal(kept[key], chosen[key]) for key in kept)
    assert all(np.array_equal(kept[key], backbone[key]) for key in backbone) and "head/kernel" not in backbone


def test_what_is_printed_before_training(small_store, tmp_path, capsys):
    arguments = ["--task", "beat", "--train", str(small_store), "--batch-size", "4", "--frame-size", "256"]
    arguments += ["--stages", "1", "--steps-per-epoch", "1"]
    assert trainer.main([*arguments, "--job-dir", str(tmp_path / "j")]) == 0
    output = capsys.readouterr().out
    # Five kernels of 64 filters, 7 samples long, the first of one lead; five norms of four vectors; a head of five.
    assert f"# model parameters: {7 * 64 + 4 * 7 * 64 * 64 + 5 * 4 * 64 + 65 * 5:,}" in output
    assert "coverage: 5 patients x 1,000 samples = 5,000 frames" in output
    assert "classes of the first 32 frames: undefined " in output


def test_coverage_counts():
    line = coverage(2048, 4096, 16, 512, 1024)
    assert "2048 patients x 4,096 samples = 8,388,608 frames" in line and line.endswith("1.00 passes")
    assert "--samples-per-patient 2 " in coverage(10, 1000, 1, 4, 5)


def test_split_by_patient_counts_and_fractions(small_store):
    patients = Store.open(small_store).patients
    for asked, held_out in ((0.05, 1), (0.5, 3), (2, 2), (0, 0)):
        train, validation = split_patients(patients, asked, 1)
        assert len(validation) == held_out
        assert {p.patient for p in train} | {p.patient for p in validation} == set("012345")
        assert not {p.patient for p in train} & {p.patient for p in validation}
    with pytest.raises(SplitError, match="leaves none"):
        split_patients(patients, 6, 1)
    assert split_patients(patients[:1], 0.05, 1)[1] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--frame-size", "15001"], "15001"),
        (["--patient-ids", "99"], "99"),
        (["--normalization", "paper"], "icentia11k"),
        (["--val-patients", "0", "--val-metric", "f1"], "--val-patients"),
        (["--stages", "9"], "stages=9"),
        (["--weights-file", "nowhere.npz"], "nowhere.npz"),
    ],
)
def test_bad_options_give_one_line_and_status_2(options, said, small_store, tmp_path, capsys):
    assert run(small_store, tmp_path / "job", *options) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("error: ") and said in lines[-1] and "Traceback" not in "".join(lines)
    assert not (tmp_path / "job").exists()


def test_a_wrong_command_is_not_in_the_way_of_the_corrected_one(small_store, tmp_path):
    assert run(small_store, tmp_path / "job", "--val-patients", "0", "--val-metric", "f1") == 2
    assert run(small_store, tmp_path / "job", "--val-patients", "0") == 0


def test_damaged_patients_are_left_out_counted_and_listed(small_store, tmp_path, capsys):
    store = tmp_path / "store"
    shutil.copytree(small_store, store)
    (store / "patients" / "2" / "annotations.npz").write_bytes(b"PK half")
    signal = store / "patients" / "4" / "signal.npy"
    signal.write_bytes(signal.read_bytes()[:5000])
    assert run(store, tmp_path / "job") == 0
    output = capsys.readouterr().out
    assert "left out: patient 2" in output and "left out: patient 4" in output
    assert "2 of 6 patients left out" in output and "data: synthetic" in output


@pytest.mark.slow
def test_a_folder_of_records_is_prepared_for_the_patients_asked_alone(tmp_path):
    folder = tmp_path / "records"
    folder.mkdir()
    for name in ("100", "101", "102"):
        write_record(folder, name)
    assert run(folder, tmp_path / "job", "--patient-ids", "100,102") == 0
    assert [p.patient for p in Store.open(tmp_path / "job" / "store").patients] == ["100", "102"]


def test_resume_needs_a_job_dir(small_store, capsys):
    assert trainer.main([*SMALL, "--train", str(small_store), "--resume"]) == 2
    assert "--job-dir" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["missing", "empty"])
def test_bad_folders_give_one_line_and_status_2(content, tmp_path, capsys):
    folder = tmp_path / "data"
    if content == "empty":
        folder.mkdir()
    assert run(folder, tmp_path / "job") == 2
    assert str(folder) in capsys.readouterr().err.strip().splitlines()[-1]


def test_a_diverging_loss_stops_with_one_line(small_store, tmp_path, capsys):
    assert run(small_store, tmp_path / "job", "--learning-rate", "1e30") == 2
    assert "loss of epoch 1" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_mixed_precision_trains_and_leaves_float32_weights(kind, small_store, tmp_path):
    assert run(small_store, tmp_path / "job", "--mixed-precision", kind) == 0
    assert {a.dtype.name for a in read_weights(tmp_path / "job" / "backbone.npz").arrays.values()} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


def test_a_job_starts_from_the_backbone_of_another(finished, small_store, tmp_path, capsys):
    assert run(small_store, tmp_path / "job", "--weights-file", str(finished)) == 0
    assert "backbone tensors from" in capsys.readouterr().out


def test_real_mitbih_records_prepare_whole(real_data, tmp_path):
    from pretraining import prepare

    store = tmp_path / "store"
    assert prepare.main(["--source", str(real_data / "mitdb" / "mitdb"), "--out", str(store)]) == 0
    opened = Store.open(store)
    assert len(opened.patients) == 42 and sum(p.beats for p in opened.patients) == 95_118
    leads = {p.patient: p.leads[0][0] for p in opened.patients}
    assert {p for p, lead in leads.items() if lead != "MLII"} == {"102", "104"}
    afib = {}
    for patient in opened.patients:
        for segment in patient.load().annotations:
            chosen = segment.rhythm_classes == 4
            afib[patient.patient] = (segment.rhythm_ends - segment.rhythm_starts)[chosen].sum() / 250
    for record, seconds in {"201": 606, "203": 1455, "219": 1427, "221": 1757}.items():
        assert abs(afib[record] - seconds) < 1


def test_annotations_that_are_damaged_inside_stop_the_run_with_one_line(small_store, tmp_path, capsys):
    store = tmp_path / "store"
    shutil.copytree(small_store, store)
    for file in (store / "patients").glob("*/annotations.npz"):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 0xFF
        file.write_bytes(bytes(content))
    assert run(store, tmp_path / "job", "--val-patients", "0") == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("error: ") and "prepare again" in line
    assert not (tmp_path / "job").exists(), "the same command may be given again"

"""A killed run that goes on ends bit for bit like one that was left alone."""

import json
import shutil
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import finetuning.trainer
import pretraining.trainer
from transplant.datasets.labelled_set import LabelledSet
from transplant.training.checkpoint import checkpoint_folders

TRAINERS = {"pretraining": pretraining.trainer, "finetuning": finetuning.trainer}

# Each kills its own process at one moment of the third epoch.
KILLERS = {
    "between epochs": """
import transplant.training.loop as loop
original = loop._write_tables
def tables(job, state):
    original(job, state)
    if state.epoch == 2:
        die()
loop._write_tables = tables
""",
    "inside an epoch": """
import transplant.training.loop as loop
original = loop._progress_note
def note(progress, epoch, epochs):
    after_step, losses = original(progress, epoch, epochs), []
    def after(logs):
        after_step(logs)
        losses.append(logs["loss"])
        if epoch == 3 and len(losses) == 2:
            die()
    return after
loop._progress_note = note
""",
    "while a checkpoint is written": """
import numpy, transplant.training.checkpoint as checkpoint
original = numpy.savez
def savez(path, **arrays):
    if "epoch_03" in str(path) and "optimizer" in str(path):
        open(path, "wb").write(b"PK half a file")
        die()
    original(path, **arrays)
numpy.savez = savez
""",
    "before a checkpoint is published": """
import os
original = os.replace
def replace(source, target):
    if str(target).endswith("epoch_03"):
        die()
    original(source, target)
os.replace = replace
""",
    "after a checkpoint is published": """
import os
original = os.replace
def replace(source, target):
    original(source, target)
    if str(target).endswith("epoch_03"):
        die()
os.replace = replace
""",
}
PREAMBLE = """
import os, signal, sys
def die():
    os.kill(os.getpid(), signal.SIGKILL)
from transplant.training.quiet_start import start_tensorflow
start_tensorflow()
"""


@pytest.fixture(scope="session")
def options(small_store, small_set):
    return {
        "pretraining": [
            *("--task", "beat", "--train", str(small_store), "--frame-size", "256", "--stages", "1"),
            *("--epochs", "4", "--steps-per-epoch", "3", "--batch-size", "8", "--val-patients", "2"),
            *("--val-size", "32", "--val-metric", "f1", "--samples-per-patient", "10"),
        ],
        "finetuning": [
            *("--train", str(small_set), "--stages", "1", "--epochs", "4", "--batch-size", "16"),
            *("--val-size", "0.25", "--folds", "4", "--fold", "1"),
            # A cosine would tie every step to the number of epochs.
            *("--schedule", "constant", "--warmup-steps", "0"),
        ],
    }


@pytest.fixture(scope="session")
def undisturbed(options, tmp_path_factory):
    """The jobs of both trainers, left alone."""
    folder = tmp_path_factory.mktemp("undisturbed")
    for name, trainer in TRAINERS.items():
        assert trainer.main([*options[name], "--job-dir", str(folder / name)]) == 0
    return folder


def arrays_of(job):
    """Return everything a job decided, as arrays by file and key."""
    found = {}
    for path in sorted(job.rglob("*.npz")):
        with np.load(path, allow_pickle=False) as arrays:
            for key in arrays.files:
                if key != "description":
                    found[f"{path.relative_to(job)}:{key}"] = arrays[key]
    for path in sorted(job.glob("*.csv")):
        if path.name != "timing.csv":
            for column, values in pd.read_csv(path).items():
                found[f"{path.name}:{column}"] = values.to_numpy()
    state = json.loads((list(checkpoint_folders(job).values())[-1] / "state.json").read_text())
    found["state"] = np.array([state["epoch"], state["best_epoch"], state["best_score"], state["stop_epoch"]])
    return found


def assert_same_job(job, expected):
    job, expected = arrays_of(job), arrays_of(expected)
    assert job.keys() == expected.keys()
    # Columns of a run without validation are empty, and NaN is not equal to itself.
    different = [k for k in expected if not np.array_equal(job[k], expected[k], equal_nan=job[k].dtype.kind == "f")]
    assert different == []


@pytest.mark.parametrize("name", TRAINERS)
def test_same_seed_twice_is_bit_equal(name, options, undisturbed, tmp_path):
    assert TRAINERS[name].main([*options[name], "--job-dir", str(tmp_path / "again")]) == 0
    assert_same_job(tmp_path / "again", undisturbed / name)


@pytest.mark.slow
def test_same_seed_twice_is_bit_equal_at_full_size(small_store, tmp_path):
    """Many layers and threads: sums whose order depends on who came first would show here."""
    full = ["--task", "beat", "--train", str(small_store), "--steps-per-epoch", "4", "--val-patients", "0"]
    for name in ("a", "b"):
        assert pretraining.trainer.main([*full, "--job-dir", str(tmp_path / name)]) == 0
    assert_same_job(tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize("name", TRAINERS)
def test_another_seed_gives_other_weights(name, options, undisturbed, tmp_path):
    other_seed = [*options[name], "--epochs", "1", "--seed", "9", "--job-dir", str(tmp_path / "other")]
    assert TRAINERS[name].main(other_seed) == 0
    other, first = arrays_of(tmp_path / "other"), arrays_of(undisturbed / name)
    assert not np.array_equal(other["best_weights.npz:stem_conv/kernel"], first["best_weights.npz:stem_conv/kernel"])


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINERS)
def test_a_shorter_run_can_be_continued(name, options, undisturbed, tmp_path):
    job = tmp_path / "job"
    shorter = [*options[name], "--job-dir", str(job)]
    shorter[shorter.index("--epochs") + 1] = "2"
    assert TRAINERS[name].main(shorter) == 0
    assert TRAINERS[name].main([*options[name], "--job-dir", str(job), "--resume"]) == 0
    assert_same_job(job, undisturbed / name)


# Checkpoints are written by one loop for both trainers: fine-tuning is killed where its own steps are.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "moment"),
    [("pretraining", moment) for moment in KILLERS]
    + [("finetuning", moment) for moment in ("between epochs", "inside an epoch")],
)
def test_killed_and_resumed_ends_bit_equal(name, moment, options, undisturbed, tmp_path):
    job = tmp_path / "job"
    arguments = [*options[name], "--job-dir", str(job)]
    program = f"{PREAMBLE}{KILLERS[moment]}\nimport {name}.trainer\n{name}.trainer.main({arguments!r})"
    killed = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]
    assert not (job / "metrics.json").exists() and not (job / "backbone.npz").exists()
    assert TRAINERS[name].main([*arguments, "--resume"]) == 0
    assert_same_job(job, undisturbed / name)


def test_a_job_is_not_overwritten(options, undisturbed, capsys):
    job = undisturbed / "pretraining"
    before = arrays_of(job)
    assert pretraining.trainer.main([*options["pretraining"], "--job-dir", str(job)]) == 2
    assert "--resume" in capsys.readouterr().err
    after = arrays_of(job)
    assert all(np.array_equal(before[key], after[key]) for key in before)


def test_resume_refuses_other_options_and_names_them(options, undisturbed, capsys):
    arguments = [*options["pretraining"], "--job-dir", str(undisturbed / "pretraining"), "--resume"]
    assert pretraining.trainer.main([*arguments, "--batch-size", "16"]) == 2
    assert "batch_size 8 (now 16)" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["optimizer.npz", "weights.npz", "state.json"])
def test_a_damaged_checkpoint_is_named_and_costs_one_epoch(file, options, undisturbed, tmp_path, capsys):
    job = tmp_path / "job"
    shutil.copytree(undisturbed / "pretraining", job)
    damaged = job / "epoch_04" / file
    damaged.write_bytes(damaged.read_bytes()[:-30])
    arguments = [*options["pretraining"], "--job-dir", str(job), "--resume"]
    assert pretraining.trainer.main(arguments) == 2
    assert "epoch_04" in capsys.readouterr().err
    shutil.rmtree(job / "epoch_04")
    assert pretraining.trainer.main(arguments) == 0
    assert_same_job(job, undisturbed / "pretraining")


def test_resume_refuses_other_data_in_the_same_place(small_set, tmp_path, capsys):
    train, job = tmp_path / "set.npz", tmp_path / "job"
    shutil.copy(small_set, train)
    arguments = ["--train", str(train), "--arch", "logistic", "--epochs", "1", "--val-size", "0.25"]
    arguments += ["--job-dir", str(job)]
    assert finetuning.trainer.main(arguments) == 0
    data = LabelledSet.load(train)
    data.select(range(1, len(data))).save(train)
    assert finetuning.trainer.main([*arguments, "--resume"]) == 2
    assert "fingerprint" in capsys.readouterr().err


def test_leftovers_of_a_killed_run_are_removed(options, undisturbed, tmp_path):
    job = tmp_path / "job"
    shutil.copytree(undisturbed / "pretraining", job)
    leftover = job / f".best_weights-{'0' * 32}.npz"
    leftover.write_bytes(b"half")
    assert pretraining.trainer.main([*options["pretraining"], "--job-dir", str(job), "--resume"]) == 0
    assert not leftover.exists()
    assert_same_job(job, undisturbed / "pretraining")

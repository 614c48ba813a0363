"""A teacher on a pretrained network, from the pretraining command to the scores: weights, resume, refusals."""

import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest

from distillation.problem import load_problem
from distillation.rdpd import run as run_module
from distillation.rdpd import trainer
from distillation.rdpd.pretrained_backbone import PretrainedBackbone
from distillation.rdpd.teacher import TASK, build_teacher
from pretraining import prepare
from pretraining import trainer as pretraining_trainer
from transplant.modules.classifier import build_classifier
from transplant.modules.segment_rnn import SegmentRnnSize
from transplant.signals.normalization import Normalization
from transplant.training.weights import named_variables, read_weights, save_weights

SMALL = ["--epochs", "2", "--batch-size", "16", "--filters", "4", "--hidden", "3", "--kernel", "8", "--stride", "8"]
RECORDS = 40


@pytest.fixture(autouse=True, scope="module")
def few_records():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("transplant.datasets.synthetic_leads.RECORDS", RECORDS)
        yield


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """A pretraining job of one step on one lead at the rate of the embedded leads."""
    folder = tmp_path_factory.mktemp("pretrained")
    recordings = ["--synthetic-patients", "10", "--synthetic-seconds", "30", "--workers", "1"]
    options = ["--source", "synthetic", "--rate", "100", "--out", str(folder / "store"), *recordings]
    assert prepare.main(options) == 0
    options = ["--task", "beat", "--train", str(folder / "store"), "--stages", "1", "--steps-per-epoch", "1"]
    options += ["--batch-size", "4", "--frame-size", "400", "--val-size", "4", "--job-dir", str(folder / "job")]
    assert pretraining_trainer.main(options) == 0
    return folder / "job"


def run(job, *options):
    return trainer.main(["--job-dir", str(job), "--val-size", "0.25", *SMALL, *options])


@pytest.fixture(scope="module")
def finished(pretrained, tmp_path_factory):
    job = tmp_path_factory.mktemp("rdpd") / "job"
    assert run(job, "--teacher-backbone", str(pretrained)) == 0
    return job


@pytest.fixture(scope="module")
def problem():
    args = trainer.build_parser().parse_args(["--dataset", "synthetic-leads", "--val-size", "0.25"])
    return load_problem(args, log=lambda line: None)


def described(problem, backbone):
    """Return the description of a teacher of these weights."""
    size = SegmentRnnSize(250)
    return backbone.describe(run_module._describe(problem, range(3), size, TASK, 1), size.segment)


def test_the_backbone_of_the_file_is_the_teachers(pretrained, problem):
    backbone = PretrainedBackbone.read(pretrained, problem.train, 0.5)
    description = described(problem, backbone)
    network = build_teacher(description, 1)
    fresh = {key: variable.numpy() for key, variable in named_variables(network).items()}
    lines = []
    backbone.transfer(network, description, lines.append)
    arrays = read_weights(pretrained / "backbone.npz").arrays
    after = named_variables(network)
    assert len(arrays) == 25 and lines[0].startswith("loaded 25 of 25 backbone tensors")
    assert all(np.array_equal(after[key], array) for key, array in arrays.items())
    assert not np.array_equal(fresh["stem_conv/kernel"], arrays["stem_conv/kernel"])
    others = after.keys() - arrays.keys()
    assert {"attention_scores/kernel", "head/kernel", "head/bias"} <= others
    assert all(np.array_equal(after[key], fresh[key]) for key in others)


def test_the_backbone_learns_at_its_own_rate(pretrained, problem):
    backbone = PretrainedBackbone.read(pretrained, problem.train, 0.25)
    description = described(problem, backbone)
    network, rate_of = build_teacher(description, 1), backbone.rate_of(description)
    rates = {variable.path: rate_of(variable.path) for variable in network.trainable_variables}
    own = {variable.path for variable in network.get_layer("backbone").trainable_variables}
    assert len(own) == 15 and len(rates) == 18
    assert rates == {path: (0.25 if path in own else 1.0, 0) for path in rates}


def test_a_job_has_the_teacher_and_says_what_it_was(finished, pretrained):
    weights = read_weights(finished / "teacher" / "best_weights.npz")
    description = weights.description
    assert (description.architecture, description.stages, description.task) == ("segment_attention", 1, "rdpd teacher")
    start = description.data["backbone"]
    assert {name: start[name] for name in ("architecture", "task", "weights")} == {
        "architecture": "resnet18",
        "task": "beat",
        "weights": str(pretrained / "backbone.npz"),
    }
    assert description.data["size"] == {"segment": 250} and description.leads == ("II", "V1", "V5")
    # It went on learning from there.
    before = read_weights(pretrained / "backbone.npz").arrays["stem_conv/kernel"]
    moved = np.abs(weights.arrays["stem_conv/kernel"] - before)
    assert 0 < moved.max() < 0.01
    with np.load(finished / "teacher_test_attention.npz") as file:
        attention = file["attention"]
    assert attention.shape == (RECORDS // 5, 4) and np.allclose(attention.sum(axis=1), 1)
    assert set(json.loads((finished / "metrics.json").read_text())) >= {"teacher", "student"}
    assert len(pd.read_csv(finished / "teacher" / "history.csv")) == 2


def test_the_student_leaves_the_teacher_as_it_is(finished, pretrained, tmp_path, monkeypatch):
    teachers, unchanged = [], []
    load, train = run_module.load_teacher, run_module.train

    def loaded(*arguments):
        teachers.append(load(*arguments))
        return teachers[-1]

    def watched(*arguments):
        before = teachers[0].network.get_weights()
        state = train(*arguments)
        unchanged.append(all(np.array_equal(*pair) for pair in zip(before, teachers[0].network.get_weights())))
        return state

    monkeypatch.setattr(run_module, "load_teacher", loaded)
    monkeypatch.setattr(run_module, "train", watched)
    # Neither the pretraining job nor anything but the finished one is asked for.
    other = shutil.copytree(finished, tmp_path / "other")
    monkeypatch.setattr(PretrainedBackbone, "read", None)
    assert run(tmp_path / "job", "--teacher", str(other)) == 0
    assert unchanged == [True]
    # The same teacher gives the same student.
    for name in ("history.csv", "teacher_test_predictions.csv", "student_test_predictions.csv"):
        assert (tmp_path / "job" / name).read_bytes() == (finished / name).read_bytes(), name


@pytest.mark.parametrize("moment", [1, pytest.param(3, marks=pytest.mark.slow)])  # in the teacher, in the student
def test_a_run_that_was_killed_ends_with_the_same_numbers(moment, finished, pretrained, tmp_path, killed_at):
    options = ["--teacher-backbone", str(pretrained)]
    with killed_at(moment):
        assert run(tmp_path / "job", *options) == 130
    assert run(tmp_path / "job", *options, "--resume") == 0
    for name in ("history.csv", "teacher/history.csv", "student_test_predictions.csv", "metrics.json"):
        assert (tmp_path / "job" / name).read_bytes() == (finished / name).read_bytes(), name
    ours, theirs = (read_weights(job / "teacher/best_weights.npz").arrays for job in (tmp_path / "job", finished))
    assert all(np.array_equal(ours[key], theirs[key]) for key in theirs)


def changed(file, path, **changes):
    """Write a weights file with another description."""
    weights = read_weights(file)
    model = build_classifier("resnet18", 4, stages=1).get_layer("backbone")
    for key, variable in named_variables(model).items():
        variable.assign(weights.arrays[key])
    save_weights(path, model, dataclasses.replace(weights.description, **changes))
    return path


def test_other_weights_do_not_go_on_with_a_job(finished, pretrained, tmp_path, capsys):
    job, file = shutil.copytree(finished, tmp_path / "job"), pretrained / "backbone.npz"
    whole = file.read_bytes()
    network = build_classifier("resnet18", 4, stages=1, seed=9).get_layer("backbone")
    try:
        save_weights(file, network, read_weights(file).description)
        assert run(job, "--teacher-backbone", str(pretrained), "--resume") == 2
    finally:
        file.write_bytes(whole)
    assert "a run goes on with the data it began with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sampling_rate_hz": 250.0}, "weights of 250 Hz, synthetic-leads of 100 Hz; pretrain at that rate"),
        ({"sampling_rate_hz": None}, "weights of no rate"),
        ({"leads": ("II", "V1")}, "sees one lead at a time. Received: weights of II, V1"),
        ({"architecture": "resnet18_2d"}, "one of resnet18, resnet34, resnet50. Received: resnet18_2d"),
        ({"architecture": "segment_attention"}, "Received: segment_attention"),
        ({"unit": "uV"}, "unit uV, this run mV"),
        ({"normalization": Normalization.none()}, "normalisation none, this run zscore"),
        ({"stages": 2}, "stage2_block1"),
    ],
)
def test_weights_that_cannot_serve_are_one_line(changes, message, pretrained, tmp_path, capsys):
    file = changed(pretrained / "backbone.npz", tmp_path / "backbone.npz", **changes)
    assert run(tmp_path / "job", "--teacher-backbone", str(file)) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and message in captured.err, captured.err
    assert not (tmp_path / "job").exists()


def test_segments_shorter_than_a_position_are_refused(pretrained, tmp_path, capsys):
    options = ["--segment", "2", "--kernel", "1", "--stride", "1"]
    assert run(tmp_path / "job", "--teacher-backbone", str(pretrained), *options) == 2
    assert "segments of 2 samples, positions of 4" in capsys.readouterr().err


def test_a_teacher_is_loaded_or_trained_not_both(pretrained, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        run(tmp_path / "job", "--teacher-backbone", str(pretrained), "--teacher", "other")
    assert end.value.code == 2 and "not allowed with argument" in capsys.readouterr().err


def test_a_note_says_where_the_weights_have_seen_the_same_data(pretrained, problem, tmp_path):
    file = changed(
        pretrained / "backbone.npz", tmp_path / "b.npz", task="finetuning", data={"name": "synthetic-leads synthetic"}
    )
    backbone = PretrainedBackbone.read(file, problem.train, 0.5)
    description = described(problem, backbone)
    lines = []
    backbone.transfer(build_teacher(description, 1), description, lines.append)
    assert "may have seen records of the test" in lines[-1]

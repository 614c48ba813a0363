"""The command from the embedded recordings to scores: files, exact resume, another job's teacher, one-line errors."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pandas as pd
import pytest
import scipy.special

from distillation.problem import load_problem
from distillation.rdpd import run as run_module
from distillation.rdpd import teacher as teacher_module
from distillation.rdpd import trainer
from distillation.rdpd.teacher import check_teacher, read_teacher
from distillation.rdpd.training import answers_by
from transplant.errors import TrainingError, WeightsError
from transplant.evaluation.predictions import read_predictions
from transplant.training.weights import read_weights

SMALL = ["--epochs", "2", "--batch-size", "16", "--filters", "4", "--hidden", "3", "--kernel", "8", "--stride", "8"]

pytestmark = pytest.mark.usefixtures("few_records")


def run(job, *options):
    return trainer.main(["--job-dir", str(job), *SMALL, *options])


@pytest.fixture(scope="module")
def finished(few_records, tmp_path_factory):
    job = tmp_path_factory.mktemp("rdpd") / "job"
    assert run(job) == 0
    return job


def test_a_job_has_teacher_and_student(finished):
    files = {path.name for path in finished.iterdir()}
    assert {"config.json", "history.csv", "best_weights.npz", "student.keras", "metrics.json", "teacher"} <= files
    assert {"learning_curves.png", "loss_terms.png"} <= files
    history = pd.read_csv(finished / "history.csv")
    assert {"loss", "hard", "soft", "soft_kl", "attention", "combined", "acc", "val_loss", "auc"} <= set(history)
    total = history[["hard", "soft", "attention", "combined"]].sum(axis=1)
    np.testing.assert_allclose(history["loss"], total, rtol=1e-4)
    metrics = json.loads((finished / "metrics.json").read_text())
    assert set(metrics["student"]["test"]) == {"roc_auc", "pr_auc", "macro_f1", "macro_f1_at_half"}
    for name in ("teacher", "student"):
        with np.load(finished / f"{name}_test_attention.npz") as file:
            attention = file["attention"]
        assert attention.shape == (16, 4) and np.allclose(attention.sum(axis=1), 1)


def test_the_kept_student_predicts_what_was_reported(finished):
    args = trainer.build_parser().parse_args(["--dataset", "synthetic-leads"])
    problem = load_problem(args, log=lambda line: None)
    model = keras.saving.load_model(finished / "student.keras")
    logits, _ = model.predict(problem.inputs("test")[..., :1], verbose=0)
    reported = read_predictions(finished / "student_test_predictions.csv")
    np.testing.assert_allclose(scipy.special.softmax(logits, axis=1), reported["y_prob"], atol=1e-5)


def test_no_epoch_of_the_student_asks_the_teacher(finished, tmp_path, monkeypatch):
    traced, asked, during, train = [], [], [], run_module.train
    call = keras.Model.__call__

    def called(self, *arguments, **options):
        traced.extend([1] if self.name == "teacher" else [])
        return call(self, *arguments, **options)

    def counting(model, batch_size):
        answer = answers_by(model, batch_size)

        def counted(x):
            asked.extend([len(x)] if model.name == "teacher" else [])
            return answer(x)

        return counted

    def watched(*arguments):
        before = len(traced), len(asked)
        state = train(*arguments)
        during.append((len(traced) - before[0], len(asked) - before[1]))
        return state

    monkeypatch.setattr(keras.Model, "__call__", called)
    for module in (run_module, teacher_module):
        monkeypatch.setattr(module, "answers_by", counting)
    monkeypatch.setattr(run_module, "train", watched)
    assert run(tmp_path / "job", "--teacher", str(finished)) == 0
    # It is asked once for the training records, and for the two parts of the report; no graph of training holds it.
    assert asked == [57, 7, 16] and during == [(0, 0)]
    # The same teacher gives the same student.
    histories = [pd.read_csv(folder / "history.csv") for folder in (finished, tmp_path / "job")]
    pd.testing.assert_frame_equal(*histories, check_exact=True)


def test_the_students_weights_say_what_it_sees(finished):
    student = read_weights(finished / "best_weights.npz").description
    teacher = read_weights(finished / "teacher" / "best_weights.npz").description
    assert student.leads == ("II",) and teacher.leads == ("II", "V1", "V5")
    assert student.normalization.mean == teacher.normalization.mean[:1] and len(teacher.normalization.std) == 3


def test_a_student_that_fails_leaves_the_teacher(tmp_path, monkeypatch, capsys):
    train = run_module.train

    def fail(*arguments):
        raise TrainingError("the loss must be a number")

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "train", fail)
        assert run(tmp_path / "job", "--epochs", "1") == 2
    assert (tmp_path / "job" / "teacher" / "best_weights.npz").is_file()
    assert train is run_module.train and run(tmp_path / "job", "--epochs", "1", "--resume") == 0


@pytest.mark.slow
@pytest.mark.parametrize("moment", [1, 3])  # in the teacher, in the student
def test_a_run_that_was_killed_ends_with_the_same_numbers(moment, finished, tmp_path, killed_at):
    with killed_at(moment):
        assert run(tmp_path / "job") == 130
    assert run(tmp_path / "job", "--resume") == 0
    for name in ("history.csv", "teacher/history.csv", "student_test_predictions.csv", "metrics.json"):
        assert (tmp_path / "job" / name).read_bytes() == (finished / name).read_bytes(), name


def test_half_written_outputs_of_the_teacher_are_made_again(finished, tmp_path):
    job = shutil.copytree(finished, tmp_path / "job")
    whole = (job / "teacher_outputs.npz").read_bytes()
    (job / "teacher_outputs.npz").write_bytes(whole[: len(whole) // 2])
    assert run(job, "--resume") == 0
    with np.load(job / "teacher_outputs.npz") as made, np.load(finished / "teacher_outputs.npz") as first:
        assert all(np.array_equal(made[name], first[name]) for name in ("logits", "attention", "stamp"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dataset", "synthetic-leads"], "Received: no --poor-leads"),
        (["--dataset", "synthetic-leads", "--poor-leads", "aVR"], "channels of the rich data, II, V1, V5"),
        (["--segment", "300"], "1000 samples and segments of 300; take 250"),
        (["--teacher", "nowhere"], "nowhere: a teacher is needed"),
        (["--dataset", "digits", "--poor-leads", "grey"], "signals or tables are needed"),
        (["--dataset", "synthetic-ecg", "--poor-leads", "ECG"], "Received: all 1; leave some out"),
    ],
)
def test_what_cannot_be_is_one_line(options, message, tmp_path, capsys):
    assert run(tmp_path / "job", *options) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and message in captured.err
    assert not (tmp_path / "job").exists()


def test_a_teacher_of_other_segments_is_refused(finished, tmp_path, capsys):
    assert run(tmp_path / "job", "--teacher", str(finished), "--segment", "500") == 2
    assert "segment of 250, not 500; leave the sizes out" in capsys.readouterr().err


def test_a_student_has_its_widths_from_the_teacher_that_is_given(finished, tmp_path, capsys):
    job = tmp_path / "job"
    assert trainer.main(["--job-dir", str(job), "--epochs", "1", "--teacher", str(finished)]) == 0
    size = read_weights(job / "best_weights.npz").description.data["size"]
    # A third of 4 filters and 3 units, 2 at least; what is given once is given for both.
    assert size == {"segment": 250, "filters": 2, "kernel": 8, "stride": 8, "hidden": 2, "convolutions": 1}
    # The student without a teacher that it is to be compared with is of the same size.
    flags = capsys.readouterr().out.partition("without --teacher, with ")[2].partition(", says")[0].split()
    assert trainer.main(["--job-dir", str(tmp_path / "direct"), "--epochs", "1", "--method", "direct", *flags]) == 0
    assert read_weights(tmp_path / "direct" / "best_weights.npz").description.data["size"] == size


def test_a_teacher_of_other_channels_is_told_so_whatever_its_segments_are(finished):
    weights = read_teacher(finished)
    problem = load_problem(trainer.build_parser().parse_args(["--dataset", "synthetic-leads"]), print)
    check_teacher(weights, problem)
    data = weights.description.data | {"fingerprint": "of another division"}
    for changes in ({"leads": ("HR", "MAP")}, {"classes": ("dead", "alive")}, {"input_length": 48}, {"data": data}):
        other = dataclasses.replace(weights, description=dataclasses.replace(weights.description, **changes))
        with pytest.raises(WeightsError, match="teacher and student see the same records alike"):
            check_teacher(other, problem)


def test_a_teacher_of_other_records_is_refused(finished, tmp_path, capsys):
    assert run(tmp_path / "job", "--teacher", str(finished), "--rich-share", "0.5") == 2
    assert "Received: records with all channels all, not" in capsys.readouterr().err


def test_a_teacher_of_another_division_may_have_seen_the_test(finished, tmp_path, capsys):
    assert run(tmp_path / "job", "--teacher", str(finished), "--split-seed", "2") == 2
    assert "Received: training records" in capsys.readouterr().err


def test_students_of_several_seeds_have_one_teacher_of_some_records(tmp_path, capsys):
    assert run(tmp_path / "one", "--rich-share", "0.5", "--seed", "1") == 0
    teacher = ["--teacher", str(tmp_path / "one")]
    assert run(tmp_path / "two", *teacher, "--rich-share", "0.5", "--seed", "2") == 0
    assert run(tmp_path / "three", *teacher, "--rich-share", "0.6") == 2
    assert "give the --rich-share of its job" in capsys.readouterr().err


def test_a_student_is_no_teacher(finished, tmp_path, capsys):
    assert run(tmp_path / "job", "--teacher", str(finished / "best_weights.npz")) == 2
    assert "Received: those of rdpd student" in capsys.readouterr().err


def test_a_temperature_of_zero_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path / "job", "--temperature", "0")
    assert "must be above 0, not 0" in capsys.readouterr().err

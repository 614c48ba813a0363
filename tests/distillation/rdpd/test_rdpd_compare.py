"""The comparison from the embedded recordings to its report: same runs as the trainer's, kept runs, shared teachers."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from distillation.rdpd import compare, comparison, trainer
from distillation.rdpd.comparison_statistics import Outcome, SplitDifferences
from distillation.rdpd.results import read_answers
from distillation.rdpd.scores import rdpd_scores
from transplant.training.weights import read_weights

SMALL = ["--epochs", "2", "--batch-size", "16", "--filters", "4", "--hidden", "3", "--kernel", "8", "--stride", "8"]
SMALL += ["--learning-rate", ".03", "--segment", "500"]

pytestmark = pytest.mark.usefixtures("few_records", "no_curves")


def run(job, *options):
    return compare.main(["--job-dir", str(job), *SMALL, *options])


@pytest.fixture(scope="module")
def no_curves():
    """Leave out the figures of single runs, which tests of the trainer look at."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("plot_learning_curves", "plot_terms"):
            patch.setattr(f"distillation.rdpd.training.{name}", lambda *arguments: None)
        yield


@pytest.fixture(scope="module")
def finished(few_records, no_curves, tmp_path_factory):
    job = tmp_path_factory.mktemp("compare") / "job"
    assert run(job, "--methods", "direct", "kd", "rdpd", "--noise", "0", "1", "--seeds", "1", "2") == 0
    return job


def report_of(job):
    return json.loads((job / "comparison.json").read_text())


def test_its_runs_are_those_of_the_trainer(finished, tmp_path, capsys):
    assert trainer.main(["--job-dir", str(tmp_path / "job"), *SMALL, "--seed", "2", "--noise", "1"]) == 0
    of_comparison = finished / "students" / "II" / "rdpd-noise1-T5-T5-rich1" / "seed_2"
    for name in ("history.csv", "student_test_predictions.csv"):
        assert (of_comparison / name).read_bytes() == (tmp_path / "job" / name).read_bytes()
    teachers = [finished / "teachers" / "T5-rich1" / "seed_2", tmp_path / "job"]
    histories = [pd.read_csv(folder / "teacher" / "history.csv") for folder in teachers]
    pd.testing.assert_frame_equal(*histories, check_exact=True)
    assert run(tmp_path / "job", "--seeds", "2") == 2
    assert "job of distillation.rdpd.trainer, not of distillation.rdpd.compare" in capsys.readouterr().err


def test_the_table_has_what_the_runs_scored(finished):
    rows = {(row["name"], row["noise"]): row for row in report_of(finished)["rows"]}
    assert set(rows) == {("teacher, T = 5, rich 100%", None)} | {
        (f"{method}, noise {noise}", noise) for method in ("direct", "kd", "rdpd") for noise in (0, 1)
    }
    row = rows["kd, noise 1", 1]
    folders = [finished / "students" / "II" / "kd-noise1-T5-T5-rich1" / f"seed_{seed}" for seed in (1, 2)]
    found = []
    for folder in folders:
        table = pd.read_csv(folder / "student_test_predictions.csv")
        truth = table.filter(like="true_").to_numpy().argmax(axis=1)
        found.append(rdpd_scores(truth, table.filter(like="prob_").to_numpy()))
    for name in found[0]:
        values = [scores[name] for scores in found]
        assert row["scores"][name]["mean"] == pytest.approx(np.mean(values))
        assert row["scores"][name]["std"] == pytest.approx(np.std(values, ddof=1))
    teachers = [finished / "teachers" / "T5-rich1" / f"seed_{seed}" for seed in (1, 2)]
    kl = [
        stats.entropy(read_answers(folder, "student").attention.T, read_answers(teacher, "teacher").attention.T).mean()
        for folder, teacher in zip(folders, teachers)
    ]
    assert row["agreement"]["kl"]["mean"] == pytest.approx(np.mean(kl), rel=1e-4)  # attention adds up to 1 in float32


def test_differences_are_to_the_methods_of_the_same_noise(finished):
    rows = report_of(finished)["rows"]
    scores = {(row["method"], row["noise"]): row["scores"]["roc_auc"]["mean"] for row in rows}
    for row in rows:
        references = {"rdpd": ["direct", "kd"], "kd": ["direct"]}.get(row["method"], [])
        assert list(row["differences"]) == references
        for reference in references:
            found = row["differences"][reference]["roc_auc"]
            less = scores[row["method"], row["noise"]] - scores[reference, row["noise"]]
            assert found["difference"] == pytest.approx(less) and found["low"] < found["high"]


def test_files_of_the_report(finished):
    files = {path.name for path in finished.iterdir() if path.is_file()}
    assert {"comparison.md", "comparison.json", "differences.png", "sweep_noise_II.png", "case_II_1.png"} <= files
    page = (finished / "comparison.md").read_text()
    assert "| II | rdpd, noise 1 | kd |" in page and "![sweep_noise_II.png]" in page and "## Complexity" in page
    assert "not evidence" in page and "seeds 1, 2; epochs 2, patience 50, batch size 16" in page
    assert "of students: temperature T 5; share of rich records 1; noise amplitude 0, 1;" in page
    assert "mean and standard deviation over seeds" in page and "may be wider than scores can differ" in page
    assert set(report_of(finished)["complexity"]) == {"teacher", "student, II"}


@pytest.mark.slow
def test_finished_runs_are_kept_and_new_ones_join_them(finished, monkeypatch, capsys):
    done, make_student = [], comparison.make_student

    def noted(args, *rest):
        done.append(args.method)
        return make_student(args, *rest)

    monkeypatch.setattr(comparison, "make_student", noted)
    before = report_of(finished)
    options = ["--noise", "0", "1", "--seeds", "1", "2", "--methods", "direct", "kd", "rdpd-r1", "rdpd"]
    assert run(finished, *options) == 0
    assert done == ["rdpd-r1"] * 4
    after = report_of(finished)
    assert [row for row in after["rows"] if row["method"] != "rdpd-r1"] == before["rows"]
    assert json.loads((finished / "config.json").read_text())["options"]["methods"] == options[-4:]
    assert run(finished, "--epochs", "3") == 2
    assert "epochs 2 (now 3)" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_that_was_interrupted_goes_on(finished, tmp_path, killed_at):
    options = ["--methods", "rdpd", "--seeds", "1", "--cases", "0"]
    with killed_at(3):  # in the first student, after its teacher
        assert run(tmp_path / "job", *options) == 130
    assert run(tmp_path / "job", *options) == 0
    name = "students/II/rdpd-noise0-T5-T5-rich1/seed_1/student_test_predictions.csv"
    assert (tmp_path / "job" / name).read_bytes() == (finished / name).read_bytes()


def test_few_rich_records_and_a_division_for_each_seed(tmp_path):
    options = ["--methods", "direct", "kd", "--rich-share", ".4", "--split-per-seed", "--seeds", "1", "2"]
    assert run(tmp_path / "job", *options, "--cases", "0") == 0
    report = report_of(tmp_path / "job")
    assert "divisions of the patients" in report["intervals"]
    assert {"roc_auc", "pr_auc", "macro_f1"} == set(report["rows"][-1]["differences"]["direct"])
    folders = [tmp_path / "job" / "students" / "II" / "direct-noise0" / f"seed_{seed}" for seed in (1, 2)]
    tested = [set(read_answers(folder, "student").record_ids) for folder in folders]
    assert tested[0] != tested[1]
    teacher = tmp_path / "job" / "teachers" / "T5-rich0.4" / "seed_1"
    with np.load(teacher / "teacher_outputs.npz") as file:
        n_rich = len(file["logits"])
    (student,) = (tmp_path / "job" / "students" / "II").glob("kd-*")
    sizes = read_weights(student / "seed_1" / "best_weights.npz").description
    assert sizes.leads == ("II",) and 0.3 < n_rich / 57 < 0.5  # of 80, 16 to test and 7 to validate


def test_scores_that_are_nowhere_defined_have_no_interval():
    outcomes = [Outcome([{"roc_auc": None, "pr_auc": pr_auc, "macro_f1": 0.2}] * 2, []) for pr_auc in (0.5, 0.6)]

    class Part:
        group_ids = np.array(["a", "b"])

    class Divided:
        train = test = Part

    found = SplitDifferences([Divided, Divided], "group").between(None, outcomes[1], None, outcomes[0])
    assert set(found) == {"pr_auc", "macro_f1"} and found["pr_auc"]["difference"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seeds", "1", "1"], "give each seed once"),
        (["--temperature", "2", "2"], "--temperature names each once"),
        (["--poor-leads", "aVR"], "channels of the rich data, II, V1, V5"),
        (["--dataset", "synthetic-leads"], "Received: no --poor-leads"),
        (["--segment", "300"], "1000 samples and segments of 300; take 250"),
    ],
)
def test_one_line_says_what_is_wrong(options, message, tmp_path, capsys):
    assert run(tmp_path / "job", *options) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "job").exists()

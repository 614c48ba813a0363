"""Judging a distilled file: what the command writes, and what it refuses before anything is trained."""

import argparse
import dataclasses
import json

import numpy as np
import pytest
from labelled_sets import grouped_set, hourly_set
from made_problems import divided, made_set

from distillation import problem as problem_module
from distillation.condensation import evaluate, trainer
from distillation.condensation.comparison import Comparison
from distillation.data_options import data_options
from transplant.training.splits import stratified_split

QUICK = ["--classifiers", "none", "--no-whole", "--arch", "logistic", "--networks", "2", "--epochs", "2"]


def saved(folder, **parts):
    """Write labelled sets; return the flags that name them."""
    flags = []
    for name, data in parts.items():
        data.save(folder / f"{name}.npz")
        flags += [f"--{name}", str(folder / f"{name}.npz")]
    return flags


def recorded(flags):
    """Return the data options that a distillation with these flags leaves in its file."""
    return data_options(trainer.parse(flags))


@pytest.fixture
def judged(tmp_path):
    """A distilled set of three classes in a job folder, and the files of its real records: (set, folder)."""
    train, val, test = divided(grouped_set(), 30, 15, 15)
    flags = saved(tmp_path, train=train, val=val, test=test)
    made = made_set(train, 2, provenance={"data": recorded(flags)})
    (tmp_path / "job").mkdir()
    made.save(tmp_path / "job" / "distilled.npz")
    return made, tmp_path / "job"


def judge(job, *options):
    return evaluate.main(["--distilled", str(job), *QUICK, *options])


def report_of(job):
    return json.loads((job / "evaluation.json").read_text()), (job / "evaluation.md").read_text()


def refused(capsys, status):
    """Return the one line on stderr of a command that ended so."""
    error = capsys.readouterr().err
    assert status == 2 and error.count("\n") == 1 and error.endswith("\n") and error.startswith("error: ")
    return error


@pytest.fixture
def untrained(monkeypatch):
    """Fail where a learner is trained."""

    def train(*_):
        raise AssertionError("something was trained")

    for name in ("network_rows", "own_steps_row", "classifier_rows"):
        monkeypatch.setattr(Comparison, name, train)


def test_a_file_is_judged_alone_and_its_reports_are_beside_it(judged, capsys):
    made, job = judged
    assert judge(job / "distilled.npz") == 0
    captured = capsys.readouterr()
    values, page = report_of(job)
    assert sorted(path.name for path in job.iterdir()) == ["distilled.npz", "evaluation.json", "evaluation.md"]
    assert values["warnings"] == [] and values["test"] == {"a": 5, "b": 5, "c": 5}
    assert values["provenance"] == json.loads(json.dumps(made.provenance))
    rows = values["summaries"]["natural test set"]
    assert [(row["learner"], row["trained_on"], row["networks"]) for row in rows] == [
        ("logistic", "distilled", 2), ("logistic", "random", 2),
    ]  # fmt: skip
    for name in ("accuracy", "macro_f1", "roc_auc", "pr_auc"):
        own, of_random, above = rows[0][name], rows[1][name]["mean"], rows[0][name]["above"]["random"]
        assert above["difference"] == pytest.approx(own["mean"] - of_random) and above["low"] <= above["high"]
        assert own["interval"]["low"] <= own["mean"] <= own["interval"]["high"]
    assert "6 examples against 30; 15 test records" in page and "2 epochs on small sets, not augmented" in page
    for line in page.strip("`\n").splitlines():
        assert line in captured.out


def test_the_same_seed_gives_the_same_report_and_another_seed_another(judged):
    _, job = judged
    found = []
    for seed in ("3", "3", "4"):
        assert judge(job, "--seed", seed) == 0
        found.append(report_of(job)[0]["summaries"])
    assert found[0] == found[1] != found[2]


def test_the_rarest_class_is_told_of_in_the_report(tmp_path, capsys):
    train, val, test = divided(grouped_set(), 30, 15, 15)
    train = train.select(np.setdiff1d(np.arange(30), np.flatnonzero(train.y == 2)[3:]))
    made = made_set(train, 5, provenance={"data": recorded(saved(tmp_path, train=train, val=val, test=test))})
    made.save(tmp_path / "distilled.npz")
    assert judge(tmp_path) == 0
    values, page = report_of(tmp_path)
    (line,) = values["warnings"]
    assert line.startswith("the rarest class has 3 real examples: random sets have as many of each, not 5")
    assert page.splitlines().count(line) == capsys.readouterr().out.splitlines().count(line) == 1


def test_records_that_the_set_was_not_distilled_from_are_told_of_in_the_report(judged, tmp_path):
    made, job = judged
    others = saved(tmp_path, train=grouped_set(seed=9).select(np.arange(30)))
    assert judge(job, *others, "--val", made.provenance["data"]["val"], "--test", made.provenance["data"]["test"]) == 0
    values, page = report_of(job)
    assert values["warnings"] == [
        "these are not the very records that the set was distilled from: the test may hold some of those"
    ]
    assert values["warnings"][0] in page


def test_the_same_records_in_another_place_are_the_same_records(judged, tmp_path):
    _, job = judged
    (tmp_path / "moved").mkdir()
    flags = []
    for name in ("train", "val", "test"):
        (tmp_path / f"{name}.npz").rename(tmp_path / "moved" / f"{name}.npz")
        flags += [f"--{name}", str(tmp_path / "moved" / f"{name}.npz")]
    assert judge(job, *flags) == 0 and report_of(job)[0]["warnings"] == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": np.zeros((6, 10, 1))}, "the same input_shape. Received: (10, 1), and (20, 1) of the records"),
        ({"leads": ("ECG",)}, "the same leads. Received: ('ECG',), and ('EEG',) of the records"),
        ({"unit": "mV"}, "the same unit. Received: mV, and uV of the records"),
        ({"sampling_rate_hz": 250.0}, "the same sampling_rate_hz. Received: 250.0, and 100.0 of the records"),
        ({"sampling_rate_hz": None}, "the same sampling_rate_hz. Received: None, and 100.0 of the records"),
        ({"classes": ("a", "b", "d")}, "the same classes. Received: ('a', 'b', 'd'), and ('a', 'b', 'c')"),
    ],
)
def test_examples_of_another_kind_than_the_records_are_one_line(changes, message, judged, untrained, capsys):
    made, job = judged
    dataclasses.replace(made, **changes).save(job / "distilled.npz")
    assert message in refused(capsys, judge(job))
    assert not (job / "evaluation.json").exists()


def test_columns_of_codes_that_are_none_in_the_records_are_one_line(tmp_path, untrained, capsys):
    data = hourly_set(60)
    train, val, test = divided(data, 30, 15, 15)
    made = made_set(train, provenance={"data": recorded(saved(tmp_path, train=train, val=val, test=test))})
    dataclasses.replace(made, indicators=("mask->HR",)).save(tmp_path / "distilled.npz")
    assert "the same indicators. Received: ('mask->HR',), and" in refused(capsys, judge(tmp_path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--arch", "logistic", "lenet"], "lenet does not fit the records"),
        (["--arch", "mlp3", "logistic", "convnet3", "lenet"], "lenet does not fit the records"),
        (["--width", "8"], "--width is for convnet1, convnet2, convnet3. Received: logistic"),
        (["--dataset", "mnist"], "Received: no --source"),
        (["--dataset", "digits", "--target", "los"], "--target is for --dataset"),
        (["--train", "none.npz"], "--train goes with --test. Received: no --test"),
    ],
)
def test_options_that_cannot_be_are_one_line(options, message, judged, untrained, capsys):
    assert message in refused(capsys, judge(judged[1], *options))


def test_a_network_that_does_not_fit_is_refused_before_the_records_are_read(judged, monkeypatch, capsys):
    def read(*_, **__):
        raise AssertionError("records were read")

    monkeypatch.setattr(problem_module, "load_problem", read)
    assert "lenet does not fit" in refused(capsys, judge(judged[1], "--arch", "logistic", "lenet"))


@pytest.mark.parametrize(
    "name", ["method", "dataset", "label_version", "arch", "width", "options", "data", "fingerprints"]
)
def test_a_set_that_does_not_say_what_it_is_made_from_and_for_is_one_line(name, judged, untrained, capsys):
    made, job = judged
    provenance = {key: value for key, value in made.provenance.items() if key != name}
    dataclasses.replace(made, provenance=provenance).save(job / "distilled.npz")
    assert f"Received: no {name} in its provenance" in refused(capsys, judge(job))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": None}, "Received: no options in its provenance"),
        ({"data": []}, "Received: no data in its provenance"),
        ({"arch": None}, "Received: no network that is known here, but None"),
        ({"label_version": "v9"}, "the same label_version. Received: v9"),
    ],
)
def test_a_provenance_that_says_something_else_is_one_line(changes, message, judged, untrained, capsys):
    made, job = judged
    dataclasses.replace(made, provenance=made.provenance | changes).save(job / "distilled.npz")
    assert message in refused(capsys, judge(job))


def test_values_that_their_writer_standardised_are_no_raw_records(judged, untrained, capsys):
    made, job = judged
    by_writer = dataclasses.replace(made.normalization, source="file")
    dataclasses.replace(made, normalization=by_writer).save(job / "distilled.npz")
    assert "the same is_standardised. Received: True, and False of the records" in refused(capsys, judge(job))


def test_classes_with_more_examples_than_others_are_one_line(judged, untrained, capsys):
    made, job = judged
    dataclasses.replace(made, y=[0, 0, 0, 1, 1, 2]).save(job / "distilled.npz")
    assert "as many examples of each class. Received: 1 to 3" in refused(capsys, judge(job))


def test_the_report_says_which_records_were_read(tmp_path, divisions):
    data = grouped_set()
    train, test = divided(data, 45, 15)
    flags = [*saved(tmp_path, train=train, test=test), "--split", "random", "--split-seed", "7"]
    made_set(train, 2, provenance={"data": recorded(flags)}).save(tmp_path / "distilled.npz")
    assert judge(tmp_path) == 0
    values, (parts,) = report_of(tmp_path)[0], divisions
    assert (values["options"]["split"], values["options"]["split_seed"]) == ("random", 7)
    assert values["options"]["train"] == flags[1] and "keras" in values["versions"]
    assert values["fingerprints"]["validation"] == parts.validation.fingerprint()


def test_a_set_of_own_steps_that_does_not_say_their_first_weights_is_one_line(judged, untrained, capsys):
    made, job = judged
    options = {name: value for name, value in made.provenance["options"].items() if name != "scheme"}
    provenance = made.provenance | {"options": options}
    dataclasses.replace(made, rates=[0.1], provenance=provenance).save(job / "distilled.npz")
    assert "Received: no scheme in its provenance" in refused(capsys, judge(job))


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.97])
def test_a_half_written_file_is_one_line(share, judged, untrained, capsys):
    _, job = judged
    whole = (job / "distilled.npz").read_bytes()
    (job / "distilled.npz").write_bytes(whole[: int(share * len(whole))])
    assert "distilled.npz: a distilled set (.npz) is needed. Received: " in refused(capsys, judge(job))


def test_files_that_are_gone_are_one_line(judged, untrained, capsys):
    _, job = judged
    (job.parent / "test.npz").unlink()
    assert "test.npz: a labelled set is needed. Received: No such file" in refused(capsys, judge(job))
    assert "no such file; make one with" in refused(capsys, judge(job.parent / "none"))


def test_a_balanced_test_set_without_a_class_is_one_line(judged, untrained, tmp_path, capsys):
    _, job = judged
    test = divided(grouped_set(), 30, 15, 15)[2]
    saved(tmp_path, test=test.select(test.y != 1))
    assert "Received: none of b" in refused(capsys, judge(job, "--balanced"))


def test_records_of_one_patient_in_two_parts_are_one_line(judged, untrained, tmp_path, capsys):
    _, job = judged
    train, _, test = divided(grouped_set(), 30, 15, 15)
    saved(tmp_path, test=dataclasses.replace(test, group_ids=[train.group_ids[0], *test.group_ids[1:]]))
    assert "a patient must not be in both training and test. Received: 1" in refused(capsys, judge(job))


@pytest.fixture
def divisions(monkeypatch):
    """The `Problem`s that were read."""
    found, load = [], problem_module.load_problem

    def load_and_keep(*arguments, **named):
        found.append(load(*arguments, **named))
        return found[-1]

    monkeypatch.setattr(problem_module, "load_problem", load_and_keep)
    return found


def test_real_records_are_standardised_as_the_examples_were(judged, divisions):
    made, job = judged
    own = dataclasses.replace(made.normalization, mean=(2.0,), std=(4.0,))
    dataclasses.replace(made, normalization=own).save(job / "distilled.npz")
    assert judge(job) == 0
    (parts,) = divisions
    assert parts.normalization == own
    np.testing.assert_allclose(parts.inputs("test"), (parts.test.x - 2) / 4, rtol=1e-5)


def test_a_division_by_patient_that_is_asked_for_takes_the_place_of_a_random_one(tmp_path, divisions):
    data = grouped_set()
    train, test = divided(data, 45, 15)
    flags = saved(tmp_path, train=train, test=test)
    rest, _ = stratified_split(train.y, train.record_ids, 0.1, 2024)
    provenance = {
        "data": recorded([*flags, "--split", "random"]),
        "fingerprints": {"train": train.select(rest).fingerprint()},
    }
    made_set(train, 2, provenance=provenance).save(tmp_path / "distilled.npz")
    # Without the option as it was distilled; group is the default, and counts as it is given.
    for options, by_patient in (([], False), (["--split", "group"], True)):
        assert judge(tmp_path, *options) == 0
        parts = divisions[-1]
        shared = set(parts.train.group_ids) & set(parts.validation.group_ids)
        assert bool(shared) != by_patient
        assert bool(report_of(tmp_path)[0]["warnings"]) == by_patient
    assert np.array_equal(divisions[0].train.record_ids, train.select(rest).record_ids)


@pytest.mark.parametrize(
    ("was", "options"), [(["--split-seed", "7"], ["--split-seed", "2024"]), (["--val-size", "0.4"], ["--val-size=0.1"])]
)
def test_a_division_is_the_recorded_one_unless_its_default_is_given(was, options, tmp_path, divisions):
    data = hourly_set(100)
    train, test = divided(data, 80, 20)
    flags = saved(tmp_path, train=train, test=test)
    made_set(train, 2, provenance={"data": recorded([*flags, *was])}).save(tmp_path / "distilled.npz")
    expected = [
        problem_module.load_problem(argparse.Namespace(**recorded([*flags, *words]))).train.record_ids.tolist()
        for words in (was, options)
    ]
    assert expected[0] != expected[1]
    for words, records in zip(([], options), expected):
        assert judge(tmp_path, *words) == 0
        assert divisions[-1].train.record_ids.tolist() == records

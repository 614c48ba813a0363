"""The parts of a distillation: what is refused because they are of different kinds, or share what they must not."""

import argparse
import dataclasses

import numpy as np
import pytest
from labelled_sets import grouped_set, hourly_set
from made_problems import divided, normalization_by_hand

from distillation.condensation import trainer
from distillation.data_options import data_options
from distillation.problem import load_problem
from transplant.errors import DataError, OptionError, SplitError
from transplant.signals.normalization import Normalization
from transplant.training.parts import check_parts


def options(*flags):
    return argparse.Namespace(**data_options(trainer.parse(flags)))


def three_parts():
    """Return dict of 30 records to learn from, 15 for validation and 15 for the test, by their flags' names."""
    return dict(zip(NAMES, divided(grouped_set(), 30, 15, 15)))


def load(folder, *flags, **parts):
    """Write the parts as files and load them as a problem; return it and what was said."""
    lines = []
    for name, data in parts.items():
        data.save(folder / f"{name}.npz")
        flags = [*flags, f"--{name}", str(folder / f"{name}.npz")]
    return load_problem(options(*flags), lines.append), lines


NAMES = {"train": "training", "val": "validation", "test": "test"}  # of flags -> of parts
BY_WRITER = Normalization("zscore", "file", (0.0,), (1.0,))
KINDS = [
    ({"leads": ("ECG",)}, "leads", "('EEG',)", "('ECG',)"),
    ({"unit": "mV"}, "unit", "uV", "mV"),
    ({"sampling_rate_hz": 250.0}, "sampling_rate_hz", "100.0", "250.0"),
    ({"sampling_rate_hz": None}, "sampling_rate_hz", "100.0", "None"),
    ({"label_version": "v2"}, "label_version", "v1", "v2"),
    ({"classes": ("a", "c", "b")}, "classes", "('a', 'b', 'c')", "('a', 'c', 'b')"),
    ({"x": np.zeros((15, 9, 1)), "lengths": np.full(15, 9)}, "input_shape", "(20, 1)", "(9, 1)"),
    ({"indicators": ("EEG",)}, "indicators", "()", "('EEG',)"),
    ({"normalization": BY_WRITER}, "is_standardised", "False", "True"),
]


@pytest.mark.parametrize("split", ["group", "random"])
@pytest.mark.parametrize("part", ["val", "test"])
@pytest.mark.parametrize(("changes", "what", "here", "there"), KINDS, ids=[f"{kind[1]}-{kind[3]}" for kind in KINDS])
def test_a_part_of_another_kind_is_refused_with_what_differs(changes, what, here, there, part, split, tmp_path):
    train, val, test = divided(grouped_set(), 30, 15, 15)
    parts = {"train": train, "val": val, "test": test}
    load(tmp_path, "--split", split, **parts)
    parts[part] = dataclasses.replace(parts[part], dataset="others", **changes)
    with pytest.raises(DataError) as refused:
        load(tmp_path, "--split", split, **parts)
    assert f"have the same {what}. Received: {here} for training and {there} in the {NAMES[part]} set others" in str(
        refused.value
    )


def test_training_records_that_their_writer_standardised_go_with_others_of_that_kind_alone(tmp_path):
    parts = three_parts()
    standardised = {name: dataclasses.replace(data, normalization=BY_WRITER) for name, data in parts.items()}
    with pytest.raises(DataError, match=r"same is_standardised\. Received: True for training and False in the test"):
        load(tmp_path, **standardised | {"test": parts["test"]})
    problem, _ = load(tmp_path, **standardised)
    assert problem.normalization == BY_WRITER
    np.testing.assert_array_equal(problem.inputs("test"), parts["test"].x)


@pytest.mark.parametrize(("first", "second"), [("train", "val"), ("train", "test"), ("val", "test")])
def test_a_record_in_two_parts_is_refused_though_the_split_is_random(first, second, tmp_path):
    parts = three_parts()
    ids = parts[second].record_ids.copy()
    ids[4] = parts[first].record_ids[2]
    parts[second] = dataclasses.replace(parts[second], record_ids=ids)
    message = rf"a record must not be in both {NAMES[first]} and {NAMES[second]}\. Received: 1 in both \({ids[4]}\)"
    for split in ("random", "group"):
        with pytest.raises(SplitError, match=message):
            load(tmp_path, "--split", split, **parts)


@pytest.mark.parametrize(("first", "second"), [("train", "val"), ("train", "test"), ("val", "test")])
def test_a_patient_in_two_parts_is_refused_unless_the_split_is_random_which_is_warned_of(first, second, tmp_path):
    parts = three_parts()
    groups = parts[second].group_ids.copy()
    groups[:2] = parts[first].group_ids[2]
    parts[second] = dataclasses.replace(parts[second], group_ids=groups)
    message = rf"a patient must not be in both {NAMES[first]} and {NAMES[second]}\. Received: 1 in both \({groups[0]}\)"
    for split in ("group", "published"):
        with pytest.raises(SplitError, match=message):
            load(tmp_path, "--split", split, **parts)
    _, lines = load(tmp_path, "--split", "random", **parts)
    # Beside training records: what validation and test share says nothing of what was learned.
    assert any("put 2 of 30 held-out records" in line for line in lines) == (first == "train")


def test_parts_are_checked_against_each_other_and_not_with_training_alone():
    train, val, test = divided(grouped_set(), 30, 15, 15)
    check_parts({"training": train, "validation": val, "test": test}, "group")
    with pytest.raises(SplitError, match="a patient must not be in both validation and test"):
        check_parts({"training": train, "validation": test, "test": test}, "published")
    with pytest.raises(SplitError, match="a record must not be in both validation and test"):
        check_parts({"training": train, "validation": test, "test": test}, "random")


def test_validation_is_taken_from_the_training_records_by_patient_or_at_random(tmp_path):
    train, test = divided(grouped_set(), 45, 15)
    for split, of_groups in (("group", True), ("random", False)):
        problem, lines = load(tmp_path, "--split", split, "--val-size", "0.34", train=train, test=test)
        kept, taken = problem.train, problem.validation
        assert sorted([*kept.record_ids, *taken.record_ids]) == sorted(train.record_ids)
        assert len(taken) == (15 if of_groups else 16)
        assert (not set(kept.group_ids) & set(taken.group_ids)) == of_groups
        assert set(np.bincount(taken.y)) <= ({5} if of_groups else {5, 6})
        assert problem.test.record_ids.tolist() == test.record_ids.tolist()
        assert f"records: {len(kept)} to learn from, {len(taken)} for validation, 15 for the test" in lines


@pytest.mark.parametrize("data", [grouped_set(), hourly_set(60)])
def test_all_parts_are_standardised_by_the_training_part(data, tmp_path):
    train, val, test = divided(data, 30, 15, 15)
    problem, _ = load(tmp_path, train=train, val=val, test=test)
    by_hand = normalization_by_hand(train)
    assert problem.normalization.source == "train"
    np.testing.assert_allclose(problem.normalization.mean, by_hand.mean, rtol=1e-5)
    np.testing.assert_allclose(problem.normalization.std, by_hand.std, rtol=1e-5)
    for name, part in (("train", train), ("validation", val), ("test", test)):
        expected = (part.x - np.array(by_hand.mean)) / np.array(by_hand.std)
        np.testing.assert_allclose(problem.inputs(name), expected, atol=1e-4)
        assert problem.inputs(name) is problem.inputs(name)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--train", "a.npz", "--test", "b.npz", "--dataset", "digits"], "leave one of them out"),
        (["--train", "a.npz"], "Received: no --test"),
        (["--dataset", "digits", "--test", "b.npz"], "Received: no --train"),
        (["--dataset", "digits", "--val", "b.npz"], "Received: no --train"),
        (["--dataset", "digits", "--test-size", "0"], "Received: --test-size 0"),
    ],
)
def test_files_and_data_sets_that_contradict_each_other_are_refused(flags, message):
    with pytest.raises(OptionError, match=message):
        load_problem(options(*flags), lambda line: None)

"""Which real data a distilled set is judged on: those it was distilled from, with what is given above them."""

import types

import pytest

from distillation.condensation import evaluate, trainer
from distillation.data_options import data_options, given_data_options
from transplant.errors import OptionError


def options_for(given, *recorded):
    """Return the data options of an evaluation with some flags, of a set that was distilled with others."""
    argv = ["--distilled", "J", "--arch", "mlp3", "convnet1", "--seed", "9", *given]
    args = evaluate.build_parser().parse_args(argv)
    origin = types.SimpleNamespace(provenance={"data": data_options(trainer.parse([*recorded]))})
    return evaluate._with_data_options(args, given_data_options(argv), origin)


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        ([], {}),
        (["--seed", "3", "--networks", "2", "--arch", "mlp3", "cnn", "--balanced"], {}),
        (["--split", "group"], {"split": "group"}),
        (["--split-seed", "2024"], {"split_seed": 2024}),
        (["--split-seed=2024"], {"split_seed": 2024}),
        (["--val-size", "0.1", "--arch", "mlp3"], {"val_size": 0.1}),
        (["--test-size", "0.25"], {"test_size": 0.25}),
        (["--test-size", "20"], {"test_size": 20}),
        (["--no-masks"], {"masks": False}),
        (["--masks"], {"masks": True}),
        (["--windows"], {"windows": True}),
        (["--no-windows"], {"windows": False}),
        (["--check-leakage", "--skip-bad"], {"check_leakage": True, "skip_bad": True}),
        (["--arch", "mlp3", "cnn", "--dataset", "digits", "--whole"], {"dataset": "digits"}),
        (["--train", "a.npz", "--test", "b.npz", "--seed", "2"], {"train": "a.npz", "test": "b.npz"}),
    ],
)
def test_what_a_command_line_gives_counts_as_given_and_nothing_else(argv, found):
    assert given_data_options(argv) == found


def test_the_process_own_command_line_is_read_if_no_other_is_given(monkeypatch):
    monkeypatch.setattr("sys.argv", ["evaluate", "--distilled", "J", "--split", "group"])
    assert given_data_options() == {"split": "group"}


def test_the_data_are_read_as_they_were_for_the_distillation():
    recorded = ["--dataset", "synthetic", "--records-count", "50", "--split", "random", "--split-seed", "7"]
    recorded += ["--val-size", "0.3", "--test-size", "0.4", "--length", "900", "--windows", "--skip-bad"]
    found = vars(options_for([], *recorded))
    expected = data_options(trainer.parse(recorded))
    assert {name: found[name] for name in expected} == expected
    assert (found["records_count"], found["split"], found["val_size"], found["skip_bad"]) == (50, "random", 0.3, True)
    assert found["seed"] == 9 and found["arch"] == ["mlp3", "convnet1"]  # of the evaluation, not of the data


@pytest.mark.parametrize(
    ("given", "name", "value", "other"),
    [
        (["--split", "group"], "split", "group", "random"),
        (["--split", "published"], "split", "published", "random"),
        (["--split-seed", "2024"], "split_seed", 2024, 7),
        (["--val-size", "0.1"], "val_size", 0.1, 0.3),
        (["--test-size", "0.2"], "test_size", 0.2, 0.4),
        (["--masks"], "masks", True, False),
    ],
)
def test_an_option_that_is_given_stands_above_the_recorded_one_though_it_is_the_default(given, name, value, other):
    recorded = ["--dataset", "physionet2012", "--source", "D", "--split", "random", "--split-seed", "7", "--no-masks"]
    recorded += ["--val-size", "0.3", "--test-size", "0.4"]
    before, after = (vars(options_for(flags, *recorded)) for flags in ([], given))
    assert before[name] == other and after[name] == value
    assert {key for key in before if before[key] != after[key]} == {name}


def test_the_files_may_be_in_another_folder():
    found = options_for(["--source", "E"], "--dataset", "physionet2012", "--source", "D", "--split-seed", "7")
    assert (found.dataset, found.source, found.split_seed) == ("physionet2012", "E", 7)


def test_the_same_dataset_named_again_is_read_as_it_was_recorded():
    found = options_for(["--dataset", "synthetic"], "--dataset", "synthetic", "--records-count", "50")
    assert (found.dataset, found.records_count) == ("synthetic", 50)


@pytest.mark.parametrize(
    "recorded",
    [
        ["--dataset", "synthetic", "--records-count", "50", "--length", "900", "--rate", "100"],
        ["--dataset", "physionet2012", "--source", "D", "--target", "los", "--split", "random", "--val-size", "0.3"],
        ["--dataset", "challenge2017", "--source", "D", "--label-version", "v1", "--split-seed", "7", "--skip-bad"],
        ["--train", "a.npz", "--val", "v.npz", "--test", "b.npz", "--split", "random"],
    ],
)
def test_another_dataset_starts_from_the_defaults(recorded):
    found = vars(options_for(["--dataset", "digits", "--test-size", "0.5"], *recorded))
    defaults = data_options(trainer.build_parser().parse_args([]))
    expected = defaults | {"dataset": "digits", "test_size": 0.5}
    assert {name: found[name] for name in defaults} == expected


def test_prepared_files_take_the_place_of_a_recorded_dataset():
    found = options_for(
        ["--train", "a.npz", "--test", "b.npz"], "--dataset", "physionet2012", "--source", "D", "--no-masks"
    )
    assert (found.train, found.test, found.dataset, found.source, found.masks) == ("a.npz", "b.npz", None, None, None)


def test_no_data_at_all_are_refused():
    with pytest.raises(OptionError, match="Received: no --dataset, no --train"):
        options_for([])

"""Variants of recipes, inner folds, and what they choose."""

import argparse
import contextlib
import subprocess
import types

import numpy as np
import pytest

from finetuning import compare, trainer
from finetuning.choice import choose_rows
from finetuning.nested import chosen_row
from finetuning.pooling import held_out
from finetuning.recipes import BEST, PAPER, RECIPES, departures
from finetuning.rows import expand_rows
from finetuning.runs import inner_folds, list_runs, perform, single_folds
from finetuning.starts import Start
from finetuning.variants import INGREDIENTS, Variant, leave_one_out, recipe_values
from transplant.atomic import write_json
from transplant.datasets.labelled_set import LabelledSet
from transplant.errors import OptionError, TrainingError
from transplant.evaluation.predictions import write_predictions
from transplant.training.splits import stratified_folds


def test_a_variant_is_a_recipe_and_options_of_the_trainer():
    variant = Variant.parse("best:ema=0:padding-aware=no:by-length=no:augment=scale,shift")
    options = trainer.parse(variant.options())
    assert options.recipe == BEST
    assert departures(options) == {"ema": 0, "padding_aware": False, "by_length": False, "augment": "scale,shift"}
    assert Variant.parse("paper") == Variant("paper", "paper")
    assert Variant.parse("plain=best:ema=0") == Variant("plain", "best", ("--ema", "0"))
    for text in ("nonsense", "best:ema", "best:nonsense=1", "best:ema=", ":ema=0", "best:by-length=true"):
        with pytest.raises(argparse.ArgumentTypeError):
            Variant.parse(text)


def test_leaving_everything_out_is_the_papers_recipe():
    variants = leave_one_out(Variant(BEST, BEST))
    together = [option for variant in variants for option in variant.changes]
    left = {name for name in RECIPES[PAPER] if RECIPES[PAPER][name] != RECIPES[BEST][name]}
    changed = departures(trainer.parse(["--recipe", BEST, *together]))
    assert {name: changed[name] for name in changed} == {
        name: RECIPES[PAPER][name] for name in left - {"epochs", "patience", "batch_size", "early_stop_metric"}
    }
    for variant in variants:
        (ingredient,) = [name for name in INGREDIENTS if variant.name == f"best without {name}"]
        assert set(departures(trainer.parse(variant.options()))) <= set(INGREDIENTS[ingredient])
    with pytest.raises(OptionError, match="what the paper's recipe does not have"):
        leave_one_out(Variant(PAPER, PAPER))


def test_a_changed_recipe_keeps_its_changes_when_an_ingredient_is_left_out():
    variants = {variant.name: variant for variant in leave_one_out(Variant.parse("mine=best:crop=512:ema=0"))}
    assert "mine without weight average" not in variants
    without = departures(trainer.parse(variants["mine without augmentation"].options()))
    assert without == {"augment": "none", "crop": 512, "ema": 0}
    assert departures(trainer.parse(variants["mine without crops"].options())) == {"ema": 0}
    shared = leave_one_out(Variant(BEST, BEST), ["--label-smoothing", "0.1"])
    assert "best without label smoothing" in [variant.name for variant in shared]


def test_what_a_row_says_stands_above_what_all_share(tmp_path, monkeypatch):
    commands = []
    monkeypatch.setattr(
        subprocess, "run", lambda command, **_: commands.append(command) or types.SimpleNamespace(returncode=0)
    )
    rows = expand_rows([Start("random", share=0.0)], ["resnet18"], [Variant.parse("short=best:epochs=5")], [1.0])
    perform(list_runs(rows, [1], [(0, 1)], tmp_path)[0], ["--epochs", "20", "--augment", "scale"])
    options = trainer.parse(commands[0][3:])
    assert (options.epochs, options.augment, options.fold) == (5, "scale", [0, 1])


@pytest.mark.parametrize("status", [0, 1])
def test_a_run_keeps_its_checkpoints_until_it_has_ended(tmp_path, monkeypatch, status):
    rows = expand_rows([Start("random", share=0.0)], ["resnet18"], [Variant(BEST, BEST)], [1.0])
    run = list_runs(rows, [1], [()], tmp_path)[0]

    def trainer_run(command, stdout, **_):
        (run.folder / "epoch_02").mkdir()
        (run.folder / "best_weights.npz").touch()
        stdout.write("error: the disk is full\n")
        return types.SimpleNamespace(returncode=status)

    monkeypatch.setattr(subprocess, "run", trainer_run)
    with pytest.raises(TrainingError, match="the disk is full") if status else contextlib.nullcontext():
        perform(run, [])
    assert (run.folder / "epoch_02").exists() == bool(status)
    assert (run.folder / "best_weights.npz").exists()


def test_every_outer_fold_has_two_inner_runs_and_every_record_is_held_out_twice():
    parts = inner_folds(5)
    assert parts == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]
    for fold in range(5):
        assert sum(fold in part for part in parts) == 2


def _inner_runs(data, folds, right_of, tmp_path):
    """Write predictions of the rows' runs on inner folds; `right_of` (row, record, run's folds) -> are they right."""
    starts = [Start(name, share=0.0) for name in ("first", "second")]
    rows = expand_rows(starts, ["resnet18"], [Variant(BEST, BEST)], [1.0])
    runs = list_runs(rows, [1], inner_folds(len(folds)), tmp_path)
    for run in runs:
        run.folder.mkdir(parents=True)
        held = np.concatenate([folds[fold] for fold in run.folds])
        right = [right_of(run.row.name, row, run.folds) for row in held]
        guess = np.where(right, data.y[held], (data.y[held] + 1) % len(data.classes))
        one_hot = np.eye(len(data.classes))
        names = data.record_ids[held].tolist()
        write_predictions(
            run.folder / "test_predictions.csv", names, one_hot[data.y[held]], one_hot[guess], data.classes
        )
    return {row: [run for run in runs if run.row == row] for row in rows}


@pytest.fixture
def folds(small_set):
    data = LabelledSet.load(small_set)
    return data, [held for _, held in stratified_folds(data.y, data.group_ids, 4, 0)]


def test_the_choice_for_a_fold_does_not_see_the_fold(folds, tmp_path):
    data, held = folds
    outer = set(held[2].tolist())
    # The second row is right on fold 2 alone, the first one everywhere else.
    rows = _inner_runs(data, held, lambda row, record, _: (record in outer) == (row == "second"), tmp_path)
    choices = choose_rows(rows, data, held, log=lambda line: None)
    assert choices[2]["scores"] == {"first": 1.0, "second": 0.0} and choices[2]["chosen"] == "first"
    assert choices[1]["scores"]["second"] > 0  # its inner folds are 0 and 2
    pooled = held_out(next(iter(rows.values())), data.record_ids)
    assert pooled.shape == (2, len(data), len(data.classes)) and not np.isnan(pooled).any()


def test_the_first_row_stays_unless_another_is_better_by_a_standard_error(folds, tmp_path):
    data, held = folds
    normal = [row for row in held[0] if data.y[row] == list(data.classes).index("N")]
    wrong = {"first": normal[:3], "second": normal[3:5]}  # one record of five that differ
    rows = _inner_runs(data, held, lambda row, record, _: record not in wrong[row], tmp_path / "a")
    choices = choose_rows(rows, data, held, log=lambda line: None)
    assert {choice["chosen"] for choice in choices} == {"first"}
    assert choices[1]["best"] == "second" and 0 < choices[1]["difference"] <= choices[1]["standard_error"]
    rows = _inner_runs(data, held, lambda row, record, _: row == "second" or record % 2, tmp_path / "b")
    choices = choose_rows(rows, data, held, log=lambda line: None)
    assert {choice["chosen"] for choice in choices} == {"second"}


def test_the_chosen_row_is_run_as_was_chosen_for_each_fold(small_set, tmp_path):
    data = LabelledSet.load(small_set)
    options = {"inner_folds": True, "folds": 3, "split_seed": 5, "fingerprints": {"data": data.fingerprint()}}
    job = tmp_path / "inner"
    with pytest.raises(OptionError, match="--inner-folds is needed"):
        chosen_row(job, 3, 5, "group", data.fingerprint())
    job.mkdir()
    write_json(job / "config.json", {"command": "finetuning.compare", "options": options})
    start = Start("random", share=0.0)
    plain, other = expand_rows([start], ["resnet18"], [Variant(BEST, BEST), Variant.parse("best:ema=0")], [1.0])
    found = {"rows": {row.name: row.options() for row in (plain, other)}}
    found["choices"] = [{"fold": fold, "chosen": (other if fold == 1 else plain).name} for fold in range(3)]
    found["recipes"] = {row.name: recipe_values(row.options()) for row in (plain, other)}
    write_json(job / "comparison.json", found)
    row = chosen_row(job, 3, 5, "group", data.fingerprint())
    assert row.names_of_folds() == [plain.name, other.name, plain.name] and row.subset == 1
    assert [row.options(fold) for fold in range(3)] == [plain.options(), other.options(), plain.options()]
    # What the plain row does is not done twice.
    runs = list_runs([plain, row], [1], single_folds(3), tmp_path)
    assert [run.folder for run in runs[3:]] == [
        runs[0].folder,
        tmp_path / "chosen_by_inner_folds" / "seed_1" / "fold_1",
        runs[2].folder,
    ]
    with pytest.raises(OptionError, match="--split-seed 5, now 6"):
        chosen_row(job, 3, 6, "group", data.fingerprint())
    with pytest.raises(OptionError, match="--split group, now random"):
        chosen_row(job, 3, 5, "random", data.fingerprint())
    # The same name with other settings is another recipe.
    found["recipes"][other.name]["dropout"] = 0.9
    write_json(job / "comparison.json", found)
    with pytest.raises(OptionError, match="random best:ema=0 with a recipe of an earlier version"):
        chosen_row(job, 3, 5, "group", data.fingerprint())


def test_folds_that_leave_nothing_to_train_on_are_refused(small_set, tmp_path, capsys):
    arguments = ["--train", str(small_set), "--init", "random", "--job-dir", str(tmp_path / "job")]
    assert compare.main([*arguments, "--inner-folds", "--folds", "2"]) == 2
    assert "hold out two folds and train on the others" in capsys.readouterr().err
    assert compare.main([*arguments, "--inner-folds", "--test", str(small_set)]) == 2
    assert "--inner-folds are of --folds" in capsys.readouterr().err
    assert compare.main([*arguments, "--inner-folds", "--chosen-by", "J"]) == 2
    assert "--chosen-by is scored on --folds" in capsys.readouterr().err
    options = ["--train", str(small_set), "--job-dir", str(tmp_path / "one"), "--folds", "2", "--fold", "0", "1"]
    assert trainer.main(options) == 2
    assert "leaves nothing" in capsys.readouterr().err

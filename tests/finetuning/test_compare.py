"""Comparisons: rows, runs, pooled predictions, controls, budgets that do not mix."""

import json
import shutil
import types

import numpy as np
import pandas as pd
import pytest
from backbone_file import write_backbone

from finetuning import compare, comparison, length_only
from finetuning.pooling import held_out
from finetuning.presets import preset_starts
from finetuning.rows import expand_rows
from finetuning.runs import list_runs, share_of_array, single_folds
from finetuning.starts import Start, checkpoints_at, epoch_share
from finetuning.variants import Variant
from pretraining import trainer as pretraining_trainer
from pretraining.store import StoredPatient
from transplant.datasets.labelled_set import LabelledSet
from transplant.errors import DataError, OptionError
from transplant.evaluation.metrics import macro_f1
from transplant.evaluation.predictions import read_predictions, write_predictions
from transplant.signals.spectrogram import SpectrogramSettings
from transplant.training.splits import stratified_folds

BEST = [Variant("best", "best")]


@pytest.fixture(scope="module")
def jobs(small_store, tmp_path_factory):
    """Pretraining jobs of a 1-D network, four epochs in half a pass over patient by patient, and of a 2-D one."""
    folder = tmp_path_factory.mktemp("jobs")
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(StoredPatient, "working_set", 1)
    small = ["--task", "beat", "--train", str(small_store), "--stages", "1", "--frame-size", "256", "--batch-size", "4"]
    one = ["--epochs", "4", "--steps-per-epoch", "2", "--samples-per-patient", "16", "--val-patients", "2"]
    assert pretraining_trainer.main([*small, *one, "--val-size", "8", "--job-dir", str(folder / "one")]) == 0
    monkeypatch.undo()
    two = ["--steps-per-epoch", "1", "--arch", "resnet18_2d", "--spectrogram", "draft", "--val-patients", "0"]
    assert pretraining_trainer.main([*small, *two, "--job-dir", str(folder / "two")]) == 0
    return folder


def test_initial_weights_are_named_and_checked(jobs):
    assert Start.parse("random") == Start("random", share=0.0)
    assert Start.parse("start=random") == Start("start", share=0.0)
    backbone = str(jobs / "one" / "backbone.npz")
    assert Start.parse(str(jobs / "one")) == Start("one", (backbone,))
    assert Start.parse(f"a={jobs / 'one'}@0.1") == Start("a", (backbone,), 0.1)
    both = Start.parse(f"{jobs / 'one'}+{jobs / 'two'}")
    assert both.name == "one+two" and len(both.files) == 2 and both.architectures() == {"fusion"}
    for text, said in (
        ("nowhere.npz", "nowhere"),
        (f"{jobs / 'one'}@0", "above 0"),
        (f"{jobs / 'one'}@1.2.3", "no such weights file"),
    ):
        with pytest.raises(OptionError, match=said):
            Start.parse(text)


def test_rows_are_the_combinations_that_fit(jobs):
    starts = [Start.parse(text) for text in ("random", str(jobs / "one"), str(jobs / "two"))]
    rows = expand_rows(starts, ["resnet18", "resnet18_2d"], BEST, [1.0, 0.1])
    assert [row.name for row in rows] == [
        "random resnet18 100%", "random resnet18 10%", "random resnet18_2d 100%", "random resnet18_2d 10%",
        "one resnet18 100%", "one resnet18 10%", "two resnet18_2d 100%", "two resnet18_2d 10%",
    ]  # fmt: skip
    options = rows[-1].options()
    assert options[:6] == ["--arch", "resnet18_2d", "--recipe", "best", "--subset", "0.1"]
    assert options[options.index("--stages") :] == ["--stages", "1", "--spectrogram", "draft", "--bins", "64"]
    assert [row.name for row in expand_rows(starts[:2], ["resnet18"], BEST, [1.0])] == ["random", "one"]
    assert [row.network for row in expand_rows(starts[:1], ["resnet18", "fusion"], BEST, [1.0])] == [(), ()]
    with pytest.raises(OptionError, match="two: these weights serve --arch resnet18_2d or fusion"):
        expand_rows(starts, ["resnet18"], BEST, [1.0])
    with pytest.raises(OptionError, match="names of their own"):
        expand_rows([starts[0]] * 2, ["resnet18"], BEST, [1.0])
    with pytest.raises(OptionError, match="names of their own"):
        expand_rows([Start("..", share=0.0)], ["resnet18"], BEST, [1.0])


def test_random_weights_get_the_network_that_they_are_compared_with(jobs):
    one, two = str(jobs / "one"), str(jobs / "two")
    starts = [Start.parse(text) for text in ("random", f"w={one}", f"w={two}", f"w={one}+{two}", f"v={two}")]
    rows = {row.name: row for row in expand_rows(starts, ["resnet18", "resnet18_2d", "fusion"], BEST, [1.0])}
    # Weights for both branches are given: a fusion does not start from one of them alone.
    assert list(rows) == [
        "random resnet18", "random resnet18_2d", "random fusion", "w resnet18", "w resnet18_2d", "w fusion",
        "v resnet18_2d",
    ]  # fmt: skip
    raw, image = ("--stages", "1"), ("--stages", "1", "--spectrogram", "draft", "--bins", "64")
    assert rows["random resnet18"].network == rows["w resnet18"].network == raw
    assert rows["random resnet18_2d"].network == rows["random fusion"].network == image
    assert rows["w fusion"].options()[-len(image) :] == list(image)


def test_weights_of_several_networks_leave_random_weights_their_own(jobs, tmp_path):
    write_backbone(tmp_path / "final" / "backbone.npz", "resnet18_2d", spectrogram=SpectrogramSettings("final"))
    starts = [Start.parse(text) for text in ("random", str(jobs / "two"), str(tmp_path / "final"))]
    rows = {row.name: row.network for row in expand_rows(starts, ["resnet18_2d"], BEST, [1.0])}
    assert rows["random"] == ("--stages", "1")
    assert rows["two"][-3:] == ("draft", "--bins", "64") and rows["final"][-3:] == ("final", "--bins", "128")


def test_an_epochs_weights_know_their_share_of_the_patients(jobs):
    assert epoch_share(jobs / "one" / "epoch_02" / "weights.npz") == 0.25
    assert epoch_share(jobs / "one" / "backbone.npz") is None
    # Four epochs draw 32 of the 64 windows of a pass over four patients, one after the other: two of them are visited.
    starts = checkpoints_at(jobs / "one", (0.01, 0.5, 1.0))
    assert [(start.name, start.share) for start in starts] == [("25%", 0.25), ("50%", 0.5)]
    assert starts[0].files == (str(jobs / "one" / "epoch_02" / "weights.npz"),)


def test_patients_that_are_opened_together_are_seen_together(jobs):
    job = jobs / "two"
    assert epoch_share(job / "epoch_01" / "weights.npz") == 1
    with pytest.raises(OptionError, match="opens its 6 patients together"):
        checkpoints_at(job, (0.1, 1.0))


def test_epochs_of_several_passes_are_no_shares_of_the_patients(jobs, tmp_path):
    job = shutil.copytree(jobs / "one", tmp_path / "job")
    config = json.loads((job / "config.json").read_text())
    config["options"]["samples_per_patient"] = 2  # an epoch of 8 windows is a pass over four patients
    (job / "config.json").write_text(json.dumps(config))
    assert epoch_share(job / "epoch_01" / "weights.npz") == 1
    with pytest.raises(OptionError, match=r"one of 4 passes.*--patient-fraction"):
        checkpoints_at(job, (0.1, 1.0))


def test_epochs_stand_in_the_order_of_their_numbers(jobs, tmp_path):
    job = shutil.copytree(jobs / "one", tmp_path / "job")
    for epoch in (99, 100):
        shutil.copytree(job / "epoch_04", job / f"epoch_{epoch}")
    assert checkpoints_at(job, (1.0,))[0].files == (str(job / "epoch_100" / "weights.npz"),)


def test_epochs_over_a_file_of_windows_are_no_share_of_the_patients(jobs, tmp_path):
    job = shutil.copytree(jobs / "one", tmp_path / "job")
    config = json.loads((job / "config.json").read_text())
    config["options"]["steps_per_epoch"] = None
    (job / "config.json").write_text(json.dumps(config))
    with pytest.raises(OptionError, match="on a file of windows"):
        checkpoints_at(job, (1.0,))


def test_hypotheses_are_comparisons(jobs):
    one, two = str(jobs / "one"), str(jobs / "two")
    assert [start.name for start in preset_starts("h1", ["random", one])] == ["random", "one"]
    assert [start.share for start in preset_starts("h2", [one])] == [0.0, 0.25, 0.5]
    rows = expand_rows(preset_starts("h3", [one, two]), ["resnet18", "resnet18_2d"], BEST, [1.0])
    assert [row.name for row in rows] == [
        "random resnet18", "random resnet18_2d", "pretrained resnet18", "pretrained resnet18_2d",
    ]  # fmt: skip
    with pytest.raises(OptionError, match="in this order"):
        preset_starts("h3", [two, one])
    with pytest.raises(OptionError, match=r"of 1 pretraining job.*Received: 2"):
        preset_starts("h1", [one, two])


def test_a_scheduler_divides_the_runs(tmp_path):
    rows = expand_rows(
        [Start("random", share=0.0)], ["resnet18"], [Variant(name, name) for name in ("paper", "best")], [1.0]
    )
    runs = list_runs(rows, [1, 2], single_folds(3), tmp_path)
    assert len(runs) == 12 and len({run.folder for run in runs}) == 12
    parts = [share_of_array(runs, (k, 5)) for k in range(1, 6)]
    assert sorted(str(run.folder) for part in parts for run in part) == sorted(str(run.folder) for run in runs)
    assert compare.job_array("2/5") == (2, 5)
    assert [run.folds for run in list_runs(rows[:1], [1], [()], tmp_path)] == [()]
    with pytest.raises(OptionError, match="each seed once"):
        list_runs(rows, [1, 1], single_folds(3), tmp_path)


def test_pooled_predictions_stand_in_the_order_of_the_set(tmp_path):
    runs = list_runs(
        expand_rows([Start("random", share=0.0)], ["resnet18"], BEST, [1.0]), [7, 8], single_folds(2), tmp_path
    )
    for number, run in enumerate(runs):
        run.folder.mkdir(parents=True)
        names = ["c", "a"] if run.folds == (0,) else ["b"]
        y_prob = np.array([[0.1 * number + 0.01 * k, 1 - 0.1 * number - 0.01 * k] for k in range(len(names))])
        write_predictions(run.folder / "test_predictions.csv", names, None, y_prob, ["x", "y"])
    pooled = held_out(runs, np.array(["a", "b", "c"]))
    np.testing.assert_allclose(pooled[:, :, 0], [[0.01, 0.1, 0.0], [0.21, 0.3, 0.2]])
    changed = held_out(runs, np.array(["a", "b", "c"]), change=lambda run, p: p[:, ::-1])
    np.testing.assert_allclose(changed[:, :, 1], pooled[:, :, 0])
    with pytest.raises(DataError, match="held out equally often"):
        held_out(runs, np.array(["a", "b", "c", "d"]))
    with pytest.raises(DataError, match="other records"):
        held_out(runs, np.array(["a", "b"]))


def test_the_length_only_classifier_sees_the_length_and_nothing_else(small_set):
    data = LabelledSet.load(small_set)
    lengths = np.where(data.y == 1, 100, 200) + np.arange(len(data)) % 3
    told = types.SimpleNamespace(y=data.y, group_ids=data.group_ids, classes=data.classes, lengths=lengths)
    folds = stratified_folds(data.y, data.group_ids, 4, 0)
    guess = length_only.of_folds(told, folds).argmax(axis=1)
    assert ((guess == 1) == (data.y == 1)).all()
    told.lengths = np.full(len(data), 1024)
    assert macro_f1(data.y, length_only.of_folds(told, folds).argmax(axis=1), 4) < 0.25


def test_options_behind_the_dashes_are_the_trainers_and_not_the_comparisons(small_set, tmp_path, capsys):
    arguments = ["--train", str(small_set), "--init", "random", "--job-dir", str(tmp_path / "job"), "--"]
    assert compare.main([*arguments, "--fold", "1"]) == 2
    assert "the same for all runs. Received: --fold" in capsys.readouterr().err
    assert compare.main([*arguments, "--split-seed", "1"]) == 2
    assert "Received: --split-seed" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        compare.main([*arguments, "--nonsense", "1"])
    assert capsys.readouterr().err == (
        "python -m finetuning.compare, options of every run: error: unrecognized arguments: --nonsense 1; "
        "--help lists the options\n"
    )
    assert not (tmp_path / "job").exists()


def test_one_class_is_refused_before_any_run(small_set, tmp_path, capsys):
    data = LabelledSet.load(small_set)
    data.select(np.flatnonzero(data.y == 1)).save(tmp_path / "one.npz")
    assert (
        compare.main(["--train", str(tmp_path / "one.npz"), "--init", "random", "--job-dir", str(tmp_path / "job")])
        == 2
    )
    assert "two classes or more" in capsys.readouterr().err
    assert not (tmp_path / "job").exists()


def test_a_subset_too_small_is_refused_before_any_run(small_set, tmp_path, capsys):
    arguments = ["--train", str(small_set), "--init", "random", "--subset", "0.01", "1", "--folds", "2"]
    assert compare.main([*arguments, "--job-dir", str(tmp_path / "job")]) == 2
    assert "a subset needs a record of every class" in capsys.readouterr().err
    assert not (tmp_path / "job").exists()


def test_the_network_of_the_weights_is_not_another_ones(small_set, jobs, tmp_path, capsys):
    arguments = ["--train", str(small_set), "--init", "random", str(jobs / "one"), "--job-dir", str(tmp_path / "job")]
    assert compare.main([*arguments, "--", "--stages", "2"]) == 2
    assert "--stages is that of the weights: 1 in random, one. Received: 2 after --" in capsys.readouterr().err
    assert not (tmp_path / "job").exists()


def test_the_network_of_the_weights_may_be_given(small_set, jobs, tmp_path, monkeypatch):
    performed = []
    monkeypatch.setattr(comparison, "perform", lambda run, shared: performed.append(run))
    arguments = ["--train", str(small_set), "--init", "random", str(jobs / "one"), "--job-dir", str(tmp_path / "job")]
    assert compare.main([*arguments, "--folds", "2", "--", "--stages", "1"]) == 0
    assert len(performed) == 4


def test_branches_of_unequal_depth_have_the_stages_of_the_shorter(jobs, tmp_path):
    deep = write_backbone(tmp_path / "deep.npz", stages=2)
    start = Start.parse(f"{deep}+{jobs / 'two'}")
    (row,) = expand_rows([start], ["fusion"], BEST, [1.0])
    assert row.network[:2] == ("--stages", "1")


@pytest.mark.slow
def test_a_comparison_from_the_command_line(small_set, jobs, tmp_path, capsys):
    job = tmp_path / "job"
    own = ["--train", str(small_set), "--init", "random", "again=random", str(jobs / "one"), "--folds", "2"]
    own += ["--recipe", "paper", "--epochs", "1", "--shuffled-labels", "--val-size", "0.25", "--job-dir", str(job)]
    trainer_options = ["--", "--augment", "scale"]
    assert compare.main([*own, "--job-array", "1/2", *trainer_options]) == 0
    assert "4 of 8 runs are left to other jobs" in capsys.readouterr().out
    assert not (job / "comparison.json").exists()
    assert compare.main([*own, *trainer_options]) == 0
    output = capsys.readouterr().out
    for row in ("random", "again", "one shuffled labels", "class offsets", "polarity flipped", "mains"):
        assert row in output
    assert "length only" not in output  # all records are equally long: it would guess
    # Same seed, same folds, same start: the difference of a row to its twin is exactly nothing.
    report = json.loads((job / "comparison.json").read_text())
    twin = report["differences"]["again"]["macro_f1"]
    assert (twin["difference"], twin["low"], twin["high"]) == (0, 0, 0)
    assert report["differences"]["again"]["wilcoxon"]["p"] is None
    data = LabelledSet.load(small_set)
    pooled = read_predictions(job / "random_predictions.csv")
    assert pooled["record_names"] == data.record_ids.tolist()
    for fold, (_, test) in enumerate(stratified_folds(data.y, data.group_ids, 2, 2024)):
        part = read_predictions(job / "random" / "seed_2024" / f"fold_{fold}" / "test_predictions.csv")
        assert sorted(part["record_names"]) == sorted(data.record_ids[test].tolist())
    timing = pd.read_csv(job / "random" / "seed_2024" / "fold_0" / "timing.csv")
    assert len(timing) == 1 and report["runs"][0]["epochs_to_best"]["mean"] == 1
    for file in ("comparison.png", "epochs.png", "reliability_random.png", "comparison.md"):
        assert (job / file).stat().st_size > 100
    assert not list(job.glob("**/epoch_*"))
    # Finished runs are kept; another budget is refused.
    finished = job / "random" / "seed_2024" / "fold_0" / "metrics.json"
    before = finished.stat().st_mtime_ns
    assert compare.main([*own, *trainer_options]) == 0
    assert finished.stat().st_mtime_ns == before
    assert "runs, 8 of them here, 8 finished" in capsys.readouterr().out
    own[own.index("--epochs") + 1] = "2"
    assert compare.main([*own, *trainer_options]) == 2
    assert "epochs 1 (now 2)" in capsys.readouterr().err

"""Recipes and their ingredients, through the fine-tuning command."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
from backbone_file import write_backbone

from finetuning import recipes, trainer
from finetuning.recipes import RECIPES, departures, enough_epochs
from transplant.datasets.labelled_set import LabelledSet
from transplant.training.weights import read_weights
from transplant.utils import read_predictions

SMALL = ["--stages", "1", "--batch-size", "16", "--val-size", "0.25", "--epochs", "2"]
PLAIN = ["--recipe", "paper", *SMALL, "--learning-rate", "0.003"]


def run(train, job, *options, base=SMALL):
    return trainer.main([*base, "--train", str(train), "--job-dir", str(job), *options])


def history(job):
    return pd.read_csv(job / "history.csv")


@pytest.fixture(scope="module")
def backbones(tmp_path_factory):
    """Folders with the backbone of a 1-D and of a 2-D network, by architecture."""
    folder = tmp_path_factory.mktemp("pretrained")
    for arch in ("resnet18", "resnet18_2d"):
        write_backbone(folder / arch / "backbone.npz", arch)
    return folder


def test_the_papers_recipe_is_its_settings_and_what_is_given_stands_above_it():
    paper = trainer.parse(["--recipe", "paper"])
    assert (paper.epochs, paper.batch_size, paper.learning_rate, paper.schedule) == (200, 128, 1e-3, "constant")
    assert (paper.val_metric, paper.early_stop_metric, paper.patience) == ("f1", "loss", 50)
    assert (paper.weight_decay, paper.clip_norm, paper.ema, paper.dropout, paper.augment) == (0, 0, 0, 0, "none")
    assert not paper.padding_aware and paper.class_weights == "none" and departures(paper) == {}
    changed = trainer.parse(["--recipe", "paper", "--dropout", "0.2", "--epochs", "200", "--padding-aware"])
    assert departures(changed) == {"dropout": 0.2, "padding_aware": True}
    assert trainer.parse([]).recipe == "best" and trainer.parse(["--recipe=paper"]).epochs == 200


def test_recipes_decide_the_same_options_and_each_has_a_flag():
    options = vars(trainer.build_parser().parse_args([]))
    for recipe in RECIPES.values():
        assert recipe.keys() == RECIPES["best"].keys() <= options.keys()


def test_the_recipe_and_what_departs_from_it_is_printed(small_set, tmp_path, capsys):
    assert run(small_set, tmp_path / "job", "--epochs", "1", "--augment", "flip") == 0
    assert "recipe: best with epochs 1, augment flip" in capsys.readouterr().out
    config = json.loads((tmp_path / "job" / "config.json").read_text())["options"]
    assert config["recipe"] == "best" and config["ema"] == RECIPES["best"]["ema"]


def test_few_records_make_more_epochs():
    # 400 batches of 6,395 records; 30 of 480; 10 of 150; 1 of 15.
    assert [enough_epochs(steps) for steps in (400, 30, 29, 10, 1)] == [20, 20, 21, 60, 200]


def test_epochs_that_are_left_open_are_enough(small_set, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(recipes, "FEWEST_EPOCHS", 1)
    monkeypatch.setattr(recipes, "FEWEST_STEPS", 5)
    assert run(small_set, tmp_path / "job", base=SMALL[: SMALL.index("--epochs")]) == 0
    # 48 of the 64 records, in three batches.
    assert len(history(tmp_path / "job")) == 2 and "epochs: 2 of 3 steps" in capsys.readouterr().out


def test_a_frozen_backbone_on_cached_features_has_the_losses_of_one_that_is_run(backbones, small_set, tmp_path, capsys):
    frozen = ["--weights-file", str(backbones / "resnet18"), "--freeze-backbone"]
    assert run(small_set, tmp_path / "cached", *frozen, base=PLAIN) == 0
    assert "features are computed once" in capsys.readouterr().out
    # A crop as long as the records crops nothing, and its features are not cached.
    assert run(small_set, tmp_path / "run", *frozen, "--crop", "1024", base=PLAIN) == 0
    assert "features are computed once" not in capsys.readouterr().out
    pd.testing.assert_frame_equal(history(tmp_path / "cached"), history(tmp_path / "run"), rtol=1e-5)
    pretrained = read_weights(backbones / "resnet18" / "backbone.npz").arrays
    for job in ("cached", "run"):
        arrays = read_weights(tmp_path / job / "best_weights.npz").arrays
        for key, array in pretrained.items():
            np.testing.assert_array_equal(arrays[key], array, err_msg=key)
    one, two = (read_predictions(tmp_path / job / "val_predictions.csv")["y_prob"] for job in ("cached", "run"))
    np.testing.assert_allclose(one, two, atol=1e-5)


def test_cached_features_go_on_where_they_stopped(backbones, small_set, tmp_path):
    frozen = ["--weights-file", str(backbones / "resnet18"), "--freeze-backbone", "--dropout", "0.5"]
    assert run(small_set, tmp_path / "whole", *frozen, base=PLAIN) == 0
    assert run(small_set, tmp_path / "parts", *frozen, "--epochs", "1", base=PLAIN) == 0
    assert run(small_set, tmp_path / "parts", *frozen, "--resume", base=PLAIN) == 0
    pd.testing.assert_frame_equal(history(tmp_path / "whole"), history(tmp_path / "parts"), check_exact=True)


@pytest.mark.slow
def test_a_slower_backbone_moves_less_and_the_stem_waits_for_its_epoch(backbones, small_set, tmp_path):
    start = read_weights(backbones / "resnet18" / "backbone.npz").arrays
    pretrained = ["--weights-file", str(backbones / "resnet18")]

    def moved(name, *options):
        assert run(small_set, tmp_path / name, *pretrained, "--epochs", "1", *options, base=PLAIN) == 0
        arrays = read_weights(tmp_path / name / "best_weights.npz").arrays
        keys = ("stem_conv/kernel", "stage1_block2_conv2/kernel")
        return [float(np.abs(arrays[key] - start[key]).mean()) for key in keys]

    plain, slow, late = moved("plain"), moved("slow", "--backbone-rate", "0.1"), moved("late", "--unfreeze-epochs", "1")
    assert all(0.05 * a < b < 0.2 * a for a, b in zip(plain, slow))
    assert late == [0, 0], "with one epoch to each part, the head alone learns in the first"


def test_a_fusion_wants_a_backbone_of_each_branch(backbones, small_set, tmp_path, capsys):
    files = ["--weights-file", str(backbones / "resnet18"), "--second-weights-file", str(backbones / "resnet18")]
    assert run(small_set, tmp_path / "job", "--arch", "fusion", *files) == 2
    assert "start one branch each. Received: two of resnet18" in capsys.readouterr().err


@pytest.mark.slow
def test_a_fusion_starts_from_two_backbones(backbones, small_set, tmp_path, capsys):
    files = ["--weights-file", str(backbones / "resnet18"), "--second-weights-file", str(backbones / "resnet18_2d")]
    assert run(small_set, tmp_path / "job", "--arch", "fusion", "--epochs", "1", *files) == 0
    output = capsys.readouterr().out
    assert "loaded 25 of 25 backbone tensors" in output and "loaded 30 of 30 backbone tensors" in output
    data = LabelledSet.load(small_set)
    model = keras.saving.load_model(tmp_path / "job" / "best_model.keras")
    predictions = read_predictions(tmp_path / "job" / "val_predictions.csv")
    rows = [data.record_ids.tolist().index(name) for name in predictions["record_names"]]
    normalization = read_weights(tmp_path / "job" / "best_weights.npz").description.normalization
    logits = model.predict(data.select(rows).standardized(normalization), verbose=0)
    np.testing.assert_allclose(keras.ops.softmax(logits), predictions["y_prob"], atol=1e-5)


def test_the_kept_model_of_the_best_recipe_leaves_padding_out_of_account(small_set, tmp_path):
    assert run(small_set, tmp_path / "job", "--epochs", "1") == 0
    description = read_weights(tmp_path / "job" / "best_weights.npz").description
    assert description.padding_aware
    model = keras.saving.load_model(tmp_path / "job" / "best_model.keras")
    data = LabelledSet.load(small_set)
    x = data.standardized(description.normalization)[:4]
    padded = np.pad(x, ((0, 0), (777, 0), (0, 0)))
    np.testing.assert_allclose(model.predict(padded, verbose=0), model.predict(x, verbose=0), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [["--class-weights", "balanced"], ["--focal-gamma", "2"], ["--label-smoothing", "0.2"]]
)
def test_the_loss_is_the_one_that_is_asked_for(small_set, tmp_path, options):
    """Of the first step, before any weight has moved: one batch of all records."""
    first = ["--epochs", "1", "--batch-size", "48", "--learning-rate", "1e-9"]
    for name, extra in (("plain", []), ("asked", options)):
        assert run(small_set, tmp_path / name, *first, *extra, base=PLAIN) == 0
    plain, asked = (history(tmp_path / name)["loss"][0] for name in ("plain", "asked"))
    assert asked < plain if options[0] == "--focal-gamma" else asked != plain


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--no-padding-aware"], "--by-length takes away padding"),
        (["--freeze-backbone"], "--freeze-backbone needs a pretrained backbone"),
        (["--augment", "scale,blur"], "scale,blur"),
        (["--second-weights-file", "W"], "--second-weights-file stands beside --weights-file"),
        (["--crop", "-1"], None),
        (["--dropout", "1"], None),
    ],
)
def test_ingredients_that_do_not_go_together_give_one_line(small_set, tmp_path, capsys, options, said):
    if said is None:
        with pytest.raises(SystemExit) as ended:
            run(small_set, tmp_path / "job", *options)
        assert ended.value.code == 2
        return
    assert run(small_set, tmp_path / "job", *options) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("error: ") and said in line
    assert not (tmp_path / "job").exists()

"""What the rows of a comparison are set against."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import wilcoxon

from finetuning.differences import all_pairs, paired_differences, references, wilcoxon_tests
from finetuning.rows import expand_rows
from finetuning.runs import list_runs
from finetuning.starts import Start
from finetuning.variants import Variant

STARTS = [Start("random", share=0.0), Start("beat", share=1.0)]
BEST = [Variant("best", "best")]


def shuffled(row):
    return dataclasses.replace(row, name=f"{row.name} shuffled labels", shuffled=True)


def test_rows_are_set_against_the_first_one_of_their_share():
    rows = expand_rows(STARTS, ["resnet18"], BEST, [0.3, 1.0])
    found = references([*rows, shuffled(rows[-1])], ["length only"])
    assert found == {
        "random 100%": "random 30%",
        "beat 30%": "random 30%",
        "beat 100%": "random 100%",
        "beat 100% shuffled labels": "beat 100%",
        "length only": "random 30%",
    }


def test_the_control_of_a_single_row_is_set_against_it():
    (row,) = expand_rows(STARTS[:1], ["resnet18"], BEST, [1.0])
    assert references([row, shuffled(row)]) == {"random shuffled labels": "random"}


def test_a_rows_runs_are_tested_against_those_of_its_reference(tmp_path):
    rows = expand_rows(STARTS, ["resnet18"], BEST, [0.3, 1.0])
    rng, seeds = np.random.default_rng(1), range(12)
    of_runs = {row.name: [{"macro_f1": value} for value in rng.random(12)] for row in rows}
    runs = {row: list_runs([row], list(seeds), [()], tmp_path) for row in rows}
    found = wilcoxon_tests(runs, of_runs, references(rows))
    assert found.keys() == {row.name for row in rows[1:]}
    pair = [[run["macro_f1"] for run in of_runs[name]] for name in ("random 100%", "beat 100%")]
    assert found["beat 100%"]["p"] == pytest.approx(wilcoxon(*pair).pvalue)


def test_every_pair_is_there_once_and_said_of_the_row_below():
    rng = np.random.default_rng(0)
    y, classes = rng.integers(0, 2, 60), ["N", "A"]
    right = np.eye(2)[y][None]
    wrong = 1 - right
    pooled, lines = {"bad": wrong, "good": right, "bad again": wrong}, []
    reference_of = {"good": "bad", "bad again": "good"}
    found = paired_differences(pooled, y, np.arange(60), classes, reference_of, {}, lines.append)
    assert found["good"]["verdict"].startswith("better") and found["bad again"]["verdict"].startswith("worse")
    assert (found["good"]["to"], found["bad again"]["to"]) == ("bad", "good")
    pairs = all_pairs(pooled, found, y, np.arange(60), classes)
    assert [list(others) for others in pairs.values()] == [[], ["bad"], ["bad", "good"]]
    assert pairs["good"]["bad"]["difference"] == pytest.approx(1)
    assert pairs["bad again"]["bad"]["difference"] == 0
    assert pairs["bad again"]["good"]["difference"] == pytest.approx(-1)
    assert lines[0].startswith("good against bad: macro-F1 +1.000, better")
    # Of two classes the positive one's ranking is compared too: from wholly wrong to wholly right.
    assert found["good"]["roc_auc"]["difference"] == 1
    assert found["good"]["verdict_roc_auc"].startswith("better")
    assert any(line.strip().startswith("AUROC: +1.000 [+1.000, +1.000]") for line in lines)


def test_more_classes_have_no_difference_of_the_ranking():
    y = np.arange(30) % 3
    pooled, lines = {"a": np.eye(3)[y][None], "b": np.eye(3)[(y + 1) % 3][None]}, []
    found = paired_differences(pooled, y, np.arange(30), "NAO", {"b": "a"}, {}, lines.append)
    assert found["b"]["roc_auc"] is None and found["b"]["verdict_roc_auc"] is None
    assert [line.split(":")[0].strip() for line in lines] == ["b against a", "N", "A", "O"]

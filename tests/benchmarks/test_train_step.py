"""The training benchmark: FLOPs by hand, and its output is a table and one line of JSON."""

import importlib.util
import json
import pathlib
import sys

import keras
import pytest

from transplant.modules.classifier import build_classifier

SCRIPT = pathlib.Path(__file__).parents[2] / "benchmarks" / "train_step.py"


@pytest.fixture(scope="module")
def train_step():
    spec = importlib.util.spec_from_file_location("train_step", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["train_step"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["train_step"]


def test_flops_of_a_first_stage_by_hand(train_step):
    # 128 samples: 64 after the stem, 32 after its pooling.
    stem = 64 * 7 * 1 * 64
    stage = 4 * 32 * 7 * 64 * 64
    head = 64 * 5
    assert train_step.forward_flops(build_classifier("resnet18", 5, stages=1), 128) == 2 * (stem + stage + head)


def test_flops_of_a_strided_convolution_by_hand(train_step):
    inputs = keras.Input((None, 2))
    model = keras.Model(inputs, keras.layers.Conv1D(3, 5, strides=4, padding="valid")(inputs))
    assert train_step.forward_flops(model, 21) == 2 * 5 * (5 * 2 * 3)


@pytest.mark.slow
def test_the_output_is_a_table_and_one_line_of_json(train_step, monkeypatch, capsys):
    monkeypatch.setattr(train_step, "GEMM_SIZE", 64)
    monkeypatch.setattr(train_step, "QUICK", train_step.Size(((64, 2),), 2 * 64 * 2, 0.0001, stages=1))
    before = keras.config.dtype_policy().name
    assert train_step.main(["--quick", "--repeats", "1"]) == 0
    *table, last = capsys.readouterr().out.strip().split("\n")
    result = json.loads(last)
    assert result["benchmark"] == "train_step"
    assert [(row["policy"], row["batch_norm"]) for row in result["rows"]] == [
        (policy, norm) for policy in ("float32", "mixed_bfloat16") for norm in ("stock", "fused")
    ]
    assert sorted(result["gemm_gflop_per_cpu_s"]) == ["bfloat16", "float32"]
    assert any("mixed_bfloat16" in line and "%" in line for line in table)
    assert keras.config.dtype_policy().name == before

"""The benchmark of an epoch's end."""

import json

import epoch_end
import pytest


def test_the_whole_epoch_is_compared():
    size = epoch_end.Size(repeats=2, steps=10, step_s=0.2)
    found = epoch_end.summarize({"ours": [0.0, 0.0], "autotuned": [0.5, 1.5]}, size)
    assert found["epoch_s"] == {"ours": 2.0, "autotuned": 3.0} and found["autotuned_over_ours"] == 1.5


def test_quick_ends_with_one_line_of_json(monkeypatch, capsys):
    monkeypatch.setattr(epoch_end, "QUICK", epoch_end.Size(repeats=1, steps=2, step_s=0.01))
    epoch_end.benchmark(epoch_end.build_parser().parse_args(["--quick"]))
    result = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert result["benchmark"] == "epoch_end" and set(result["wait_s"]) == {"ours", "autotuned"}
    assert result["epoch_s"]["ours"] == pytest.approx(0.02 + result["wait_s"]["ours"][0], abs=0.01)

"""The distillation benchmark: its summary by hand, and its output is a table and one line of JSON."""

import json

import condensation_step as script
import pytest
from steps import summarize


def test_summary_takes_medians_and_ratios():
    ways = {"ours": [(2.0, 1.0), (4.0, 3.0), (5.0, 3.0)], "torch": [(1.0, 1.0), (2.0, 1.0), (8.0, 2.0)]}
    values = summarize({"vanilla": ways})["vanilla"]
    assert values["cpu_ms"] == {"ours": 250.0, "torch": 500.0}
    assert values["lowest_and_highest"]["ours"] == [200.0, 500.0]
    assert values["ours_over"] == {"torch": 0.5}


@pytest.mark.slow
def test_a_run_ends_in_one_line_of_json(monkeypatch, capsys):
    monkeypatch.setattr(script, "QUICK", script.Size(repeats=1, at_least_s=0.001))
    small = script.ways(width=2, networks=1, real=4)
    monkeypatch.setattr(script, "ways", lambda: small)
    assert script.main(["--quick"]) == 0
    lines = capsys.readouterr().out.strip().split("\n")
    assert any(line.startswith("matching: eager") for line in lines)
    result = json.loads(lines[-1])
    assert result["benchmark"] == "condensation_step"
    assert {"ours", "eager"} <= set(result["matching"]["cpu_ms"]) and set(result["vanilla"]["cpu_ms"])

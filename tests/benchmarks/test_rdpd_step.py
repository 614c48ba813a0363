"""The benchmark of RDPD's steps: its output is a table and one line of JSON."""

import json

import pytest
import rdpd_step as script


@pytest.mark.slow
def test_a_run_ends_in_one_line_of_json(monkeypatch, capsys):
    monkeypatch.setattr(script, "QUICK", script.Size(repeats=1, at_least_s=0.001))
    small = script.ways(batch=2)
    monkeypatch.setattr(script, "ways", lambda: small)
    assert script.main(["--quick"]) == 0
    lines = capsys.readouterr().out.strip().split("\n")
    assert any(line.startswith("student: eager") for line in lines)
    result = json.loads(lines[-1])
    assert result["benchmark"] == "rdpd_step"
    assert all({"ours", "eager"} <= set(result[name]["cpu_ms"]) for name in ("teacher", "student"))

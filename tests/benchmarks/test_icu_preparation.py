"""The ICU benchmark: all ways give the same tables, and its output is a table and one line of JSON."""

import importlib.util
import json
import pathlib
import sys

import numpy as np
import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "benchmarks" / "icu_preparation.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("icu_preparation_benchmark", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["icu_preparation_benchmark"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["icu_preparation_benchmark"]


def test_what_is_compared_gives_the_same_tables(script, tmp_path):
    script.write_stays(tmp_path / "stays", 6, seed=3)
    results = {way: function() for way, (function, _) in script.ways(tmp_path / "stays").items()}
    assert set(results) == set(script.LABELS)
    for values in results.values():
        assert values.shape == (6, 48, 99) and values.dtype == np.float32
        np.testing.assert_array_equal(values, results["ours"])
    measured = results["ours"][..., -41:]
    assert 0.05 < measured.mean() < 0.5


def test_the_loop_gives_the_same_on_real_stays(script, real_data, monkeypatch):
    if not (real_data / "physionet2012").is_dir():
        pytest.skip("no physionet2012 in TRANSPLANT_DATA")
    monkeypatch.setattr(script, "RIVALS_STAYS", 40)
    results = script.ways(real_data / "physionet2012")
    (ours, n), (loop, few) = results["ours"], results["loop"]
    assert (n, few) == (4000, 40)
    np.testing.assert_array_equal(loop(), ours()[::100])


def test_summary_takes_medians_and_ratios(script):
    speeds = {
        "ours": [(900.0, 1.0), (3000.0, 7.0), (1000.0, 2.0)],
        "loop": [(50.0, 1.0), (40.0, 1.0), (10.0, 1.0)],
        "pandas": [(10.0, 1.0)] * 3,
    }
    values = script.summarize(speeds, 4000)
    assert values["stays_per_cpu_second"] == {"ours": 1000, "loop": 40, "pandas": 10}
    assert values["cpu_seconds"] == {"ours": 4.0, "loop": 100.0, "pandas": 400.0}
    assert (values["ours_over_loop"], values["ours_over_pandas"]) == (25.0, 100.0)


def test_a_run_ends_in_one_line_of_json(script, monkeypatch, capsys):
    monkeypatch.delenv("TRANSPLANT_DATA", raising=False)
    monkeypatch.setattr(script, "QUICK", script.Size(repeats=1, at_least_s=0.001))
    assert script.main(["--quick", "--stays", "5"]) == 0
    lines = capsys.readouterr().out.strip().split("\n")
    assert lines[0].startswith("5 synthetic stays of 48 h") and "csv and loops, a stay" in "\n".join(lines[:-1])
    result = json.loads(lines[-1])
    assert (result["benchmark"], result["stays"], result["data"]) == ("icu_preparation", 5, "synthetic")
    assert set(result["stays_per_cpu_second"]) == {"ours", "loop", "pandas"}


def test_a_missing_source_is_one_line(script, tmp_path, capsys):
    assert script.main(["--quick", "--source", str(tmp_path / "nowhere")]) == 2
    error = capsys.readouterr().err.strip()
    assert "nowhere: the folder of the challenge is needed" in error and "\n" not in error

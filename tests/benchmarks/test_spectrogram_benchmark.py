"""The spectrogram benchmark: all ways give the same numbers, and its output is a table and one line of JSON."""

import importlib.util
import json
import pathlib
import sys

import numpy as np
import pytest

from transplant.signals.spectrogram import SpectrogramSettings

SCRIPT = pathlib.Path(__file__).parents[2] / "benchmarks" / "spectrogram.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("spectrogram_benchmark", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["spectrogram_benchmark"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["spectrogram_benchmark"]


@pytest.mark.parametrize("preset", ["draft", "final"])
def test_what_is_compared_gives_the_same_spectrograms(script, preset):
    frames = np.random.default_rng(0).normal(size=(3, 4096, 1)).astype(np.float32)
    settings = SpectrogramSettings(preset)
    results = {way: np.stack(list(work())) for way, work in script.ways(settings, frames).items()}
    assert set(results) == set(script.LABELS)
    for values in results.values():
        assert values.shape == (3, *settings.shape(4096), 1) and values.dtype == np.float32
        np.testing.assert_allclose(values, results["short_time_fft"], atol=1e-6 * results["short_time_fft"].max())


def test_summary_takes_medians_and_ratios(script):
    ways = {
        "ours": [(90.0, 1.0), (300.0, 7.0), (100.0, 2.0)],
        "short_time_fft": [(5.0, 1.0), (4.0, 1.0), (1.0, 1.0)],
        "stft": [(40.0, 1.0)] * 3,
    }
    values = script.summarize({"final": ways})["final"]
    assert values["frames_per_cpu_second"] == {"ours": 100, "short_time_fft": 4, "stft": 40}
    assert values["lowest_and_highest"]["ours"] == [90, 300]
    assert values["frames_per_second"]["ours"] == 2
    assert (values["ours_over_short_time_fft"], values["ours_over_stft"]) == (25.0, 2.5)


def test_a_run_ends_in_one_line_of_json(script, monkeypatch, capsys):
    monkeypatch.setattr(script, "QUICK", script.Size(repeats=1, at_least_s=0.001))
    assert script.main(["--quick", "--batch-size", "2", "--frame-size", "512"]) == 0
    lines = capsys.readouterr().out.strip().split("\n")
    assert "final: scipy ShortTimeFFT a frame" in "\n".join(lines[:-1])
    result = json.loads(lines[-1])
    assert (result["benchmark"], result["batch_size"], result["frame_size"]) == ("spectrogram", 2, 512)
    for preset in ("draft", "final"):
        assert set(result[preset]["frames_per_cpu_second"]) == {"ours", "short_time_fft", "stft"}

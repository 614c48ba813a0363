"""Settings of a spectrogram and its magnitudes in numpy, against scipy and by hand."""

import json
import subprocess
import sys

import numpy as np
import pytest
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

from transplant.errors import DataError, OptionError
from transplant.signals.magnitude_spectrogram import magnitude_spectrogram
from transplant.signals.spectrogram import SpectrogramSettings


@pytest.mark.parametrize(
    ("settings", "samples", "expected"),
    [
        (SpectrogramSettings("draft"), 4096, (64, 64)),
        (SpectrogramSettings("draft", bins=32), 4096, (32, 64)),
        (SpectrogramSettings("final"), 4096, (128, 128)),
        (SpectrogramSettings(), 16384, (128, 512)),
        (SpectrogramSettings(), 4097, (128, 129)),
        (SpectrogramSettings(), 1, (128, 1)),
    ],
)
def test_shapes_are_those_of_the_reports(settings, samples, expected):
    assert settings.shape(samples) == expected
    assert magnitude_spectrogram(np.ones(samples), settings).shape == (*expected, 1)


@pytest.mark.parametrize("settings", [SpectrogramSettings("draft", 32), SpectrogramSettings()])
def test_settings_survive_json(settings):
    assert SpectrogramSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_the_bins_of_a_preset_may_be_named():
    assert SpectrogramSettings("final", 128) == SpectrogramSettings("final")
    assert SpectrogramSettings("draft", 128) != SpectrogramSettings("draft")


@pytest.mark.parametrize(
    "arguments", [{"preset": "report"}, {"bins": 0}, {"bins": 129}, {"preset": "draft", "bins": -1}]
)
def test_settings_that_the_window_does_not_have_are_refused(arguments):
    with pytest.raises(OptionError, match="Received"):
        SpectrogramSettings(**arguments)


@pytest.mark.parametrize("change", [{"hop": 16}, {"window": 512}, {"scale": "dB"}])
def test_settings_of_another_version_are_refused(change):
    with pytest.raises(DataError, match=r"w\.npz: .*Received"):
        SpectrogramSettings.from_dict(SpectrogramSettings().to_dict() | change, "w.npz")


@pytest.mark.parametrize("preset", ["draft", "final"])
@pytest.mark.parametrize("samples", [1000, 4096, 4111])
def test_magnitudes_are_scipys(preset, samples):
    settings = SpectrogramSettings(preset)
    signal = np.random.default_rng(samples).normal(0.3, 1.0, (samples, 2))
    peer = ShortTimeFFT(hann(256, sym=False), settings.hop, fs=250.0)
    columns = settings.shape(samples)[1]
    expected = np.abs(peer.stft(signal, p0=0, p1=columns, k_offset=0, axis=0))[1 : settings.bins + 1]
    got = magnitude_spectrogram(signal, settings)
    np.testing.assert_allclose(got, expected.transpose(0, 2, 1), atol=1e-6 * expected.max())


def test_a_signal_of_one_lead_may_be_flat_and_others_are_refused():
    signal = np.random.default_rng(0).normal(size=300)
    settings = SpectrogramSettings()
    assert np.array_equal(magnitude_spectrogram(signal, settings), magnitude_spectrogram(signal[:, None], settings))
    for wrong in (np.zeros((0, 1)), np.zeros((2, 3, 4))):
        with pytest.raises(DataError, match="shape="):
            magnitude_spectrogram(wrong, settings)


def test_the_settings_load_no_numpy():
    code = "import sys, transplant.signals.spectrogram; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

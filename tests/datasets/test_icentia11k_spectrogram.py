"""The notebooks' preprocessor is what the layer computes in a model."""

import keras
import numpy as np
import pytest

from transplant.datasets.icentia11k_spectrogram import spectrogram_preprocessor
from transplant.errors import DataError, OptionError
from transplant.modules.spectrogram import Spectrogram


@pytest.mark.parametrize(("preset", "hop", "bins"), [("final", 32, 128), ("draft", 64, 64)])
def test_it_gives_what_the_layer_gives(preset, hop, bins):
    frame = np.random.default_rng(0).normal(size=(4096, 1)).astype(np.float32)
    got = spectrogram_preprocessor(frame, frame_size=4096, preset=preset)
    expected = keras.ops.convert_to_numpy(Spectrogram(hop, bins)(frame[None]))[0]
    assert got.shape == expected.shape == (bins, 4096 // hop, 1) and got.dtype == np.float32
    assert np.abs(got - expected).max() <= 1e-6 * expected.max()


def test_the_notebook_cell_gives_the_final_reports_shape():
    assert spectrogram_preprocessor(np.zeros((4096, 1)), frame_size=4096).shape == (128, 128, 1)
    assert spectrogram_preprocessor(np.zeros(16384), frame_size=16384).shape == (128, 512, 1)
    assert spectrogram_preprocessor(np.zeros(4096), preset="draft", bins=32).shape == (32, 64, 1)


@pytest.mark.parametrize("shape", [(4095,), (4096, 2), (1, 4096)])
def test_a_frame_of_another_shape_is_refused(shape):
    with pytest.raises(DataError, match="frame_size=4096"):
        spectrogram_preprocessor(np.zeros(shape))


def test_a_preset_that_is_not_there_is_refused():
    with pytest.raises(OptionError, match="draft, final"):
        spectrogram_preprocessor(np.zeros(4096), preset="report")

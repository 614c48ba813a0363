"""The spectrogram of one signal in numpy, without a network."""

import numpy as np

from transplant.errors import DataError
from transplant.signals.spectrogram import WINDOW


def magnitude_spectrogram(signal, settings):
    """Return the spectrogram of one signal, as the layer computes it in a model.

    Args:
        signal: (time, leads), or (time,) of one lead.
        settings: `SpectrogramSettings`.

    Returns:
        float32 (frequency, slice, leads), in the signal's unit times samples: a
        sine of amplitude A in the middle of a bin gives 64 A there.

    Raises:
        DataError: if `signal` has another rank, or no samples.
    """
    signal = np.asarray(signal, np.float64)
    if signal.ndim == 1:
        signal = signal[:, None]
    if signal.ndim != 2 or not len(signal):
        raise DataError(f"a signal is (time, leads) and has samples. Received: shape={signal.shape}")
    padded = np.pad(signal, ((WINDOW // 2, WINDOW // 2 - 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW, axis=0)[:: settings.hop]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    spectrum = np.fft.rfft(windows * hann)[..., 1 : settings.bins + 1]
    return np.abs(spectrum).transpose(2, 0, 1).astype(np.float32)

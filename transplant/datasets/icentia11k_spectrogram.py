"""The function by which the reports' notebooks turn a frame into a spectrogram.

In a model the layer `transplant.modules.spectrogram.Spectrogram` does the same,
so that the spectrogram is part of what is trained, saved and applied.
"""

import numpy as np

from transplant.errors import DataError
from transplant.signals.magnitude_spectrogram import magnitude_spectrogram
from transplant.signals.spectrogram import FINAL, SpectrogramSettings


def spectrogram_preprocessor(frame, frame_size=4096, preset=FINAL, bins=None):
    """Return the spectrogram of one frame of one lead.

    The reports have two: of the draft's (64, 64, 1) and of the final report's
    (128, 128, 1), each for 4,096 samples. `SpectrogramSettings` says what they
    are, and why the draft's number of bins is open.

    Args:
        frame: (frame_size,) or (frame_size, 1), standardised as the model's input is.
        frame_size: samples in the frame. Defaults to 4096.
        preset: "final" or "draft". Defaults to "final".
        bins: frequency bins. Defaults to the preset's.

    Returns:
        float32 (frequency, slice, 1): linear magnitudes.

    Raises:
        DataError: if the frame has another shape.
        OptionError: if there is no such preset or number of bins.

    Example:
        >>> spectrogram_preprocessor(np.zeros((4096, 1)), frame_size=4096).shape
        (128, 128, 1)
    """
    frame = np.asarray(frame)
    if frame.shape not in ((frame_size,), (frame_size, 1)):
        raise DataError(
            f"a frame is (frame_size,) or (frame_size, 1). Received: shape={frame.shape}, frame_size={frame_size}"
        )
    return magnitude_spectrogram(frame, SpectrogramSettings(preset, bins))

"""Which rhythm a frame shows."""

import numpy as np

from transplant.datasets.icentia11k import (
    RHYTHM_AFIB,
    RHYTHM_AFLUT,
    RHYTHM_END,
    RHYTHM_NOISE,
    RHYTHM_NORMAL,
    RHYTHM_UNDEFINED,
    ds_rhythm_names,
)
from transplant.tasks.classification import FrameClassification

_DECIDING = np.array([RHYTHM_UNDEFINED, RHYTHM_AFIB, RHYTHM_AFLUT])
_OTHERWISE = np.array([RHYTHM_END, RHYTHM_NOISE, RHYTHM_NORMAL])


def label_frames(axis, starts, frame_size):
    """Label frames by the rhythm that lasts longest in them.

    If undefined, afib or aflut lasts at all, the longest of these three;
    otherwise the longest of end, noise and normal. Ties go to the lower class.
    A frame without a known rhythm is undefined (0).

    Args:
        axis: `AnnotationAxis`.
        starts: int64 (frames,), axis positions.
        frame_size: samples in a frame.

    Returns:
        int32 (frames,), indices into `ds_rhythm_names`.

    Source: Weimann & Conrad (2021), public code; checked against its output.
    """
    durations = axis.rhythm_durations(starts, frame_size)
    deciding, otherwise = durations[:, _DECIDING], durations[:, _OTHERWISE]
    label = np.where(
        deciding.any(axis=1) | ~otherwise.any(axis=1),
        _DECIDING[deciding.argmax(axis=1)],
        _OTHERWISE[otherwise.argmax(axis=1)],
    )
    return label.astype(np.int32)


TASK = FrameClassification("rhythm", "which rhythm a frame shows", tuple(ds_rhythm_names.values()), label_frames)

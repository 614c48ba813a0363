"""Which kind of beat a frame holds."""

import numpy as np

from transplant.datasets.icentia11k import BEAT_PAC, ds_beat_names
from transplant.tasks.classification import FrameClassification


def label_frames(axis, starts, frame_size):
    """Label frames by their complete beats.

    Any premature or aberrated beat decides: the most frequent of pac,
    aberrated and pvc. Otherwise the majority of undefined and normal. Ties go
    to the lower class; a frame without beats is undefined (0).

    Args:
        axis: `AnnotationAxis`.
        starts: int64 (frames,), axis positions.
        frame_size: samples in a frame.

    Returns:
        int32 (frames,), indices into `ds_beat_names`.

    Source: Weimann & Conrad (2021), public code; checked against its output.
    """
    counts = axis.count_beats(starts, frame_size)
    ectopic = counts[:, BEAT_PAC:]
    label = np.where(ectopic.any(axis=1), BEAT_PAC + ectopic.argmax(axis=1), counts[:, :BEAT_PAC].argmax(axis=1))
    return label.astype(np.int32)


TASK = FrameClassification("beat", "which kind of beat a frame holds", tuple(ds_beat_names.values()), label_frames)

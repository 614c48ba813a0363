"""How fast the heart beats in a frame."""

import numpy as np

from transplant.datasets.icentia11k import (
    HR_BRADYCARDIA,
    HR_NOISE,
    HR_NORMAL,
    HR_TACHYCARDIA,
    ds_hr_names,
)
from transplant.tasks.classification import FrameClassification


def label_frames(axis, starts, frame_size):
    """Label frames by 60 / (mean RR interval in seconds) of their complete beats.

    Below 60 per minute: bradycardia; up to and including 100: normal; above:
    tachycardia. One complete beat or none: noise.

    Args:
        axis: `AnnotationAxis`.
        starts: int64 (frames,), axis positions.
        frame_size: samples in a frame.

    Returns:
        int32 (frames,), indices into `ds_hr_names`.

    Source: Weimann & Conrad (2021), public code; checked against its output.
    """
    first, last = axis.complete_beats(starts, frame_size)
    intervals = last - first - 1
    label = np.full(len(starts), HR_NOISE, np.int32)
    some = np.flatnonzero(intervals > 0)
    span = axis.beat_positions[last[some] - 1] - axis.beat_positions[first[some]]
    # 60 / (span / intervals / rate), multiplied out: exact in integers at 60 and 100 per minute.
    beats_a_minute_times_span = 60 * axis.sampling_rate_hz * intervals[some]
    label[some] = np.where(
        beats_a_minute_times_span < 60 * span,
        HR_BRADYCARDIA,
        np.where(beats_a_minute_times_span <= 100 * span, HR_NORMAL, HR_TACHYCARDIA),
    )
    return label


TASK = FrameClassification("hr", "how fast the heart beats in a frame", tuple(ds_hr_names.values()), label_frames)

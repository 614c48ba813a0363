"""Class names and constants of Icentia11k, shared by every annotated recording.

Source: Tan et al., "Icentia11k: an unsupervised representation learning
dataset for arrhythmia subtype discovery" (2019), and the class order of the
public Weimann-Conrad code, which trained weights depend on.
"""

import numpy as np

ds_beat_names = {0: "undefined", 1: "normal", 2: "pac", 3: "aberrated", 4: "pvc"}
ds_rhythm_names = {0: "undefined", 1: "end", 2: "noise", 3: "normal", 4: "afib", 5: "aflut"}
ds_hr_names = {0: "tachycardia", 1: "bradycardia", 2: "normal", 3: "noise"}

BEAT_UNDEFINED, BEAT_NORMAL, BEAT_PAC, BEAT_ABERRATED, BEAT_PVC = range(5)
RHYTHM_UNDEFINED, RHYTHM_END, RHYTHM_NOISE, RHYTHM_NORMAL, RHYTHM_AFIB, RHYTHM_AFLUT = range(6)
HR_TACHYCARDIA, HR_BRADYCARDIA, HR_NORMAL, HR_NOISE = range(4)

SAMPLING_RATE_HZ = 250
PAPER_MEAN_MV, PAPER_STD_MV = 0.0018, 1.3711


def rhythm_intervals_from_ends(ends, classes, length):
    """Turn the torrent's rhythm marks, which stand at a rhythm's *end*, into intervals.

    A rhythm reaches from the previous mark (or the segment's start) to its own.
    What follows the last mark inherits the last rhythm, but a frame that lies
    wholly behind that mark has none.

    Args:
        ends: sorted sample indices of the marks.
        classes: rhythm class of each mark.
        length: samples in the segment.

    Returns:
        starts, ends, classes: half-open intervals.
        known_until: sample of the last mark; 0 if there is none.
    """
    ends = np.asarray(ends, np.int64)
    classes = np.asarray(classes, np.uint8)
    if not len(ends):
        return ends, ends, classes, 0
    boundaries = np.concatenate([[0], ends, [max(length, ends[-1])]])
    return boundaries[:-1], boundaries[1:], np.append(classes, classes[-1]), int(ends[-1])

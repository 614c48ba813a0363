"""The per-sample generators of the published pattern, beside which our streams are measured."""

import numpy as np


def beat_label(classes):
    """Label one frame by the classes of its complete beats, one frame at a time as the pattern does it."""
    counts = np.bincount(classes, minlength=5)
    if counts[2:].any():
        return int(2 + counts[2:].argmax())
    return int(counts[:2].argmax())


def frames_one_by_one(patients, frame_size, samples_per_patient, mean, std, seed):
    """Yield (frame float32 (frame_size, 1), label) without end, so many frames of one patient after the other.

    Args:
        patients: list of patients, each a list of (signal float32 (time,) mV,
            beat positions, beat classes) per segment.
        frame_size: samples in a frame.
        samples_per_patient: frames of a patient before the next one's.
        mean, std: standardisation, mV.
        seed: seed of the draws.
    """
    rng = np.random.default_rng(seed)
    while True:
        for number in rng.permutation(len(patients)):
            segments = patients[number]
            for _ in range(samples_per_patient):
                signal, positions, classes = segments[rng.integers(len(segments))]
                start = rng.integers(len(signal) - frame_size + 1)
                # The first beat that ends in the frame began before it; the frame's end is inclusive.
                first = np.searchsorted(positions, start, side="left") + 1
                last = np.searchsorted(positions, start + frame_size, side="right")
                frame = (signal[start : start + frame_size, None] - mean) / std
                yield frame, beat_label(classes[first:last])


def cpc_one_by_one(patients, frame_size, context_size, ns, mean, std, seed):
    """Yield ({context, samples}, place of the positive frame) without end, one sample at a time.

    Context and positive frame follow each other in a segment drawn from all that
    are open; each negative comes from a segment drawn anew.

    Args:
        patients: as for `frames_one_by_one`.
        frame_size: samples in a frame.
        context_size: frames in the context.
        ns: negative frames.
        mean, std: standardisation, mV.
        seed: seed of the draws.
    """
    rng = np.random.default_rng(seed)

    def choose_segment():
        segments = patients[rng.integers(len(patients))]
        return segments[rng.integers(len(segments))][0]

    while True:
        signal = choose_segment()
        start = rng.integers(len(signal) - (context_size + 1) * frame_size + 1)
        context = []
        for first in range(start, start + context_size * frame_size, frame_size):
            context.append(signal[first : first + frame_size, None])
        first = start + context_size * frame_size
        samples = []
        for _ in range(ns):
            other = choose_segment()
            at = rng.integers(len(other) - frame_size + 1)
            samples.append(other[at : at + frame_size, None])
        label = int(rng.integers(ns + 1))
        samples.insert(label, signal[first : first + frame_size, None])
        yield {"context": (np.array(context) - mean) / std, "samples": (np.array(samples) - mean) / std}, label

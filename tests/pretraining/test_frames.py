"""Frames are the standardised millivolts of their places, whatever the recorders' scales."""

import numpy as np
import pytest

from pretraining.frames import BatchReader
from pretraining.packing import pack_patient
from pretraining.sampler import FrameSampler, Sampling
from transplant.datasets.record import Record
from transplant.signals.normalization import Normalization
from transplant.tasks.task import default_options, get_task

SIZE = 70


class Patient:
    """A patient in memory, as the sampler takes it."""

    working_set = 4

    def __init__(self, name, records):
        self.segments = pack_patient(name, records, 250)

    def load(self):
        """Return the `PatientSegments`."""
        return self.segments

    def expect(self):
        """Do nothing: it is in memory."""


def make_record(name, gain, baseline, seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(-900, 900, (600, len(gain)))
    signal = ((counts - np.array(baseline)) / np.array(gain)).astype(np.float32)
    signal[rng.random(signal.shape) < 0.01] = np.nan
    return Record(
        name, "p", signal, 250.0, ("MLII", "V1")[: len(gain)], beat_positions=np.array([5]),
        beat_classes=np.array([1], np.uint8), adc_gain=np.array(gain), adc_baseline=np.array(baseline),
    )  # fmt: skip


@pytest.mark.parametrize("leads", [1, 2])
@pytest.mark.parametrize("scales", [1, 3])
def test_frames_are_standardised_millivolts(leads, scales):
    gains, baselines = ([200.0, 100.0], [400.0, 50.0], [100.0, 300.0]), ([0, 30], [-20, 5], [0, 0])
    patients = [
        Patient(str(i), [make_record(f"{i}-{k}", gains[j][:leads], baselines[j][:leads], 10 * i + k)
                         for k, j in enumerate((i % scales, (i + 1) % scales))])
        for i in range(4)
    ]  # fmt: skip
    task, batch = get_task("beat"), 1200
    sampler = FrameSampler(patients, Sampling(SIZE, SIZE, 0, batch, 300, 3), 250)
    normalization = Normalization("zscore", "train", (0.25, -0.5)[:leads], (1.5, 0.75)[:leads])
    reader = BatchReader(sampler, task, default_options(task, SIZE), leads, normalization, has_gaps=True)
    frames, _ = reader.read(0)
    (draw,) = sampler.draw(0)
    opened = draw.working_set
    assert len(opened.gain) == scales
    wanted = []
    for segment, start in zip(draw.windows.segments, draw.windows.starts):
        patient = opened.patients[opened.patient_of[segment]]
        number = segment - opened.first_segments[opened.patient_of[segment]]
        wanted.append((patient.millivolts(number)[start : start + SIZE] - normalization.mean) / normalization.std)
    assert np.isnan(wanted).any()
    np.testing.assert_allclose(frames, np.nan_to_num(wanted), rtol=1e-5, atol=1e-5)

"""What a run trains on where windows are drawn from recordings."""

import functools

import numpy as np

from pretraining.data import (
    choose_normalization,
    choose_patients,
    coverage,
    lead_names,
    patient_share,
    split_patients,
    without_patients,
)
from pretraining.sampler import FrameSampler, Sampling
from pretraining.streams import frame_dataset, usable_patients, window_dataset
from pretraining.training_data import TrainingData
from pretraining.window_files import load_windows
from pretraining.window_set import WindowSet, recorder_settings, window_settings
from transplant.datasets.icentia11k import ds_beat_names
from transplant.evaluation.plots import plot_frame


class StreamData(TrainingData):
    """Windows drawn without end from the patients of a store.

    Args:
        args: options of `pretraining.trainer`.
        task: `Task`.
        store: `Store` or `LiveStore`.
        log: function that takes a line.
    """

    pass_steps = None

    def __init__(self, args, task, store, log):
        self._args, self._task, self._store = args, task, store
        self.name = store.name
        self.sampling_rate_hz = store.sampling_rate_hz
        patients, left_out = usable_patients(choose_patients(store, args.patient_ids), task.window_size(args))
        for patient, reason in left_out:
            log(f"left out: patient {patient}: {reason}")
        if left_out:
            log(f"{len(left_out)} of {len(left_out) + len(patients)} patients left out")
        from_file = None
        if args.val_file:
            from_file = load_windows(args.val_file, task, args, **recorder_settings(store))
            train, self._held_out = without_patients(patients, from_file.patients, args.val_file), []
        else:
            train, self._held_out = split_patients(patients, args.val_patients, args.seed)
        self._train = patient_share(train, args.patient_fraction, args.seed)
        self.training_patients = [p.patient for p in self._train]
        self.working_set = self._train[0].working_set
        self.validation_patients = from_file.patients if from_file else [p.patient for p in self._held_out]
        self.leads = lead_names(self._train)
        self._from_file = from_file

    @property
    def fingerprint(self):
        """Hex digest of the store."""
        return self._store.fingerprint

    @functools.cached_property
    def normalization(self):
        """The standardisation that `--normalization` names; zipped files are read for it."""
        return choose_normalization(self._args.normalization, self._store, self._train)

    @functools.cached_property
    def validation(self):
        """The validation windows; they are drawn, and written where `--cache-val` says, when first asked for."""
        if not self._held_out:
            return self._from_file and self._from_file.normalized_as(self.normalization)
        args = self._args
        steps = -(-args.val_size // args.batch_size)
        samples = args.val_samples_per_patient or max(1, args.val_size // len(self._held_out))
        # A seed of its own: the validation windows are the same whatever the training stream does.
        batches = self._windows(self._held_out, args.seed + 1_000_003, samples, steps, draw=window_dataset)
        settings = window_settings(self._task, args) | recorder_settings(self._store)
        leads = lead_names(self._held_out)
        drawn = WindowSet.draw(batches, args.val_size, self.validation_patients, settings, leads, self.normalization)
        if args.cache_val:
            drawn.save(args.cache_val)
        return drawn

    def dataset(self, steps, first_step=0):
        """Return finished training batches."""
        return self._windows(self._train, self._args.seed, self._args.samples_per_patient, steps, first_step)

    def first_labels(self):
        """Return the labels of the first batches."""
        args = self._args
        first = self._windows(self._train, args.seed, args.samples_per_patient, 8, draw=window_dataset)
        return np.concatenate([labels.numpy() for _, labels in first])

    def _windows(self, patients, seed, samples, steps, first_step=0, draw=frame_dataset):
        args = self._args
        return draw(
            self._store, patients, self._task, args, self.normalization, args.batch_size, samples, seed, steps,
            first_step=first_step,
        )  # fmt: skip

    def coverage(self, steps_per_epoch):
        """Return the line that compares what a run draws with a pass over the patients."""
        args = self._args
        return coverage(len(self._train), args.samples_per_patient, args.epochs, args.batch_size, steps_per_epoch)

    def plot_first_frame(self, path):
        """Draw the first frame of the stream with its beats."""
        args = self._args
        size = self._task.window_size(args)
        sampling = Sampling(size, args.frame_size, 0, args.batch_size, args.samples_per_patient, args.seed)
        draw = FrameSampler(self._train, sampling, self.sampling_rate_hz).draw(0)[0]
        number, start = int(draw.windows.segments[0]), int(draw.windows.starts[0])
        opened, owner = draw.working_set, draw.working_set.patient_of[number]
        patient, segment = opened.patients[owner], number - int(opened.first_segments[owner])
        beats = patient.annotations[segment]
        inside = (beats.beat_positions >= start) & (beats.beat_positions < start + args.frame_size)
        plot_frame(
            patient.millivolts(segment)[start : start + args.frame_size],
            self.sampling_rate_hz,
            beats.beat_positions[inside] - start,
            [ds_beat_names[int(c)] for c in beats.beat_classes[inside]],
            path,
            title=f"{patient.records[segment]}, {start / self.sampling_rate_hz:.1f} s",
            leads=patient.leads[segment],
        )

"""What a run trains on where the windows are given in a file."""

import pathlib

import numpy as np

from pretraining.data import patient_share, split_patients
from pretraining.sources import canonical_id, select_patients
from pretraining.training_data import TrainingData
from pretraining.window_files import load_windows
from transplant.errors import OptionError, SplitError
from transplant.evaluation.plots import plot_frame


class FileData(TrainingData):
    """The windows of one file, in a new order in every pass.

    Patients are held out by the id that the file has for each window. Windows of
    cpc are not divided: their negatives come from other patients.

    Args:
        args: options of `pretraining.trainer`.
        task: `Task`.
        log: function that takes a line.
    """

    def __init__(self, args, task, log):
        self._args, self._task = args, task
        path = pathlib.Path(args.train)
        log(f"training on the windows of {path}, all of them in a pass")
        windows = load_windows(path, task, args)
        own = "paper" if windows.normalization.source.startswith("paper:") else "train"
        if args.normalization not in ("train", own):
            raise OptionError(
                f"--normalization {args.normalization} is for recordings: the windows of {path} are standardised, "
                f"{windows.normalization}. Leave it out"
            )
        self.name, self.fingerprint = path.name, windows.digest()
        self.leads, self.normalization = windows.lead_names, windows.normalization
        self.sampling_rate_hz = windows.settings["sampling_rate_hz"]
        self._train, self.validation = _divide(windows, args, task, path, log)
        if self.validation is not None:
            self.validation = self.validation.normalized_as(self.normalization)
        if args.cache_val:
            if self.validation is None:
                raise OptionError(
                    f"--cache-val needs validation windows. Received: none held out of {path}; leave it out"
                )
            self.validation.save(args.cache_val)
        self.training_patients = self._train.patients
        self.working_set = None
        self.validation_patients = self.validation.patients if self.validation else []
        self.pass_steps = -(-len(self._train) // args.batch_size)

    def dataset(self, steps, first_step=0):
        """Return finished training batches."""
        args = self._args
        return self._train.shuffled_batches(args.batch_size, self._task, args, args.seed, steps, first_step)

    def first_labels(self):
        """Return all labels."""
        return self._train.labels

    def coverage(self, steps_per_epoch):
        """Return the line that compares what a run draws with the file."""
        args = self._args
        drawn = args.epochs * args.batch_size * steps_per_epoch
        return (
            f"coverage: {len(self._train):,} windows in a pass; {args.epochs} epochs x batch {args.batch_size} x "
            f"{steps_per_epoch:,} steps = {drawn:,} windows, {drawn / len(self._train):.2f} passes"
        )

    def plot_first_frame(self, path):
        """Draw the first frame of the file; it has no beats."""
        first = next(iter(self._train.inputs.values()))[0]
        frame = first.reshape(-1, *first.shape[-2:])[0]
        millivolts = self.normalization.invert(frame)
        plot_frame(millivolts, self.sampling_rate_hz, [], [], path, title=f"{self.name}, window 0", leads=self.leads)


def _divide(windows, args, task, path, log):
    """Return training windows, and validation windows or None."""
    recorder = {key: windows.settings[key] for key in ("sampling_rate_hz", "leads")}
    validation = load_windows(args.val_file, task, args, **recorder) if args.val_file else None
    if windows.owners is None:
        return _divide_without_owners(windows, validation, args, path), validation
    held_out = validation.patients if validation else []
    patients = select_patients(windows.patients, args.patient_ids)
    if not validation and args.val_patients:
        if task.name == "cpc":
            log("no patients are held out of a file of cpc: negatives of any window may be theirs")
        else:
            patients, held_out = split_patients(patients, args.val_patients, args.seed)
            validation = windows.select(np.isin(windows.owners, held_out))
    excluded = {canonical_id(p) for p in held_out}
    patients = [p for p in patients if canonical_id(p) not in excluded]
    if not patients:
        raise SplitError(f"{path}: no patient is left to train on. Received: all of them in {args.val_file}")
    return windows.select(
        np.isin(windows.owners, patient_share(patients, args.patient_fraction, args.seed))
    ), validation


def _divide_without_owners(windows, validation, args, path):
    """Return the training windows of a file that does not say which patient a window is of."""
    needing = {
        "--val-patients": args.val_patients and not validation,
        "--patient-ids": args.patient_ids,
        "--patient-fraction": args.patient_fraction < 1,
    }
    if asked := [flag for flag, value in needing.items() if value]:
        raise OptionError(
            f"{path}: {' and '.join(asked)} needs a file with a patient id for each window. Received: none; "
            "use --val-patients 0, or --val-file"
        )
    validated = validation.patients if validation else []
    shared = {canonical_id(p) for p in windows.patients} & {canonical_id(p) for p in validated}
    if shared:
        raise SplitError(
            f"{path} and {args.val_file} share patients. Received: {', '.join(sorted(shared)[:4])}; "
            "validate on other patients"
        )
    return windows

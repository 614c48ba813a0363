"""The live door: train straight from Icentia11k's zipped files, without a store."""

import functools
import hashlib
import os
import pathlib
import shutil

import numpy as np

from pretraining.sources import select_patients
from pretraining.spool import PatientSpool
from transplant.datasets.icentia11k import SAMPLING_RATE_HZ
from transplant.datasets.icentia11k_files import LEAD, Icentia11kFiles, record_names
from transplant.errors import DataError, OptionError
from transplant.signals.moments import Moments
from transplant.signals.normalization import normalization_of

# Half a store's: while one set is drawn from, the next is decoded, and a patient takes 210 MB.
WORKING_SET = 8
# Both sets, 3.4 GB of 50 segments each.
DECODED_PATIENTS = 2 * WORKING_SET
# More do not change the constants, which are means over 50 million samples each.
NORMALIZATION_PATIENTS = 8
FINGERPRINT_SAMPLES = 4096
# Every so many samples; a recording's mean does not need its neighbours.
NORMALIZATION_STRIDE = 8


class LivePatient:
    """A patient whose files are decoded when they are needed; stands in for `StoredPatient`.

    Attributes:
        patient: patient id.
        invalid_samples: 1, for how many there are is not known before the files
            are decoded: the stream looks for them.
    """

    working_set = WORKING_SET
    dtype = "float32"
    invalid_samples = 1

    def __init__(self, files, number, spool):
        self.patient = str(number)
        self._files = files
        self._number = number
        self._spool = spool

    @functools.cached_property
    def lengths(self):
        """Samples of each segment, by the head of the signal file."""
        segments, samples = self._files.signal_shape(self._number)
        return [samples] * segments

    @property
    def records(self):
        """Record names, one per segment."""
        return record_names(self._number, len(self.lengths))

    @property
    def leads(self):
        """Per segment, the lead names."""
        return [[LEAD]] * len(self.lengths)

    def frame_starts(self, frame_size):
        """Return int64 (segments,): how many frames of this size start in each segment."""
        return np.maximum(np.array(self.lengths, np.int64) - frame_size + 1, 0)

    def problem(self):
        """Return why the patient's files cannot be used, or None; looks at their heads only."""
        try:
            self._files.label_file(self._number)
            self.lengths  # noqa: B018
        except DataError as error:
            return str(error)
        return None

    def expect(self):
        """Have the patient decoded in the background, for `load`."""
        self._spool.expect(self._number)

    def load(self):
        """Return the patient's `PatientSegments`, the signal memory-mapped.

        Raises:
            DataError: if the files cannot be used.
        """
        return self._spool.load(self._number)

    def digest(self):
        """Return bytes that tell the patient from others: of its id, shape and first samples.

        A file that was damaged further on and fetched again, or unzipped, is
        the same patient still: a run may go on with it.
        """
        shape, head = self._files.signal_head(self._number, FINGERPRINT_SAMPLES)
        return hashlib.sha256(f"{self.patient} {shape}".encode() + head.tobytes()).digest()


class LiveStore:
    """Patients that are decoded while a network trains; stands in for `Store`.

    Use it as a context manager: it ends the processes that decode and deletes
    what they wrote.

    Args:
        files: `Icentia11kFiles`.
        patients: patient ids.
        seed: decides who the normalisation is computed from.
        spool_dir: folder that decoded patients are written below.
        workers: processes that decode.
        log: function that takes a line.
    """

    dataset = Icentia11kFiles.dataset
    sampling_rate_hz = float(SAMPLING_RATE_HZ)
    lead_choices = (LEAD,)
    n_leads = 1

    def __init__(self, files, patients, seed, spool_dir, workers, log):
        self.path = files.path
        self.name = files.name
        self._seed = seed
        self._log = log
        self._spool = PatientSpool(files, spool_dir, DECODED_PATIENTS, workers)
        self.patients = [LivePatient(files, int(patient), self._spool) for patient in patients]

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._spool.close()

    @functools.cached_property
    def fingerprint(self):
        """Hex digest of the rate and of each patient's id, shape and first samples."""
        digest = hashlib.sha256(f"live {self.sampling_rate_hz}".encode())
        for patient in self.patients:
            if patient.problem() is None:
                digest.update(patient.digest())
        return digest.hexdigest()[:16]

    def normalization(self, patients):
        """Return the standardisation computed from a few of these patients, always the same ones of a seed.

        Raises:
            DataError: if their signal never changes.
        """
        order = np.random.default_rng((self._seed, len(patients))).permutation(len(patients))
        chosen = [patients[i] for i in np.sort(order[:NORMALIZATION_PATIENTS])]
        self._log(f"normalisation: computed from {len(chosen)} of {len(patients)} training patients, drawn by the seed")
        for patient in chosen:
            patient.expect()
        try:
            return normalization_of(functools.reduce(Moments.pool, map(_moments, chosen)))
        except DataError as error:
            raise DataError(f"{self.path}: {error}") from error


def _moments(patient):
    signal = patient.load().signal
    # A memory-mapped patient as float64 would not fit beside the others.
    parts = np.array_split(signal[::NORMALIZATION_STRIDE], 16)
    return functools.reduce(Moments.pool, map(Moments.of, parts))


def open_live(files, patient_ids, seed, spool_dir, workers=None, log=print):
    """Open Icentia11k's zipped files for training, without preparing a store.

    Args:
        files: `Icentia11kFiles`.
        patient_ids: ids of the patients, or None for all.
        seed: decides who the normalisation is computed from.
        spool_dir: folder that decoded patients are written below.
        workers: processes that decode; None for half the processors, at most 4.
        log: function that takes a line.

    Returns:
        `LiveStore`.

    Raises:
        OptionError: if the source is not of such files, or lacks a wanted patient.
        DataError: if the disk of the spool folder is too small.
    """
    if not isinstance(files, Icentia11kFiles):
        raise OptionError(
            "training without a store needs Icentia11k's files (00000_batched.pkl.gz or .npy). "
            f"Received: {files.name}; prepare a store with pretraining.prepare"
        )
    patients = select_patients(files.patients(), patient_ids)
    # One process decodes faster than most machines train; the rest is for the training.
    workers = workers or max(1, min(4, (os.cpu_count() or 1) // 2))
    count = min(len(patients), DECODED_PATIENTS)
    needed = count * _largest(files, patients)
    spool_dir = pathlib.Path(spool_dir).absolute()
    free = shutil.disk_usage(next(path for path in (spool_dir, *spool_dir.parents) if path.exists())).free
    log(
        f"training straight from the files of {len(patients)} patients; {workers} processes decode up to {count} "
        f"patients at a time into {spool_dir}: about {needed / 2**20:,.0f} MiB, {free / 2**20:,.0f} MiB free"
    )
    if needed > 0.95 * free:
        raise DataError(
            f"{spool_dir}: decoded patients need about {needed / 2**30:,.1f} GiB. Received: a disk with "
            f"{free / 2**30:,.1f} GiB free; choose another one"
        )
    return LiveStore(files, patients, seed, spool_dir, workers, log)


def _largest(files, patients):
    """Return the bytes of the largest of some twenty decoded patients."""
    sizes = [0]
    for patient in patients[:: max(len(patients) // 20, 1)]:
        try:
            segments, samples = files.signal_shape(int(patient))
            sizes.append(segments * samples * 4)
        except DataError:
            # Whoever asks for the patient will hear what is wrong.
            continue
    return max(sizes)

"""Icentia11k as its torrent and the public code hold it: one file of signals and one of labels a patient."""

import collections.abc
import os
import pathlib
import re
import statistics

import numpy as np

from transplant.datasets.adc_gain import find_gain
from transplant.datasets.icentia11k import SAMPLING_RATE_HZ, rhythm_intervals_from_ends
from transplant.datasets.icentia11k_labels import load_labels
from transplant.datasets.icentia11k_signals import first_values, open_signal
from transplant.datasets.record import Record
from transplant.errors import DataError

LEAD = "ECG"
# Where a patient has several files, the first that is there is read: it needs the least work.
# The replication names raw pickles .npz; what a file holds is told by its first bytes.
SIGNAL_SUFFIXES = ("_batched.npy", "_batched.npz", "_batched.pkl", "_batched.pkl.gz")
LABEL_SUFFIXES = ("_batched_lbls.npz", "_batched_lbls.npy", "_batched_lbls.pkl", "_batched_lbls.pkl.gz")
_FILE = re.compile(r"^(\d{5}|[1-9]\d{5,})_batched(_lbls)?\.(npy|npz|pkl|pkl\.gz)$")
_RECORD = re.compile(r"^p(\d{5,})_s(\d+)$")


def has_icentia11k_files(path):
    """Return whether a folder holds such files; the first one found decides."""
    try:
        with os.scandir(path) as entries:
            return any(_FILE.match(entry.name) for entry in entries)
    except OSError:
        return False


class Icentia11kFiles:
    """A folder of patients, each zipped as in the torrent or unzipped as by the public code.

    Args:
        path: the folder. Zipped and unzipped patients may lie side by side; of a
            patient that is there in both forms the unzipped one is read.

    Raises:
        DataError: if there is no such folder or no such file in it.

    Example:
        >>> files = Icentia11kFiles("icentia11k")
        >>> record = files.read(files.patients()["12"][0])
    """

    dataset = "icentia11k"
    one_process = False

    def __init__(self, path):
        self.path = pathlib.Path(path)
        if not self.path.is_dir():
            raise DataError(f"{path}: a folder of Icentia11k files is needed. Received: no such folder; check the path")
        self._patients = None
        self._loaded = None, None, None

    def __getstate__(self):
        # Worker processes are given the folder, not the list of all its files or a patient's signal.
        return {"path": self.path, "_patients": None, "_loaded": (None, None, None)}

    @property
    def name(self):
        """Name of the folder."""
        return self.path.resolve().name

    def patients(self):
        """Return a mapping of patient id to its record names, sorted.

        Records are counted when a patient is asked for: the first bytes of its
        signal file tell how many segments it has.
        """
        if self._patients is None:
            with os.scandir(self.path) as entries:
                numbers = {int(found.group(1)) for found in (_FILE.match(e.name) for e in entries) if found}
            if not numbers:
                raise DataError(
                    f"{self.path}: Icentia11k files are needed (00000_batched.pkl.gz or .npy, and 00000_batched_lbls). "
                    "Received: a folder without any; check the path"
                )
            self._patients = _Records(self, sorted(numbers))
        return self._patients

    def expected_samples(self, records, rate_hz):
        """Estimate the size of records from the heads of some twenty signal files.

        Args:
            records: record names, as in `patients()`.
            rate_hz: rate they would be resampled to.

        Returns:
            Samples per lead after resampling (0 where no head can be read), and
            bytes per sample: 2 if the rate stays, else 4.
        """
        numbers, sizes = list(dict.fromkeys(_number_of(record) for record in records)), []
        for number in numbers[:: max(len(numbers) // 20, 1)]:
            try:
                sizes.append(self.signal_shape(number)[1])
            except DataError:
                # Reading will report a bad file with its name; the estimate does without.
                continue
        samples = statistics.median(sizes) * len(records) * rate_hz / SAMPLING_RATE_HZ if sizes else 0.0
        return samples, 2 if rate_hz == SAMPLING_RATE_HZ else 4

    def read(self, record):
        """Read one record. The files of a patient are read once for all its records that follow each other.

        Args:
            record: a name that `patients` returned, e.g. "p00012_s03".

        Returns:
            A `Record`: float32 mV, with gain and baseline where the signal gives them away.

        Raises:
            UnsafeFileError: if a file asks for code to be run.
            DataError: if signal or labels are missing, cut short, unreadable or
                of different patients.
        """
        number, segment = _number_of(record), int(_RECORD.match(record).group(2))
        if self._loaded[0] != number:
            self._loaded = None, None, None
            # Labels first: they are small, and a patient without them is not inflated in vain.
            labels = self.labels(number)
            with open_signal(self.signal_file(number)) as opened:
                self.check_labels(number, labels, opened.shape)
                signal = opened.read()
            self._loaded = number, signal, labels
        _, signal, labels = self._loaded
        if segment >= len(signal):
            raise DataError(f"{record}: patient {number} has {len(signal)} segments; check the name")
        values = np.asarray(signal[segment], np.float32)
        gain, baseline = find_gain(values) or (None, None)
        starts, ends, classes, known_until = segment_rhythms(labels[segment], len(values))
        return Record(
            name=record,
            patient=str(number),
            signal=values[:, None],
            sampling_rate_hz=float(SAMPLING_RATE_HZ),
            leads=(LEAD,),
            beat_positions=labels[segment].beat_positions,
            beat_classes=labels[segment].beat_classes,
            rhythm_starts=starts,
            rhythm_ends=ends,
            rhythm_classes=classes,
            rhythm_known_until=known_until,
            adc_gain=None if gain is None else np.array([gain]),
            adc_baseline=None if gain is None else np.array([baseline]),
        )

    def signal_file(self, number):
        """Return the path of a patient's signal; `DataError` if there is none."""
        file = self._find(number, SIGNAL_SUFFIXES)
        if file is None:
            raise self._lacking(self._find(number, LABEL_SUFFIXES), f"{number:05d}_batched.pkl.gz or .npy")
        return file

    def label_file(self, number):
        """Return the path of a patient's labels; `DataError` if there are none."""
        file = self._find(number, LABEL_SUFFIXES)
        if file is None:
            raise self._lacking(self._find(number, SIGNAL_SUFFIXES), f"{number:05d}_batched_lbls.pkl.gz or .npz")
        return file

    def signal_shape(self, number):
        """Return (segments, samples) of a patient from the head of its signal file.

        Raises:
            DataError: if the file is missing or does not begin as such a file does.
        """
        with open_signal(self.signal_file(number)) as signal:
            return signal.shape

    def signal_head(self, number, count):
        """Return (segments, samples) of a patient and its first `count` values, float32 mV; `DataError` as above."""
        with open_signal(self.signal_file(number)) as signal:
            return signal.shape, first_values(signal, min(count, signal.shape[1]))

    def labels(self, number):
        """Return the list of `SegmentLabels` of a patient."""
        return load_labels(self.label_file(number))

    def check_labels(self, number, labels, shape):
        """Refuse labels that do not belong to a signal of shape (segments, samples)."""
        problem = None
        if len(labels) != shape[0]:
            problem = f"labels of {len(labels)} segments, signals of {shape[0]}"
        for i, segment in enumerate(labels):
            for positions in (segment.beat_positions, segment.rhythm_ends):
                # A mark may stand right behind the last sample, as the end of what it ends.
                if len(positions) and (positions[0] < 0 or positions[-1] > shape[1]):
                    problem = problem or f"marks from {positions[0]} to {positions[-1]} on {shape[1]} samples, s{i:02d}"
        if problem:
            raise DataError(
                f"{self.label_file(number)}: labels must belong to {self.signal_file(number).name}. "
                f"Received: {problem}; fetch both files again or leave the patient out (--skip-bad)"
            )

    def _find(self, number, suffixes):
        """Return the first of a patient's files that is there, or None."""
        files = (self.path / f"{number:05d}{suffix}" for suffix in suffixes)
        return next((file for file in files if file.is_file()), None)

    def _lacking(self, file, other):
        return DataError(
            f"{file or self.path}: a patient is signals and labels. Received: no {other} beside it; "
            "fetch it, or leave the patient out (--skip-bad)"
        )


class _Records(collections.abc.Mapping):
    """Patient id -> record names, looked up when asked for."""

    def __init__(self, files, numbers):
        self._files = files
        self._numbers = {str(number): number for number in numbers}

    def __getitem__(self, patient):
        number = self._numbers[patient]
        try:
            segments = self._files.signal_shape(number)[0]
        except DataError:
            # Reading the first record will say what is wrong with the patient.
            segments = 1
        return record_names(number, segments)

    def __iter__(self):
        return iter(self._numbers)

    def __len__(self):
        return len(self._numbers)


def record_names(number, segments):
    """Return the record names of a patient, as PhysioNet names them: p00012_s00, p00012_s01, ..."""
    return [f"p{number:05d}_s{segment:02d}" for segment in range(segments)]


def segment_rhythms(labels, length):
    """Return `rhythm_intervals_from_ends` of a segment, neighbours of one rhythm joined.

    The torrent has a rhythm mark at every beat.
    """
    ends, classes = labels.rhythm_ends, labels.rhythm_classes
    last = np.append(classes[1:] != classes[:-1], True)[: len(classes)]
    return rhythm_intervals_from_ends(ends[last], classes[last], length)


def _number_of(record):
    return int(_RECORD.match(record).group(1))

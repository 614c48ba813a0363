"""Where pretraining recordings come from: a folder on disk, or the embedded synthetic ones."""

import dataclasses
import os

from pretraining.tfds_source import PREFIX
from transplant.errors import DataError, OptionError

# Lead names in order of preference where the user names none: the monitoring
# lead of MIT-BIH, then the limb lead II it modifies, then what single-lead
# devices call theirs, then the chest leads of the two MIT-BIH records without MLII.
DEFAULT_LEAD = "MLII|II|ECG|ECG1|I|V5|V2|V1"

SYNTHETIC = "synthetic"


@dataclasses.dataclass(frozen=True)
class SyntheticSource:
    """The embedded recordings: `n_patients` of `duration_s` seconds each at 250 Hz."""

    dataset = SYNTHETIC
    # Patients are made faster than processes start.
    one_process = True

    n_patients: int = 100
    duration_s: float = 180.0
    seed: int = 2024

    @property
    def name(self):
        """Name that the store records; the number of patients may grow."""
        return f"synthetic ({self.duration_s:g} s each, seed {self.seed})"

    def patients(self):
        """Return dict patient id -> list of record keys."""
        return {str(i): [i] for i in range(self.n_patients)}

    def read(self, record):
        """Return the `Record` of a key."""
        from transplant.datasets.synthetic import long_recording

        return long_recording(self.seed, record, self.duration_s)

    def expected_samples(self, records, rate_hz):
        """Return (samples per lead after resampling, bytes per sample)."""
        return len(records) * self.duration_s * rate_hz, 2 if rate_hz == 250 else 4


def open_source(spec, synthetic_patients=100, synthetic_seconds=180.0, seed=2024):
    """Return the source that `--source` or `--train` names.

    Args:
        spec: "synthetic"; "tfds:NAME", a data set that TensorFlow Datasets has
            prepared; or a folder of annotated recordings: WFDB records (.hea, .dat,
            .atr), or Icentia11k's files of its torrent, zipped or unzipped.

    Returns:
        An object with `name`, `dataset`, `one_process`, `patients()`, `read(record)` and
        `expected_samples(records, rate_hz)`.

    Raises:
        DataError: if the folder is missing, holds no such records, or both kinds.
    """
    if str(spec) == SYNTHETIC:
        return SyntheticSource(synthetic_patients, synthetic_seconds, seed)
    if str(spec).startswith(PREFIX):
        from pretraining.tfds_source import TfdsSource

        return TfdsSource(spec)
    source = _open_folder(spec)
    source.patients()
    return source


def _open_folder(path):
    """Return the source of the one layout that a folder is in."""
    from transplant.datasets.icentia11k_files import Icentia11kFiles, has_icentia11k_files
    from transplant.datasets.wfdb_directory import WfdbDirectory

    wfdb_file = next(_wfdb_files(path), None)
    if has_icentia11k_files(path):
        if wfdb_file:
            raise DataError(
                f"{path}: a folder holds recordings of one layout. Received: Icentia11k's files and WFDB records "
                f"({wfdb_file}); put each into a folder of its own"
            )
        return Icentia11kFiles(path)
    if os.path.isdir(path) and not wfdb_file and not os.path.isfile(os.path.join(path, "RECORDS")):
        inside = [entry.path for entry in os.scandir(path) if entry.is_dir() and has_icentia11k_files(entry.path)]
        raise DataError(
            f"{path}: annotated recordings are needed: WFDB records (.hea, .dat, .atr), or Icentia11k's files "
            "(00000_batched.pkl.gz or .npy, and 00000_batched_lbls). Received: a folder without any; "
            + (f"name the folder inside it, {min(inside)}" if inside else "check the path")
        )
    return WfdbDirectory(path)


def _wfdb_files(folder):
    """Yield the paths of WFDB headers and annotations in a folder and below it."""
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (os.path.join(parent, f) for f in files if f.endswith((".hea", ".atr")) and not f.startswith("."))


def canonical_id(patient):
    """Return a patient id without the zeros and the letter that publishers put before its number."""
    digits = patient[1:] if patient[:1] in ("p", "P") and patient[1:].isdigit() else patient
    return str(int(digits)) if digits.isdigit() else patient


def select_patients(available, wanted):
    """Return the patients of `available` that `wanted` names, in the order of `available`.

    Numbers match whatever their zeros: 7, 00007 and p00007 are one patient.

    Args:
        available: iterable of patient ids.
        wanted: iterable of ids, or None for all.

    Raises:
        OptionError: if a wanted patient is not there.
    """
    available = list(available)
    if wanted is None:
        return available
    keys = {canonical_id(str(p)) for p in wanted}
    missing = keys - {canonical_id(p) for p in available}
    if missing or not keys:
        raise OptionError(
            f"--patient-ids must name patients that are there: {len(available)}, from {available[0]} to "
            f"{available[-1]}. Received: {', '.join(sorted(missing)[:5]) or 'none'}"
        )
    return [p for p in available if canonical_id(p) in keys]

"""Where pretraining recordings come from: a folder on disk, or the embedded synthetic ones."""

import dataclasses
import pathlib
import re

from transplant.errors import DataError, OptionError

# Lead names in order of preference where the user names none: the monitoring
# lead of MIT-BIH, then the limb lead II it modifies, then what single-lead
# devices call theirs, then the chest leads of the two MIT-BIH records without MLII.
DEFAULT_LEAD = "MLII|II|ECG|ECG1|I|V5|V2|V1"

SYNTHETIC = "synthetic"
_ICENTIA_RECORD = re.compile(r"p\d{5}_s\d\d$")


@dataclasses.dataclass(frozen=True)
class SyntheticSource:
    """The embedded recordings: `n_patients` of `duration_s` seconds each at 250 Hz."""

    dataset = SYNTHETIC

    n_patients: int = 24
    duration_s: float = 600.0
    seed: int = 2024

    @property
    def name(self):
        """Name that the store records."""
        return f"synthetic({self.n_patients} patients, {self.duration_s:g} s, seed {self.seed})"

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


@dataclasses.dataclass(frozen=True)
class WfdbSource:
    """A folder of annotated WFDB records: MIT-BIH, Icentia11k as PhysioNet distributes it, one's own."""

    path: str

    @property
    def name(self):
        """Name that the store records."""
        return pathlib.Path(self.path).resolve().name

    @property
    def dataset(self):
        """ "icentia11k" where the records are named as PhysioNet names its own, else "wfdb"."""
        first = next(iter(self.patients().values()))[0]
        return "icentia11k" if _ICENTIA_RECORD.match(pathlib.PurePath(first).name) else "wfdb"

    def patients(self):
        """Return dict patient id -> list of record keys."""
        from transplant.datasets.wfdb_directory import WfdbDirectory

        return WfdbDirectory(self.path).patients()

    def read(self, record):
        """Return the `Record` of a key."""
        from transplant.datasets.wfdb_directory import WfdbDirectory

        return WfdbDirectory(self.path).read(record)

    def expected_samples(self, records, rate_hz):
        """Return (samples per lead after resampling, bytes per sample) from a few headers.

        Signal files of one data set have one layout, so the mean of up to 20
        headers, spread over the list, stands for the rest.
        """
        import wfdb

        total, same_rate, read = 0.0, True, 0
        for record in records[:: max(len(records) // 20, 1)]:
            try:
                header = wfdb.rdheader(str(pathlib.Path(self.path) / record))
            except Exception:
                continue
            total += header.sig_len * rate_hz / header.fs
            same_rate &= header.fs == rate_hz
            read += 1
        return (total / read * len(records) if read else 0.0), 2 if same_rate else 4


def open_source(spec, synthetic_patients=24, synthetic_seconds=600.0, seed=2024):
    """Return the source that `--source` or `--train` names.

    Args:
        spec: "synthetic", or a folder of annotated WFDB records.

    Raises:
        DataError: if the folder is missing or holds no such records.
    """
    if str(spec) == SYNTHETIC:
        return SyntheticSource(synthetic_patients, synthetic_seconds, seed)
    path = pathlib.Path(spec)
    if not path.is_dir():
        raise DataError(f"{path}: no such folder; give a folder of annotated WFDB records, or `synthetic`")
    source = WfdbSource(str(path))
    if not source.patients():
        raise DataError(f"{path}: annotated WFDB records (.hea with .dat and .atr) are needed. Received: none")
    return source


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

    def canonical(patient):
        digits = patient[1:] if patient[:1] == "p" and patient[1:].isdigit() else patient
        return str(int(digits)) if digits.isdigit() else patient

    keys = {canonical(str(p)) for p in wanted}
    missing = keys - {canonical(p) for p in available}
    if missing:
        raise OptionError(
            f"--patient-ids names patients that are not there: {', '.join(sorted(missing)[:5])}. "
            f"There are {len(available)}, from {available[0]} to {available[-1]}"
        )
    return [p for p in available if canonical(p) in keys]

"""PAMAP2 physical activity monitoring: heart rate and three inertial units of nine people in twelve activities.

Source: Reiss and Stricker, "Introducing a new benchmarked dataset for activity monitoring" (2012); windows after
Hong et al., "RDPD" (2019): 5.12 s at 50 Hz, one every second.
"""

import dataclasses
import pathlib
import re

import numpy as np

from transplant.datasets.labelled_set import LabelledSet
from transplant.datasets.record_source import Skipped
from transplant.datasets.whole_set import WholeSet
from transplant.errors import DataError
from transplant.signals.resample import resample

NAME = "pamap2"
ACTIVITIES = {
    1: "lying", 2: "sitting", 3: "standing", 4: "walking", 5: "running", 6: "cycling", 7: "Nordic walking",
    12: "ascending stairs", 13: "descending stairs", 16: "vacuum cleaning", 17: "ironing", 24: "rope jumping",
}  # fmt: skip
CODES, CLASSES = tuple(ACTIVITIES), tuple(ACTIVITIES.values())
_OTHER_ACTIVITIES = (9, 10, 11, 18, 19, 20)  # of the optional part: watching TV, working, driving, ...
UNITS = ("hand", "chest", "ankle")
_OF_UNIT = (
    "temperature",
    *(f"{sensor}-{axis}" for sensor in ("accel16g", "accel6g", "gyro", "magnetometer") for axis in "xyz"),
    *(f"orientation-{number}" for number in range(1, 5)),
)
LEADS = ("heart-rate", *(f"{unit}-{channel}" for unit in UNITS for channel in _OF_UNIT))
FILE_RATE_HZ, RATE_HZ = 100.0, 50.0
SAMPLES, STEP = 256, 50
TEST_SUBJECT = "101"

_FILE_NAME = re.compile(r"subject(\d+)\.dat$")
_COLUMNS = 54  # time, activity, heart rate, 3 x 17
_UNLABELLED = 0


def read_pamap2(source, *, skipped=None, on_record=None):
    """Read the protocol's files as windows of one activity each.

    The heart rate is noted about nine times a second and stands until the next one; samples that a unit's
    radio lost are bridged by what came before. (The first ones of a file have what comes after.) Stretches of one
    activity are brought to 50 Hz and cut; what is no activity of the protocol is dropped, and no window holds two.
    Orientation, which the data's authors call invalid, is kept, as the 52 published channels have it.

    Args:
        source: folder of subject101.dat ... (`Protocol`), or the one above it.
        skipped: a list that receives a `Skipped` for every file that cannot be used. Defaults to None: such a file is
            an error.
        on_record: called after each file. Defaults to None.

    Returns:
        `WholeSet` of (windows, 256, 52); group_ids are the subjects. Subject 101 is the published test.

    Raises:
        DataError: if there are no files, or one is not as it should be.
    """
    parts = {}
    for subject, file in _find_files(pathlib.Path(source)).items():
        try:
            parts[subject] = _read_subject(file)
        except DataError as error:
            if skipped is None:
                raise
            skipped.append(Skipped(file.name, str(error)))
        if on_record is not None:
            on_record()
    if not sum(len(part.y) for part in parts.values()):
        raise DataError(f"{source}: windows of an activity are needed. Received: none; check the files")
    groups = [subject for subject, part in parts.items() for _ in part.y]
    values, lost = (sum(getattr(part, name) for part in parts.values()) for name in ("values", "lost"))
    data = LabelledSet(
        x=np.concatenate([part.x for part in parts.values()]),
        lengths=np.full(len(groups), SAMPLES),
        y=np.concatenate([part.y for part in parts.values()]),
        classes=CLASSES,
        record_ids=[f"{subject}-{number:05d}" for subject, part in parts.items() for number in range(len(part.y))],
        group_ids=groups,
        sampling_rate_hz=RATE_HZ,
        leads=LEADS,
        dataset=NAME,
        label_version="protocol",
        unit="mixed",
        notes=(f"{lost / values:.2%} of the values of the inertial units were lost by radio and are bridged",),
    )
    is_test = np.array(groups) == TEST_SUBJECT
    return WholeSet(data, is_test if 0 < is_test.sum() < len(is_test) else None)


@dataclasses.dataclass(frozen=True)
class _Subject:
    """Windows x (n, 256, 52) and their classes y; values that the units should have given, and those lost."""

    x: np.ndarray
    y: np.ndarray
    values: int
    lost: int


def _find_files(source):
    """Return dict subject -> file, in order."""
    folder = source / "Protocol" if (source / "Protocol").is_dir() else source
    found = {}
    for file in sorted(folder.glob("subject*.dat")) if folder.is_dir() else []:
        if match := _FILE_NAME.match(file.name):
            found[match[1]] = file
    if not found:
        raise DataError(
            f"{source}: subject101.dat to subject109.dat are needed. Received: none of them; get PAMAP2 Physical "
            "Activity Monitoring (UCI's data set 231)"
        )
    return found


def _read_subject(file):
    import pandas as pd

    table = _read_table(file)
    activity, values = table[:, 1], table[:, 2:]
    missing = np.isnan(values)
    if missing[:, 0].all():
        raise DataError(f"{file}: a heart rate is needed. Received: none in {len(table):,} rows; leave the file out")
    for column in np.flatnonzero(missing.all(axis=0)):
        raise DataError(f"{file}: every channel is needed. Received: no value of {LEADS[column]}; leave the file out")
    # The last known value stands until the next one; before the first there is none.
    values = pd.DataFrame(values).ffill().bfill().to_numpy()
    windows, labels = [], []
    edges = np.flatnonzero(np.diff(activity)) + 1
    for first, last in zip([0, *edges], [*edges, len(activity)]):
        code = int(activity[first])
        if code not in ACTIVITIES:
            continue
        stretch = resample(values[first:last], FILE_RATE_HZ, RATE_HZ)
        for begin in range(0, len(stretch) - SAMPLES + 1, STEP):
            windows.append(stretch[begin : begin + SAMPLES])
            labels.append(CODES.index(code))
    return _Subject(
        np.stack(windows) if windows else np.zeros((0, SAMPLES, len(LEADS)), np.float32),
        np.array(labels, np.int64),
        missing[:, 1:].size,
        int(missing[:, 1:].sum()),
    )


def _read_table(file):
    """Return the rows of a file as float64 (rows, 54)."""
    import pandas as pd

    try:
        table = pd.read_csv(file, sep=" ", header=None, dtype=np.float64, na_values="NaN").to_numpy()
    except (ValueError, OSError) as error:  # pandas' own errors and those of decoding are ValueErrors
        raise DataError(f"{file}: rows of {_COLUMNS} numbers are needed. Received: {error}; fetch it again") from error
    if table.shape[1] != _COLUMNS:
        raise DataError(
            f"{file}: rows of {_COLUMNS} numbers are needed. Received: {table.shape[1]} columns; fetch it again"
        )
    known = {_UNLABELLED, *ACTIVITIES, *_OTHER_ACTIVITIES}
    odd = ~np.isin(table[:, 1], list(known))
    if odd.any():
        line, numbers = int(np.flatnonzero(odd)[0]) + 1, ", ".join(map(str, sorted(known)))
        raise DataError(
            f"{file}: line {line}: an activity is one of {numbers}. Received: {table[line - 1, 1]:g}; fetch it again"
        )
    return table

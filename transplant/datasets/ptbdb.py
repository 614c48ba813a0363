"""PTB diagnostic ECG database: 15 leads of 290 subjects, by the reason for their admission.

Source: Bousseljot et al., "Nutzung der EKG-Signaldatenbank CARDIODAT der PTB ueber das Internet" (1995); windows after
Hong et al., "RDPD" (2019): 10 s at 200 Hz, one every 5 s.
"""

import os
import pathlib
import re

import numpy as np

from transplant.datasets.labelled_set import LabelledSet
from transplant.datasets.record_source import Skipped
from transplant.datasets.wfdb_directory import read_comments, read_signal
from transplant.datasets.whole_set import WholeSet
from transplant.errors import DataError, shorten
from transplant.signals.resample import resample

NAME = "ptbdb"
CLASSES = (
    "myocardial infarction", "healthy", "cardiomyopathy or heart failure", "bundle branch block", "dysrhythmia",
    "hypertrophy",
)  # fmt: skip
LEADS = ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6", "vx", "vy", "vz")
RATE_HZ = 200.0
SAMPLES, STEP = 2000, 1000

_REASON = "reason for admission:"
# The six largest groups of the reasons that headers give, in lower case; the paper does not list them.
_GROUPS = {
    "myocardial infarction": r"myocardial infarction$",
    "healthy": r"healthy control$",
    "cardiomyopathy or heart failure": r"cardiomyopathy$|heart failure",
    "bundle branch block": r"bundle branch block$",
    "dysrhythmia": r"dysrhythmia$",
    "hypertrophy": r".*hypertrophy$",
}
_SUBJECT = re.compile(r"patient\d+$")


def read_ptbdb(source, *, skipped=None, on_record=None):
    """Read the records as windows of 10 s.

    A record's class is the reason for admission in its header: one of the six largest groups, heart failures of
    every NYHA class with cardiomyopathies, both spellings of hypertrophy in one. Records of other
    reasons, or of none, are left out and counted. Signals are in millivolts, at 200 Hz.

    Args:
        source: folder of patient001/, patient002/ ..., or one of these.
        skipped: a list that receives a `Skipped` for every record that cannot be used. Defaults to None: such a
            record is an error.
        on_record: called after each record. Defaults to None.

    Returns:
        `WholeSet` of (windows, 2000, 15); group_ids are the subjects.

    Raises:
        DataError: if there are no records, or one is not as it should be.
    """
    x, y, names, groups, others = [], [], [], [], {}
    for subject, record in _find_records(pathlib.Path(source)):
        name = f"{subject}/{os.path.basename(record)}"
        windows = []
        try:
            group = group_of(read_comments(record))
            if group in CLASSES:
                windows = _windows(record)
            else:
                others[group] = others.get(group, 0) + 1
        except DataError as error:
            if skipped is None:
                raise
            skipped.append(Skipped(name, str(error)))
        for number, window in enumerate(windows):
            x.append(window)
            y.append(CLASSES.index(group))
            names.append(f"{name}-{5 * number:03d}s")
            groups.append(subject)
        if on_record is not None:
            on_record()
    if not y:
        raise DataError(f"{source}: records of {', '.join(CLASSES)} are needed. Received: none; give more records")
    by_count = sorted(others.items(), key=lambda item: -item[1])
    left_out = shorten([f"{count} of {group}" for group, count in by_count], 12)
    data = LabelledSet(
        x=np.stack(x),
        lengths=np.full(len(y), SAMPLES),
        y=y,
        classes=CLASSES,
        record_ids=names,
        group_ids=groups,
        sampling_rate_hz=RATE_HZ,
        leads=LEADS,
        dataset=NAME,
        label_version="six groups",
        notes=(f"records of other reasons for admission are left out: {left_out or 'none'}",),
    )
    return WholeSet(data)


def group_of(comments):
    """Return the group of a header's comments: a class, another reason for admission, or "no reason".

    Args:
        comments: list of lines.
    """
    for line in comments:
        text = line.strip().lower()
        if text.startswith(_REASON):
            reason = text.removeprefix(_REASON).strip()
            for group, pattern in _GROUPS.items():
                if re.match(pattern, reason):
                    return group
            return reason if reason not in ("", "n/a") else "no reason"
    return "no reason"


def _find_records(source):
    """Return (subject, path without extension) of every record, in order."""
    folders = [source] if _SUBJECT.match(source.name) else sorted(source.glob("patient*"))
    found = [
        (folder.name, os.fspath(header.with_suffix("")))
        for folder in folders
        if _SUBJECT.match(folder.name)
        for header in sorted(folder.glob("*.hea"))
    ]
    if not found:
        raise DataError(
            f"{source}: folders patient001, patient002 ... of records are needed. Received: none; get the PTB "
            "Diagnostic ECG Database (PhysioNet, ptbdb)"
        )
    return found


def _windows(record):
    """Return float32 (windows, samples, leads) in mV of a record."""
    signal, rate, leads, _, _ = read_signal(record)
    lower = [lead.lower() for lead in leads]
    absent = [lead for lead in LEADS if lead not in lower]
    if absent:
        raise DataError(f"{record}.hea: leads {', '.join(LEADS)} are needed. Received: no {', '.join(absent)}")
    signal = resample(signal[:, [lower.index(lead) for lead in LEADS]], rate, RATE_HZ)
    starts = range(0, len(signal) - SAMPLES + 1, STEP)
    windows = [signal[start : start + SAMPLES] for start in starts]
    kept = [window for window in windows if np.isfinite(window).all()]
    if not kept:
        raise DataError(
            f"{record}: {SAMPLES / RATE_HZ:g} s of valid samples are needed. Received: {len(signal) / RATE_HZ:g} s, "
            f"{len(windows)} windows with invalid ones; leave the record out (--skip-bad)"
        )
    return kept

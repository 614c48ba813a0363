"""What a distilled file must say to be judged, and whether the real records are of its kind."""

import numpy as np

from distillation.condensation.architectures import JUDGES
from transplant.errors import DataError

_ORIGIN = ("method", "dataset", "label_version", "arch", "width", "options", "data", "fingerprints")
_DICTS = ("options", "data", "fingerprints")
_OWN_STEPS = ("init", "scheme", "seed")  # options of a set that is trained on by its own steps
_KIND = ("input_shape", "classes", "leads", "indicators", "unit", "sampling_rate_hz")


def check_origin(path, distilled):
    """Refuse a set that does not say what it was distilled from and for, or has not as many examples of each class.

    Args:
        path: of the file, for messages.
        distilled: `DistilledSet`.

    Raises:
        DataError: if so.
    """
    origin = distilled.provenance
    missing = [name for name in _ORIGIN if name not in origin]
    missing += [name for name in _DICTS if name in origin and not isinstance(origin[name], dict)]
    if not missing and origin["arch"] not in JUDGES:
        missing = [f"network that is known here, but {origin['arch']},"]
    if not missing and distilled.is_ordered:
        missing = [name for name in _OWN_STEPS if name not in origin["options"]]
    if missing:
        raise DataError(
            f"{path}: a set that is judged says what it was distilled from and for. Received: no {', '.join(missing)} "
            "in its provenance; make it with distillation.condensation.trainer"
        )
    counts = np.bincount(distilled.y, minlength=len(distilled.classes))
    if counts.min() != counts.max():
        raise DataError(
            f"{path}: a set that is judged has as many examples of each class. Received: {counts.min()} to "
            f"{counts.max()}; make it with distillation.condensation.trainer"
        )


def check_records(path, distilled, problem):
    """Refuse real records of another kind than the examples.

    Args:
        path: of the file, for messages.
        distilled: `DistilledSet`.
        problem: `Problem` of the real records.

    Returns:
        Whether they are the very records that the set was distilled from.

    Raises:
        DataError: if classes, channels, rate, shape, unit, labels, or who standardised them differ.
    """
    data, origin = problem.train, distilled.provenance
    pairs = {what: (getattr(distilled, what), getattr(data, what)) for what in _KIND}
    pairs["label_version"] = origin["label_version"], data.label_version
    pairs["is_standardised"] = distilled.normalization.source == "file", data.is_standardised
    for what, (of_set, of_records) in pairs.items():
        if of_set != of_records:
            raise DataError(
                f"{path}: the examples and the real records have the same {what}. Received: {of_set}, and "
                f"{of_records} of the records; give the data it was distilled from"
            )
    return origin["fingerprints"].get("train") == data.fingerprint()

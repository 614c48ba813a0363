"""Problems and distilled sets made by hand, of records of `labelled_sets`."""

import numpy as np

from distillation.condensation.distilled_set import DistilledSet
from distillation.problem import Problem
from transplant.signals.normalization import Normalization

OPTIONS = {"seed": 5, "init": "random", "scheme": "uniform", "augment": False}


def divided(data, *shares):
    """Return the records in the order in which they stand, in parts that hold so many each."""
    ends = np.cumsum(shares)
    return [data.select(np.arange(end - share, end)) for share, end in zip(shares, ends)]


def normalization_by_hand(data):
    """Return the standardisation by the means and deviations of records without padding; indicators stay."""
    columns = np.asarray(data.x, np.float64).reshape(-1, data.x.shape[-1])
    kept = np.isin(data.leads, data.indicators)
    mean, std = (np.where(kept, still, found) for still, found in ((0, columns.mean(0)), (1, columns.std(0))))
    return Normalization("zscore", "train", tuple(mean.tolist()), tuple(std.tolist()))


def problem_of(train, validation, test, normalization=None):
    """Return the `Problem` of three parts, standardised by the training part if nothing else is given."""
    return Problem(train, validation, test, normalization or normalization_by_hand(train))


def made_set(train, per_class=2, options=(), provenance=(), **changes):
    """Return a `DistilledSet` of the first records of each class, as a trainer leaves one.

    Args:
        train: `LabelledSet` of the training part.
        per_class: examples of each class. Defaults to 2.
        options, provenance: dicts of what differs in the method's options and in the provenance. Default to nothing.
        **changes: of the set's own attributes.
    """
    y = np.repeat(np.arange(len(train.classes)), per_class)
    rows = np.concatenate([np.resize(np.flatnonzero(train.y == label), per_class) for label in np.unique(y)])
    normalization = normalization_by_hand(train)
    values = {
        "x": (train.x[rows] - np.array(normalization.mean)) / np.array(normalization.std),
        "y": y,
        "targets": np.eye(len(train.classes))[y],
        "rates": (),
        "step": np.zeros(len(y)),
        "classes": train.classes,
        "leads": train.leads,
        "indicators": train.indicators,
        "unit": train.unit,
        "sampling_rate_hz": train.sampling_rate_hz,
        "normalization": normalization,
        "provenance": {
            "method": "random",
            "arch": "logistic",
            "width": None,
            "options": OPTIONS | dict(options),
            "data": {},
            "dataset": train.dataset,
            "label_version": train.label_version,
            "fingerprints": {"train": train.fingerprint()},
        }
        | dict(provenance),
    }
    return DistilledSet(**(values | changes))

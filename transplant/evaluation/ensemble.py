"""One prediction from several runs on the same records."""

import collections

import numpy as np
from scipy.special import softmax

from transplant.errors import DataError, OptionError, shorten
from transplant.evaluation.probabilities import log_probabilities, probability_rows

MEANS = ("arithmetic", "geometric")


def ensemble_predictions(runs, mean="arithmetic"):
    """Average the probabilities of several runs, record by record.

    Records and classes are matched by name. Either mean has at most the
    average log loss of its members. The arithmetic mean says how often the
    members would be right; it is less confident than they are wherever they
    disagree. The geometric mean is the softmax of their mean logits: members
    that agree in their order of the classes keep their sharpness, so that
    calibrated members need no new temperature; but a class that one member
    rules out is all but ruled out.

    Args:
        runs: predictions as `read_predictions` returns them: dicts with `y_prob`
            (records, classes), `classes`, `record_names` and, where labels are
            known, `y_true` (records, classes).
        mean: "arithmetic" or "geometric" (renormalised). Defaults to "arithmetic".

    Returns:
        A dict of the same form in the first run's order of records and classes.

    Raises:
        DataError: if the runs differ in records, classes or labels, or name a record twice.
        OptionError: if the mean is unknown.

    Source: Genest and Zidek, "Combining Probability Distributions", Statistical
    Science 1 (1986): linear and logarithmic opinion pools.
    """
    if mean not in MEANS:
        raise OptionError(f"The mean of an ensemble is {' or '.join(MEANS)}. Received: {mean}")
    runs = list(runs)
    if not runs:
        raise DataError("An ensemble needs the predictions of at least one run. Received: none")
    first = runs[0]
    aligned = [_aligned(run, first, number) for number, run in enumerate(runs, start=1)]
    if mean == "arithmetic":
        y_prob = np.mean([run["y_prob"] for run in aligned], axis=0)
    else:
        y_prob = softmax(np.mean([log_probabilities(run["y_prob"]) for run in aligned], axis=0), axis=1)
    result = {"y_prob": y_prob, "classes": list(first["classes"]), "record_names": list(first["record_names"])}
    labels = [run["y_true"] for run in aligned if "y_true" in run]
    if labels:
        differing = np.flatnonzero(np.any([(one != labels[0]).any(axis=1) for one in labels], axis=0))
        if differing.size:
            names = shorten([first["record_names"][row] for row in differing])
            raise DataError(f"Runs of an ensemble share their labels. Received: different ones for {names}")
        result["y_true"] = labels[0]
    return result


def _aligned(run, first, number):
    """Return the run's arrays with records and classes in the order of the first run."""
    if "record_names" not in run:
        raise DataError(f"Runs of an ensemble are matched by record name. Received: none in run {number}")
    rows = _positions(run["record_names"], first["record_names"], "records", number)
    columns = _positions(run["classes"], first["classes"], "classes", number)
    arrays = {"y_prob": probability_rows(run["y_prob"])[rows][:, columns]}
    if "y_true" in run:
        arrays["y_true"] = np.asarray(run["y_true"])[rows][:, columns]
    return arrays


def _positions(names, wanted, what, number):
    """Return where each wanted name stands in `names`, which must hold the same names, each once."""
    names, wanted = [str(name) for name in names], [str(name) for name in wanted]
    position = {name: index for index, name in enumerate(names)}
    if len(position) < len(names):
        twice = shorten(name for name, count in collections.Counter(names).items() if count > 1)
        raise DataError(f"Each of a run's {what} has a name of its own. Received: {twice} repeated in run {number}")
    missing = [name for name in wanted if name not in position]
    extra = set(names) - set(wanted)
    if missing or extra:
        raise DataError(
            f"Runs of an ensemble have the same {what}. Received: run {number} lacks {shorten(missing)} and has "
            f"{shorten(sorted(extra))} besides; give runs of one fold or test set"
        )
    return [position[name] for name in wanted]

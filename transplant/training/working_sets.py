"""How a pass divides its patients into sets that are opened together."""

import numpy as np


def set_bounds(n_patients, working_set):
    """Return where the working sets of a pass begin, and its end, int64 (sets + 1,).

    The sets are of like size: a last one of a patient or two would fill batches with them.

    Args:
        n_patients: patients in a pass.
        working_set: patients opened together, at most.
    """
    n_sets = -(-n_patients // working_set)
    return np.arange(n_sets + 1) * n_patients // n_sets


def patients_visited(windows, n_patients, working_set, samples_per_patient):
    """Return how many patients a run has opened after so many windows; each set is opened whole.

    Args:
        windows: drawn so far, one or more.
        n_patients, working_set: as for `set_bounds`.
        samples_per_patient: windows of a patient in a pass.
    """
    bounds = set_bounds(n_patients, working_set)
    return int(bounds[np.searchsorted(bounds[:-1] * samples_per_patient, windows - 1, side="right")])

"""Folds that leave out one record, or one group, at a time."""

import collections.abc

import numpy as np

from transplant.errors import SplitError, shorten


class LeftOutFolds(collections.abc.Sequence):
    """Folds whose test parts are given; each training part is made when it is asked for.

    The training parts of a leave-one-out of thousands of records would take
    gigabytes together.

    Args:
        n_records: records in all.
        tests: list of int64 arrays, the test indices of each fold.

    Example:
        >>> folds = LeftOutFolds(3, [np.array([0]), np.array([1, 2])])
        >>> folds[1]
        (array([0]), array([1, 2]))
    """

    def __init__(self, n_records, tests):
        self.n_records = n_records
        self._tests = tests

    def __len__(self):
        return len(self._tests)

    def __getitem__(self, fold):
        """Return (train indices, test indices) of a fold, int64; of a slice the folds in it."""
        if isinstance(fold, slice):
            return LeftOutFolds(self.n_records, self._tests[fold])
        test = self._tests[fold]
        stays = np.ones(self.n_records, bool)
        stays[test] = False
        return np.flatnonzero(stays), test.copy()


def leave_one_out(y, groups, record_ids=None, classes=None):
    """Return one fold for each record, in which it alone is tested.

    Args:
        y: (records,) class indices.
        groups: (records,) group of each record; each must be of one record.
        record_ids: (records,) names, used in error messages.
        classes: class names, used in error messages.

    Returns:
        `LeftOutFolds`, a sequence of (train indices, test indices), in the order of the records.

    Raises:
        SplitError: if a group has several records, or a class one only.
    """
    y, groups = np.asarray(y), np.asarray(groups)
    names, counts = np.unique(groups, return_counts=True)
    if len(names) < len(groups):
        shared = [f"{name} with {count}" for name, count in zip(names[counts > 1], counts[counts > 1])]
        raise SplitError(
            "leave-one-out would train on other records of the patient or recording that it tests. Received: "
            f"{len(groups)} records of {len(names)} groups ({shorten(shared)}); leave one group out instead (logo), "
            "or split at random"
        )
    for index, count in zip(*np.unique(y, return_counts=True)):
        if count < 2:
            which = np.flatnonzero(y == index)[0]
            record = f" ({record_ids[which]})" if record_ids is not None else ""
            raise SplitError(
                f"leave-one-out trains on records of every class. Received: 1 record of class "
                f"{_class_name(index, classes)}{record}; give more records of it or leave the class out"
            )
    if not len(y):
        raise SplitError("leave-one-out needs 2 records or more. Received: none; give records")
    return LeftOutFolds(len(y), np.arange(len(y))[:, None])


def leave_one_group_out(groups, y=None, classes=None):
    """Return one fold for each group, in which its records are tested; sorted by the groups' names.

    Args:
        groups: (records,) group of each record, e.g. its patient.
        y: (records,) class indices; if given, a training part without a class is refused.
        classes: class names, used in error messages.

    Returns:
        `LeftOutFolds`, a sequence of (train indices, test indices).

    Raises:
        SplitError: if there is one group only, or all records of a class are of one group.
    """
    groups = np.asarray(groups)
    names, group_of, counts = np.unique(groups, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise SplitError(
            f"leave-one-group-out needs 2 groups (patients or recordings) or more. Received: {shorten(names)}; "
            "give records of others too"
        )
    if y is not None:
        y = np.asarray(y)
        for index in np.unique(y):
            of_class = np.unique(group_of[y == index])
            if len(of_class) < 2:
                raise SplitError(
                    "leave-one-group-out trains on records of every class. Received: all of class "
                    f"{_class_name(index, classes)} in group {names[of_class[0]]}; give records of it from other "
                    "patients or recordings, or leave the class out"
                )
    members = np.argsort(group_of, kind="stable").astype(np.int64)
    return LeftOutFolds(len(groups), np.split(members, np.cumsum(counts)[:-1]))


def _class_name(index, classes):
    return str(index) if classes is None else str(classes[int(index)])

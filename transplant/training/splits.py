"""Divide records by class, never within a patient."""

import fractions
import warnings

import numpy as np

from transplant.errors import SplitError
from transplant.training.leave_one_out import leave_one_group_out, leave_one_out

# scikit-learn deals groups one by one, each to the fold where it evens out the classes: 0.7 ms a group. Of more groups
# than this, those of one main class are dealt at random, which is as even.
MOST_GROUPS_ONE_BY_ONE = 5000


def stratified_split(y, groups, size, seed, record_ids=None, classes=None):
    """Hold out a share or a number of the records, each class in its proportion, each group whole.

    Where every group is one record this is scikit-learn's `train_test_split`,
    as in the public Weimann-Conrad code (6,822 records at 0.0625 give 6,395
    and 427), and a number is met exactly. Otherwise the records are dealt into
    as many folds of whole groups as the share needs, and the first choice of
    folds that keeps every class on both sides is held out. A number is then
    approached further: groups change sides, one by one or one for another, as
    long as that comes nearer and leaves every class on both sides.

    Args:
        y: (records,) class indices.
        groups: (records,) group of each record, e.g. its patient.
        size: what to hold out: a share in (0, 1), or a whole number of records from 1.
        seed: same seed, same split.
        record_ids: (records,) names, used in error messages.
        classes: class names, used in error messages.

    Returns:
        rest, held_out: sorted int64 indices; how many were held out is the length of the second.

    Raises:
        SplitError: if the size is neither, or a class has too few records or
            groups to be on both sides.
    """
    y, groups = np.asarray(y), np.asarray(groups)
    size = _checked_size(size, len(y))
    for index in np.unique(y):
        members = np.flatnonzero(y == index)
        if len(np.unique(groups[members])) < 2:
            raise SplitError(_too_few(index, members, groups, record_ids, classes, 2))
    if len(np.unique(groups)) == len(groups):
        held_out = _split_records(y, size, seed, classes)
    else:
        held_out = _split_groups(y, groups, size if size < 1 else size / len(y), seed)
        if size >= 1:
            held_out = _approach(y, groups, held_out, size)
    chosen = np.zeros(len(y), bool)
    chosen[held_out] = True
    for index in np.unique(y):
        members = y == index
        if not (chosen & members).any() or not (~chosen & members).any():
            raise SplitError(
                f"each class must be on both sides of a split. Received: {members.sum()} records of class "
                f"{_class_name(index, classes)}, of which {_in_words(size)} leaves one side without any; "
                "give more records of it or another size"
            )
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def stratified_folds(y, groups, n_folds, seed, classes=None):
    """Deal the records into folds, each class in its proportion, each group whole.

    Args:
        y: (records,) class indices.
        groups: (records,) group of each record.
        n_folds: number of folds.
        seed: same seed, same folds.
        classes: class names, used in error messages.

    Returns:
        A list of (train indices, test indices); each record is in one test part.

    Raises:
        SplitError: if a class has fewer records or groups than there are folds.
    """
    from sklearn.model_selection import StratifiedKFold

    y, groups = np.asarray(y), np.asarray(groups)
    if n_folds < 2:
        raise SplitError(f"cross-validation needs 2 folds or more. Received: {n_folds}")
    for index in np.unique(y):
        members = np.flatnonzero(y == index)
        if len(np.unique(groups[members])) < n_folds:
            raise SplitError(_too_few(index, members, groups, None, classes, n_folds))
    if len(np.unique(groups)) == len(groups):
        tests = [test for _, test in StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(y, y)]
    else:
        tests = _group_folds(y, groups, n_folds, seed)
    return [(np.setdiff1d(np.arange(len(y)), test), test.astype(np.int64)) for test in tests]


def make_folds(y, groups, folds, seed, classes=None, record_ids=None):
    """Return the folds of a cross-validation of any kind.

    Args:
        y: (records,) class indices.
        groups: (records,) group of each record.
        folds: what `parse_folds` returns: the number of stratified folds, "loo" or "logo".
        seed: of the stratified folds; leaving out one by one draws nothing.
        classes: class names, used in error messages.
        record_ids: (records,) names, used in error messages.

    Returns:
        A sequence of (train indices, test indices), int64; each record is in one test part.

    Raises:
        SplitError: if the records cannot be divided so.
    """
    if folds == "loo":
        return leave_one_out(y, groups, record_ids, classes)
    if folds == "logo":
        return leave_one_group_out(groups, y, classes)
    return stratified_folds(y, groups, folds, seed, classes)


def stratified_subset(y, share, seed, classes=None):
    """Return sorted indices of a share of the records: of each class its share.

    Args:
        y: (records,) class indices.
        share: in (0, 1]; 1 returns every record.
        seed: same seed, same subset. A smaller share is part of a larger one.
        classes: class names, used in error messages.

    Raises:
        SplitError: if the share leaves no record of a class.
    """
    y = np.asarray(y)
    if not 0 < share <= 1:
        raise SplitError(f"a share is above 0 and at most 1. Received: {share}")
    rng = np.random.default_rng(seed)
    kept = []
    for index in np.unique(y):
        members = rng.permutation(np.flatnonzero(y == index))
        count = round(share * len(members))
        if not count:
            raise SplitError(
                f"a subset needs a record of every class. Received: {share:g} of the {len(members)} record(s) of "
                f"{_class_name(index, classes)}; take more"
            )
        kept.append(members[:count])
    return np.sort(np.concatenate(kept)) if kept else np.zeros(0, np.int64)


def check_disjoint(groups_a, groups_b, names=("training", "test"), what="patient"):
    """Refuse two parts that share a patient.

    Args:
        groups_a, groups_b: groups of the records in each part.
        names: what the parts are called in the message.
        what: what a group is. Defaults to "patient".

    Raises:
        SplitError: naming the shared groups.
    """
    shared = np.intersect1d(np.asarray(groups_a, np.str_), np.asarray(groups_b, np.str_))
    if len(shared):
        first = ", ".join(shared[:5].tolist()) + (", ..." if len(shared) > 5 else "")
        raise SplitError(
            f"a {what} must not be in both {names[0]} and {names[1]}. Received: {len(shared)} in both ({first}); "
            "split again by patient"
        )


def _checked_size(size, n_records):
    """Return the share as it is, a number of records as int."""
    if 0 < size < 1:
        return size
    if size < 1 or size != size // 1:
        raise SplitError(f"a share lies between 0 and 1, a number of records is whole and at least 1. Received: {size}")
    if size >= n_records:
        raise SplitError(
            f"a split leaves records on both sides. Received: {size:g} to hold out of {n_records}; hold out fewer"
        )
    return int(size)


def _in_words(size):
    return f"a share of {size:g}" if size < 1 else f"holding out {size}"


def _split_records(y, size, seed, classes):
    from sklearn.model_selection import train_test_split

    try:
        return train_test_split(np.arange(len(y)), test_size=size, random_state=seed, stratify=y)[1]
    except ValueError as error:
        counts = ", ".join(f"{_class_name(c, classes)} {n}" for c, n in zip(*np.unique(y, return_counts=True)))
        raise SplitError(
            f"a stratified split needs at least a record of each class on both sides. Received: {counts} and "
            f"{_in_words(size)} ({error})"
        ) from error


def _split_groups(y, groups, size, seed):
    """Return held-out indices made of whole folds of groups."""
    smallest = min(len(np.unique(groups[y == index])) for index in np.unique(y))
    best = None
    # Fine folds meet the share best; coarse ones get a rare class onto both sides.
    for most in (min(20, len(np.unique(groups))), smallest):
        n_folds, n_held = _share_in_folds(size, most)
        tests = _group_folds(y, groups, n_folds, seed)
        for first in range(n_folds):
            held = np.concatenate([tests[(first + i) % n_folds] for i in range(n_held)])
            rest = np.setdiff1d(np.arange(len(y)), held)
            missing = 2 * len(np.unique(y)) - len(np.unique(y[held])) - len(np.unique(y[rest]))
            score = (missing, abs(len(held) / len(y) - size))
            if best is None or score < best[0]:
                best = (score, held)
        if best[0][0] == 0:
            break
    return best[1]


def _approach(y, groups, held_out, count):
    """Return held-out indices nearer to `count` of them: groups change sides, or places with one another."""
    names, group_of = np.unique(groups, return_inverse=True)
    table = _class_table(y, group_of)
    # A last row without records stands for "no group", so that a move is an exchange with it.
    table = np.vstack([table, np.zeros_like(table[:1])])
    sizes, total, nobody = table.sum(axis=1), table.sum(axis=0), len(names)
    is_held = np.zeros(len(names), bool)
    is_held[group_of[held_out]] = True
    while True:
        out, into = (np.append(np.flatnonzero(side), nobody) for side in (is_held, ~is_held))
        have = table[:-1][is_held].sum(axis=0)
        exchange = _nearest_exchange(table, sizes, out, into, have, total, count)
        if exchange is None:
            return np.flatnonzero(is_held[group_of])
        for group in exchange:
            if group != nobody:
                is_held[group] = not is_held[group]


def _nearest_exchange(table, sizes, out, into, have, total, count):
    """Return (group out, group in) that brings the held-out records nearest to `count`; None if none comes nearer."""
    short = count - have.sum()
    sizes_out, sizes_in = np.unique(sizes[out]), np.unique(sizes[into])
    left = np.abs(short - (sizes_in[None] - sizes_out[:, None]))
    wanted = total * (count / total.sum())
    for flat in np.argsort(left, axis=None, kind="stable"):
        row, column = np.unravel_index(flat, left.shape)
        if left[row, column] >= abs(short):
            return None
        takes = into[sizes[into] == sizes_in[column]]
        for gives in out[sizes[out] == sizes_out[row]]:
            after = have - table[gives] + table[takes]
            allowed = np.flatnonzero(((after > 0) & (after < total)).all(axis=1))
            if len(allowed):
                # Of groups of one size, the one that keeps the classes nearest to their proportions.
                return gives, takes[allowed[np.abs(after[allowed] - wanted).sum(axis=1).argmin()]]
    return None


def _group_folds(y, groups, n_folds, seed):
    """Return the test indices of stratified folds of whole groups."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    names, group_of = np.unique(groups, return_inverse=True)
    with warnings.catch_warnings():
        # Said when a class has fewer records than folds; the caller sees to it that every class is on both sides.
        warnings.simplefilter("ignore", UserWarning)
        if len(names) <= MOST_GROUPS_ONE_BY_ONE:
            folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed).split(y, y, groups)
            return [test for _, test in folds]
        main = _class_table(y, group_of).argmax(axis=1)
        folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(main, main)
        return [np.flatnonzero(np.isin(group_of, test)) for _, test in folds]


def _class_table(y, group_of):
    """Return int64 (groups, classes present), the records of each class in each group."""
    classes, y_index = np.unique(y, return_inverse=True)
    table = np.zeros((group_of.max() + 1, len(classes)), np.int64)
    np.add.at(table, (group_of, y_index), 1)
    return table


def _share_in_folds(size, most):
    """Return (folds, folds held out) whose ratio is nearest to `size` with at most `most` folds."""
    most = max(most, 2)
    choices = [(abs(held / folds - size), folds, held) for folds in range(2, most + 1) for held in range(1, folds)]
    _, folds, held = min(choices)
    ratio = fractions.Fraction(held, folds)
    return ratio.denominator, ratio.numerator


def _class_name(index, classes):
    return str(index) if classes is None else str(classes[int(index)])


def _too_few(index, members, groups, record_ids, classes, needed):
    n_groups = len(np.unique(groups[members]))
    have = f"{len(members)} record{'s' if len(members) != 1 else ''}"
    if n_groups < len(members):
        have += f" of {n_groups} patient{'s or recordings' if n_groups != 1 else ' or recording'}"
    if record_ids is not None:
        named = np.asarray(record_ids)[members][:3].tolist()
        have += f" ({', '.join(map(str, named))}{', ...' if len(members) > 3 else ''})"
    return (
        f"class {_class_name(index, classes)} needs records of at least {needed} patients or recordings to be "
        f"divided. Received: {have}; give more records of it or do not split"
    )

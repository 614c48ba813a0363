"""The control that sees only how long a record is."""

import numpy as np


def length_only_probabilities(lengths, y, n_classes, parts):
    """Return the held-out probabilities of a decision tree on the records' lengths.

    Balanced class weights, at least five records a leaf. What a network gains
    over it, it gained from the signal.

    Args:
        lengths: (records,), samples.
        y: int (records,), class indices.
        n_classes: number of classes.
        parts: iterable of (training rows, held-out rows).

    Returns:
        float64 (records, classes); 0 for records that no part holds out.
    """
    from sklearn.tree import DecisionTreeClassifier

    probabilities = np.zeros((len(y), n_classes))
    for train, test in parts:
        tree = DecisionTreeClassifier(min_samples_leaf=5, class_weight="balanced", random_state=0)
        tree.fit(lengths[train, None], y[train])
        probabilities[np.ix_(test, tree.classes_)] = tree.predict_proba(lengths[test, None])
    return probabilities


def of_folds(data, folds):
    """Return `length_only_probabilities` over the (training, held-out) rows of a `LabelledSet`'s folds."""
    return length_only_probabilities(data.lengths, data.y, len(data.classes), folds)


def of_test_set(train, test):
    """Return `length_only_probabilities` of a test `LabelledSet`, learnt from the training set."""
    lengths, y = (np.concatenate([getattr(part, name) for part in (train, test)]) for name in ("lengths", "y"))
    parts = [(np.arange(len(train)), np.arange(len(train), len(y)))]
    return length_only_probabilities(lengths, y, len(train.classes), parts)[len(train) :]

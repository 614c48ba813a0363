"""Classifiers of scikit-learn that are trained on a set as networks are."""

import numpy as np


def _logistic_regression(seed):
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000)


def _random_forest(seed):
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(200, random_state=seed, n_jobs=1)


def _gradient_boosting(seed):
    from sklearn.ensemble import HistGradientBoostingClassifier

    # Its default wants twenty examples in a leaf, more than a distilled set has.
    return HistGradientBoostingClassifier(min_samples_leaf=1, max_iter=50, random_state=seed, early_stopping=False)


CLASSIFIERS = {
    "logistic-regression": _logistic_regression,
    "random-forest": _random_forest,
    "gradient-boosting": _gradient_boosting,
}


def classifier_probabilities(name, x, targets, test, seed, limit=None):
    """Train a classifier on flattened examples and predict.

    An example stands once for each class that its label gives a probability, which is its weight.

    Args:
        name: a key of `CLASSIFIERS`.
        x: (examples, *shape).
        targets: label probabilities (examples, classes).
        test: (records, *shape).
        seed: of the classifier.
        limit: most examples to train on, drawn at random. Defaults to None: all.

    Returns:
        float64 (records, classes).
    """
    from threadpoolctl import threadpool_limits

    if limit is not None and len(x) > limit:
        rows = np.random.default_rng((seed, 2)).choice(len(x), limit, replace=False)
        x, targets = x[rows], targets[rows]
    model = CLASSIFIERS[name](seed)
    rows, y = np.nonzero(targets)
    found = np.zeros((len(test), targets.shape[1]))
    # Sets are small: boosting on all cores waits for its threads more than it works, many times so on a busy machine.
    with threadpool_limits(1, user_api="openmp"):
        model.fit(x.reshape(len(x), -1)[rows], y, sample_weight=targets[rows, y])
        found[:, model.classes_] = model.predict_proba(test.reshape(len(test), -1))
    return found

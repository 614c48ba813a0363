"""Baselines of the same size: real examples of each class, chosen at random, by herding, k-center or k-means."""

import numpy as np

from distillation.condensation.streams import CORESET, stream
from transplant.errors import OptionError


def choose_random(features, count, rng):
    """Return `count` rows drawn without repetition.

    Args:
        features: (records, n) of one class.
        count: how many to choose.
        rng: `np.random.Generator`.
    """
    return rng.choice(len(features), count, replace=False)


def choose_by_herding(features, count, rng):
    """Return rows whose running mean follows the mean of all as closely as a greedy choice can.

    Args:
        features, count, rng: as `choose_random` takes them; nothing is drawn.

    Source: Welling, "Herding dynamical weights to learn" (2009); as in iCaRL, no row twice.
    """
    mean, total = features.mean(axis=0), np.zeros(features.shape[1])
    free, chosen = np.ones(len(features), bool), []
    for number in range(1, count + 1):
        distance = np.linalg.norm(mean - (total + features) / number, axis=1)
        row = int(np.where(free, distance, np.inf).argmin())
        free[row] = False
        total += features[row]
        chosen.append(row)
    return np.array(chosen)


def choose_k_centers(features, count, rng):
    """Return rows such that the farthest row from all chosen ones is near, by the greedy choice of the farthest.

    The first is the row nearest to the mean, as in the public code of gradient matching.

    Args:
        features, count, rng: as `choose_random` takes them; nothing is drawn.

    Source: Gonzalez (1985); Sener and Savarese, "Active learning for convolutional neural networks" (2018).
    """
    chosen = [int(np.linalg.norm(features - features.mean(axis=0), axis=1).argmin())]
    nearest = np.full(len(features), np.inf)
    while len(chosen) < count:
        nearest = np.minimum(nearest, np.linalg.norm(features - features[chosen[-1]], axis=1))
        nearest[chosen] = -1
        chosen.append(int(nearest.argmax()))
    return np.array(chosen)


def choose_by_k_means(features, count, rng):
    """Return the row nearest to each centre that k-means finds, no row twice.

    Args:
        features, count, rng: as `choose_random` takes them; the centres' start is drawn.
    """
    from sklearn.cluster import KMeans

    found = KMeans(count, n_init=3, random_state=int(rng.integers(2**31))).fit(features)
    chosen = []
    for centre in found.cluster_centers_:
        order = np.linalg.norm(features - centre, axis=1).argsort(kind="stable")
        chosen.append(next(int(row) for row in order if row not in chosen))
    return np.array(chosen)


CORESETS = {
    "random": choose_random,
    "herding": choose_by_herding,
    "kcenter": choose_k_centers,
    "kmeans": choose_by_k_means,
}


def choose_coreset(name, real, per_class, seed):
    """Return the rows of a coreset, class by class; near and far are meant in the standardised values.

    Args:
        name: a key of `CORESETS`.
        real: `RealExamples`.
        per_class: rows of each class.
        seed: of what is drawn.

    Raises:
        OptionError: if there is no such coreset, or a class has fewer records.
    """
    if name not in CORESETS:
        raise OptionError(f"coresets are {', '.join(CORESETS)}. Received: {name}")
    flat = real.x.reshape(len(real.y), -1)
    chosen = []
    for label in range(real.n_classes):
        rows = real.rows_for(label, per_class)
        of_class = flat[rows].astype(np.float64)
        chosen.append(rows[CORESETS[name](of_class, per_class, np.random.default_rng(stream(seed, CORESET, label)))])
    return np.concatenate(chosen)

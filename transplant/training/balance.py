"""Draw as many records of every class."""

import numpy as np

from transplant.errors import SplitError


def balanced_subset(y, seed, classes=None):
    """Return sorted indices of as many records of every class as the rarest has, drawn without replacement.

    Args:
        y: (records,) class indices.
        seed: same seed, same subset.
        classes: class names; without them the classes are 0 to the highest in `y`.

    Returns:
        int64 (classes x records of the rarest,).

    Raises:
        SplitError: if a class has no record.

    Example:
        >>> balanced_subset([0, 0, 0, 1], seed=0).size
        2
    """
    y = np.asarray(y, np.int64)
    counts = np.bincount(y, minlength=len(classes or ()))
    names = [str(index) for index in range(len(counts))] if classes is None else [str(name) for name in classes]
    if not counts.size or not counts.min():
        each = ", ".join(f"{name} {count}" for name, count in zip(names, counts)) or "no records"
        raise SplitError(
            f"a balanced set needs a record of every class. Received: {each}; give records of the others, or train on "
            "the natural set"
        )
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(np.flatnonzero(y == index))[: counts.min()] for index in range(len(counts))]
    return np.sort(np.concatenate(drawn))

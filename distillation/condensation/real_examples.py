"""The real examples that a set is distilled from, by class, and batches of them."""

import dataclasses

import numpy as np

from transplant.errors import DataError, OptionError


@dataclasses.dataclass(frozen=True)
class RealExamples:
    """Standardised training examples.

    Attributes:
        x: float32 (records, *shape).
        y: int64 (records,).
        n_classes: number of classes; each has records.
    """

    x: np.ndarray
    y: np.ndarray
    n_classes: int

    def __post_init__(self):
        counts = np.bincount(self.y, minlength=self.n_classes)
        if not counts.all():
            raise DataError(
                f"a set is distilled from records of every class. Received: none of class {counts.argmin()} of "
                f"{self.n_classes}; leave the class out of the set, or give records of it"
            )
        object.__setattr__(self, "_rows", [np.flatnonzero(self.y == label) for label in range(self.n_classes)])

    @classmethod
    def of(cls, problem):
        """Return those of a `Problem`'s training part.

        Raises:
            DataError: if a class has no records.
        """
        data = problem.train
        absent = [name for name, count in data.counts().items() if not count]
        if absent:
            raise DataError(
                f"{data.dataset}: a set is distilled from records of every class. Received: none of "
                f"{', '.join(absent)} in the training part; give records of them, or a set without the class"
            )
        return cls(problem.inputs("train"), data.y, len(data.classes))

    def rows_of(self, label):
        """Return the rows of a class."""
        return self._rows[label]

    def rows_for(self, label, count):
        """Return the rows of a class, of which so many are to be chosen.

        Raises:
            OptionError: if the class has fewer.
        """
        rows = self._rows[label]
        if count > len(rows):
            raise OptionError(
                f"a class has no more examples than real ones. Received: {count} of class {label}, which has "
                f"{len(rows)}; ask for fewer (--ipc)"
            )
        return rows

    def class_batch(self, label, size, rng):
        """Return real examples of a class, all of them where it has fewer than `size`."""
        rows = self._rows[label]
        return self.x[rng.choice(rows, min(size, len(rows)), replace=False)]

    def batch(self, size, rng):
        """Return a batch (x, y) of all classes, all records where there are fewer than `size`."""
        rows = rng.choice(len(self.y), min(size, len(self.y)), replace=False)
        return self.x[rows], self.y[rows]

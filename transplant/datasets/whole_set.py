"""What a reader gives that reads a data set as a whole, already of one shape."""

import dataclasses

import numpy as np

from transplant.datasets.labelled_set import LabelledSet


@dataclasses.dataclass(frozen=True)
class WholeSet:
    """A labelled set, and how its publisher divided it.

    Attributes:
        data: the `LabelledSet` of all records.
        published_test: bool (records,), True for the records that the publisher tests on; None where
            nothing is published.
    """

    data: LabelledSet
    published_test: np.ndarray | None = None

"""What a data set of labelled records gives to a preparation."""

import typing
from collections.abc import Iterator

from transplant.datasets.record import Record


class Skipped(typing.NamedTuple):
    """A record that was left out because the user allowed it.

    Attributes:
        name: record name.
        reason: the error's text.
    """

    name: str
    reason: str


class RecordSource(typing.Protocol):
    """Labelled records, read one at a time.

    Attributes:
        name: the data set's name in the registry.
        label_version: which version of the labels is used.
    """

    name: str
    label_version: str

    def __len__(self) -> int:
        """Return how many records there are, before any is skipped."""

    def __iter__(self) -> Iterator[Record]:
        """Yield the records in the order of their names."""

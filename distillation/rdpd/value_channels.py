"""What a record's columns say as channels that can be drawn: values, without masks, one-hot codes as one channel."""

import dataclasses

import numpy as np

from transplant.datasets.icu_tensor import CATEGORY_INFIX, MASK_PREFIX


@dataclasses.dataclass(frozen=True, eq=False)
class Channel:
    """A channel of one record.

    Attributes:
        name: of the lead or variable.
        values: (time,); of a variable of categories the index into them, NaN where there is none.
        columns: names of the record's columns that it is made of.
        categories: names; empty where the values are numbers.
        measured: bool (time,), when the values were measured; None where the record does not say.
    """

    name: str
    values: np.ndarray
    columns: tuple
    categories: tuple = ()
    measured: np.ndarray | None = None

    def say(self, value):
        """Return a value in words: a number of three digits, or a category's name."""
        return self.categories[round(value)] if self.categories else f"{value:.3g}"


def value_channels(values, leads):
    """Return the channels of a record in the order of their columns.

    Args:
        values: (time, columns) of one record, NaN where it has none.
        leads: names of the columns; "mask->v" says when v was measured, and "v->c" is 1 where v is of category c.

    Returns:
        list of `Channel`; masks are none of their own.

    Example:
        >>> [channel.name for channel in value_channels(np.zeros((4, 3)), ("HR", "eyes->open", "mask->HR"))]
        ['HR', 'eyes']
    """
    columns_of, masks = {}, {}
    for column, lead in enumerate(leads):
        if lead.startswith(MASK_PREFIX):
            masks[lead.removeprefix(MASK_PREFIX)] = values[:, column] > 0
        else:
            columns_of.setdefault(lead.partition(CATEGORY_INFIX)[0], []).append(column)
    channels = []
    for name, columns in columns_of.items():
        names = tuple(leads[column] for column in columns)
        if CATEGORY_INFIX in names[0]:
            categories = tuple(lead.partition(CATEGORY_INFIX)[2] for lead in names)
            codes = values[:, columns]
            course = np.where(np.isfinite(codes).all(axis=1), codes.argmax(axis=1), np.nan)
        else:
            categories, course = (), values[:, columns[0]]
        channels.append(Channel(name, course, names, categories, masks.get(name)))
    return channels

"""The rich and the poor view of a labelled set: all of its channels, and some of them by name."""

import numpy as np

from transplant.datasets.icu_tensor import CATEGORY_INFIX, MASK_PREFIX
from transplant.errors import OptionError, shorten
from transplant.training.split_options import units_of
from transplant.training.splits import stratified_split


def poor_columns(leads, names):
    """Return the columns of a poor view.

    A name stands for its channel; of hourly tables for the one-hot columns of a variable and for its mask too,
    because who measures a variable knows when it was measured.

    Args:
        leads: names of all channels.
        names: those of the poor view, a list, or text with commas.

    Returns:
        list of indices, in the order of `leads`.

    Raises:
        OptionError: if a name is none of the channels or stands there twice, or they are all of them.

    Example:
        >>> poor_columns(("HR", "pH", "mask->HR", "mask->pH"), "HR")
        [0, 2]
    """
    names = names.split(",") if isinstance(names, str) else list(names)
    names = [name.strip() for name in names if name.strip()]
    variables = [_variable(lead) for lead in leads]
    unknown = [name for name in names if name not in variables and name not in leads]
    if unknown or not names:
        raise OptionError(
            f"a poor view has channels of the rich data, {shorten(dict.fromkeys(variables), 12)}. Received: "
            f"{', '.join(unknown) or 'none'}; name some of them"
        )
    if len(set(names)) < len(names):
        raise OptionError(f"a poor view names each channel once. Received: {', '.join(names)}; leave doubles out")
    columns = [index for index, lead in enumerate(leads) if lead in names or variables[index] in names]
    if len(columns) == len(leads):
        raise OptionError(f"a poor view lacks channels of the rich data. Received: all {len(leads)}; leave some out")
    return columns


def poor_view(x, columns):
    """Return records (n, time, channels) with these columns alone, contiguous."""
    return np.ascontiguousarray(x[..., columns])


def value_columns(leads):
    """Return which of some channels hold measured values: of hourly tables not the masks and one-hot columns.

    Args:
        leads: their names.
    """
    return [index for index, lead in enumerate(leads) if lead == _variable(lead)]


def rich_rows(data, split, share, seed):
    """Return the training records that have all channels, where a share of the patients has.

    Args:
        data: `LabelledSet` of the training part.
        split: how records are divided, "group", "random" or "published".
        share: of them; 1 for all.
        seed: of the choice, which keeps patients whole and classes in proportion.

    Returns:
        int array of indices, in order.

    Raises:
        SplitError: if a class has too few records or patients for it.
    """
    if share == 1:
        return np.arange(len(data))
    _, taken = stratified_split(data.y, units_of(data, split), share, seed, data.record_ids, data.classes)
    return np.sort(taken)


def _variable(lead):
    return lead.removeprefix(MASK_PREFIX).partition(CATEGORY_INFIX)[0]

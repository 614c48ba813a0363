"""What was measured in a labelled set, without what imputation made up."""

import numpy as np

from transplant.datasets.icu_tensor import CATEGORY_INFIX, MASK_PREFIX
from transplant.errors import DataError


def observed_values(data):
    """Return the values of a labelled set that `hand_features` takes, without what imputation made up.

    Args:
        data: `LabelledSet`. Where it has masks ("mask->variable"), a variable's values are those of its
            column, or the category's index of its one-hot columns ("variable->category"), observed
            where the mask is 1. A set without masks gives every lead that is no indicator, and the
            category's index of every group of one-hot columns, observed in all valid samples.

    Returns:
        values float32 (records, time, variables), observed bool of that shape, names (variables,).

    Raises:
        DataError: if the records are images, a mask has no column, or nothing is left.
    """
    if data.x.ndim != 3:
        raise DataError(f"{data.dataset}: hand features take (records, time, leads). Received: shape {data.x.shape}")
    columns = _columns_of_variables(data)
    masks = {name[len(MASK_PREFIX) :]: data.leads.index(name) for name in _mask_names(data)}
    names = tuple(masks or columns)
    without = [name for name in names if name not in columns]
    if without or not names:
        raise DataError(
            f"{data.dataset}: a variable has a column or one-hot columns. Received: "
            f"{'a mask without them for ' + without[0] if without else 'no variable, only masks or other indicators'}; "
            "prepare the set again"
        )
    values = np.stack([_values(data, columns[name]) for name in names], axis=-1)
    if masks:
        observed = data.x[..., [masks[name] for name in names]] > 0.5
    else:
        valid = np.arange(data.length) >= data.length - data.lengths[:, None]
        observed = np.repeat(valid[..., None], len(names), axis=-1)
    return values, observed, names


def _mask_names(data):
    return [name for name in data.indicators if name.startswith(MASK_PREFIX)]


def _columns_of_variables(data):
    """Return {variable: its column, or list of its one-hot columns in order}, in the order of the leads."""
    masks, indicators, columns = set(_mask_names(data)), set(data.indicators), {}
    for index, name in enumerate(data.leads):
        if name in masks:
            continue
        if name not in indicators:
            columns[name] = index
        elif CATEGORY_INFIX in name:
            columns.setdefault(name.split(CATEGORY_INFIX)[0], []).append(index)
    return columns


def _values(data, column):
    if isinstance(column, int):
        return data.x[..., column].astype(np.float32)
    return data.x[..., column].argmax(axis=-1).astype(np.float32)

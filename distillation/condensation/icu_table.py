"""A distilled set of hourly tables as CSV, in the columns and units of the source."""

import numpy as np
import pandas as pd

from transplant.atomic import atomic_path
from transplant.datasets.icu_tensor import CATEGORY_INFIX, MASK_PREFIX
from transplant.errors import OptionError

EXAMPLE, HOUR, LABEL = "example", "hour", "label"


def to_table(distilled):
    """Return a pandas.DataFrame with a row an example and hour.

    Numbers are in the unit of the source. The columns of a variable's one-hot code become one column with
    the name of the category that is largest; a mask says "measured" where it is above a half, as 1.
    Learned labels are columns "probability of CLASS".

    Args:
        distilled: `DistilledSet` of (time, columns).

    Raises:
        OptionError: if the examples are no tables.
    """
    if distilled.x.ndim != 3 or len(distilled.leads) < 2:
        raise OptionError(f"a table has columns. Received: examples of shape {distilled.input_shape}")
    values = distilled.values()
    n, steps, _ = values.shape
    columns = {
        EXAMPLE: np.repeat(np.arange(n), steps),
        HOUR: np.tile(np.arange(steps), n),
        LABEL: np.repeat(np.array(distilled.classes)[distilled.y], steps),
    }
    groups = {}
    for column, name in enumerate(distilled.leads):
        flat = values[..., column].ravel()
        if name.startswith(MASK_PREFIX):
            columns[name] = (flat > 0.5).astype(int)
        elif name in distilled.indicators and CATEGORY_INFIX in name:
            variable, _, category = name.partition(CATEGORY_INFIX)
            groups.setdefault(variable, []).append((category, flat))
            columns.setdefault(variable, None)  # keeps its place
        elif name in distilled.indicators:
            columns[name] = (flat > 0.5).astype(int)
        else:
            columns[name] = flat
    for variable, categories in groups.items():
        names = np.array([category for category, _ in categories])
        scores = np.stack([flat for _, flat in categories])
        # A variable of one category alone may be absent.
        chosen = names[scores.argmax(axis=0)]
        columns[variable] = chosen if len(names) > 1 else np.where(scores[0] > 0.5, chosen, "")
    if not np.array_equal(distilled.targets, np.eye(len(distilled.classes))[distilled.y]):
        # Learned labels: what each example teaches is no class alone.
        columns |= {
            f"probability of {name}": np.repeat(distilled.targets[:, label], steps)
            for label, name in enumerate(distilled.classes)
        }
    return pd.DataFrame(columns)


def write_table(distilled, path):
    """Write `to_table` as CSV, whole or not at all."""
    with atomic_path(path) as temporary:
        to_table(distilled).to_csv(temporary, index=False, float_format="%.6g")

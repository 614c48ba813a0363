"""The ICU tensor: measurements of a stay in hourly bins, imputed, with masks of what was measured.

Source: Harutyunyan et al., "Multitask learning and benchmarking with clinical
time series data" (2019), the discretiser of their in-hospital mortality task.
"""

import dataclasses

import numpy as np

from transplant.errors import DataError, shorten

HOURS = 48
SAMPLING_RATE_HZ = 1 / 3600
MASK_PREFIX = "mask->"
CATEGORY_INFIX = "->"
# Their tolerance: a time is given in hours, and 1 s is 2.8e-4 h.
_EPSILON_HOURS = 1e-6


@dataclasses.dataclass(frozen=True)
class IcuVariable:
    """One variable of a stay: a number, or one of some categories.

    Attributes:
        name: of the column, and in the names of its one-hot and mask columns.
        unit: of the values, "1" where there is none.
        normal: what stands where nothing was measured yet: a number, or the name or index of a category.
        categories: names in the order of their indices. Defaults to none: the variable is a number.
        low, high: plausible values, both included. Default to None: no bound.

    Raises:
        DataError: if the normal value is no category of a categorical variable, or no plausible number.

    Example:
        >>> IcuVariable("Heart Rate", "1/min", 86.0, low=1, high=300)
        >>> IcuVariable("Capillary refill rate", "1", "0.0", categories=("0.0", "1.0")).normal_value
        0.0
    """

    name: str
    unit: str
    normal: float | str
    categories: tuple = ()
    low: float | None = None
    high: float | None = None

    def __post_init__(self):
        object.__setattr__(self, "categories", tuple(str(name) for name in self.categories))
        if self.categories:
            known = self.normal in self.categories or self.normal in range(len(self.categories))
            if not known or len(set(self.categories)) != len(self.categories):
                raise DataError(
                    f"{self.name}: the normal value is one of the categories, whose names differ. Received: "
                    f"{self.normal!r} of {shorten(self.categories, 8)}"
                )
        elif not self.is_plausible(np.array([self.normal], np.float64)).all():
            raise DataError(
                f"{self.name}: the normal value is a plausible one. Received: {self.normal}, {self.low} to {self.high}"
            )

    @property
    def normal_value(self):
        """The normal value as a number: of a categorical variable the category's index."""
        return float(self.categories.index(self.normal) if self.normal in self.categories else self.normal)

    @property
    def columns(self):
        """Names of the variable's columns: its own, or "variable->category" of each category."""
        return tuple(f"{self.name}{CATEGORY_INFIX}{category}" for category in self.categories) or (self.name,)

    def is_plausible(self, values):
        """Return which values (any shape) are numbers within `low` and `high`, or indices of a category."""
        values = np.asarray(values)
        if self.categories:
            return np.isin(values, np.arange(len(self.categories)))
        plausible = np.isfinite(values)
        if self.low is not None:
            plausible &= values >= self.low
        if self.high is not None:
            plausible &= values <= self.high
        return plausible


def last_values(stay, hour, column, value, n_stays, n_columns, n_hours=HOURS):
    """Sort events into hourly bins, of which each keeps its last value.

    Bin k holds the events after hour k until hour k + 1, that one included, and bin 0 those of hour
    0 too: so an event at exactly 48.0 is in the last of 48 bins. Events before hour 0 and after the
    last bin are left out, and so are values that are NaN.

    Args:
        stay: int (events,), index of the stay.
        hour: (events,), hours since the stay began.
        column: int (events,), index of the variable.
        value: (events,), of a categorical variable the category's index.
        n_stays, n_columns: size of the result.
        n_hours: bins. Defaults to 48.

    The events of a stay are in the order of time; of two in one bin the later row counts.

    Returns:
        float32 (stays, hours, columns), NaN where nothing was measured.

    Raises:
        DataError: if the arrays differ in length, or a stay or column is out of range.
    """
    stay, column = np.asarray(stay, np.int64), np.asarray(column, np.int64)
    hour, value = np.asarray(hour, np.float64), np.asarray(value, np.float32)
    if not stay.shape == hour.shape == column.shape == value.shape or stay.ndim != 1:
        raise DataError(
            f"events have one stay, hour, column and value each. Received: shapes {stay.shape}, {hour.shape}, "
            f"{column.shape}, {value.shape}"
        )
    for what, index, size in (("stay", stay, n_stays), ("column", column, n_columns)):
        if index.size and (index.min() < 0 or index.max() >= size):
            raise DataError(f"a {what} is 0 to {size - 1}. Received: {index.min()} to {index.max()}")
    binned = np.full((n_stays, n_hours, n_columns), np.nan, np.float32)
    kept = (hour > -_EPSILON_HOURS) & (hour < n_hours + _EPSILON_HOURS) & ~np.isnan(value)
    bin_index = np.maximum(np.floor(hour[kept] - _EPSILON_HOURS), 0).astype(np.int64)
    # Where an index comes twice, numpy leaves the last of the assigned values.
    binned.ravel()[(stay[kept] * n_hours + bin_index) * n_columns + column[kept]] = value[kept]
    return binned


def impute(binned, normals):
    """Fill the gaps with the last value before them, and with the normal value where there is none.

    Args:
        binned: float32 (stays, hours, columns), NaN where nothing was measured.
        normals: (columns,) numbers.

    Returns:
        A new array of the same shape without NaN.

    Raises:
        DataError: if there is not one finite normal value a column.
    """
    normals = np.asarray(normals, np.float32)
    if normals.shape != binned.shape[-1:] or not np.isfinite(normals).all():
        raise DataError(
            f"imputation needs one normal value a column, {binned.shape[-1]}. Received: shape {normals.shape}, "
            f"{int(np.isfinite(normals).sum())} of them finite"
        )
    filled = np.array(binned, np.float32)
    before = np.broadcast_to(normals, filled[:, 0].shape)
    for hour in range(filled.shape[1]):
        np.copyto(filled[:, hour], before, where=np.isnan(filled[:, hour]))
        before = filled[:, hour]
    return filled


def assemble(binned, variables, masks=True):
    """Build the tensor: each variable's column or one-hot columns in the given order, then the masks.

    Args:
        binned: float32 (stays, hours, variables) of `last_values`: numbers and category indices,
            NaN where nothing was measured.
        variables: list of `IcuVariable`, one a column of `binned`.
        masks: append one column a variable, "mask->variable", that is 1 in the hours it was
            measured in. Defaults to True.

    Returns:
        x float32 (stays, hours, columns), names of the columns, and those names among them that
        are indicators (one-hot columns, masks), which standardisation leaves as they are. Standardising
        the others is the trainer's part, with numbers of its training records.

    Raises:
        DataError: if variables and columns do not match, or a value is no index of a category.
    """
    variables = list(variables)
    if binned.ndim != 3 or binned.shape[-1] != len(variables):
        raise DataError(f"one variable a column is needed. Received: {len(variables)} for shape {binned.shape}")
    filled = impute(binned, [variable.normal_value for variable in variables])
    names = [name for variable in variables for name in variable.columns]
    indicators = [name for variable in variables if variable.categories for name in variable.columns]
    if masks:
        mask_names = [MASK_PREFIX + variable.name for variable in variables]
        names, indicators = names + mask_names, indicators + mask_names
    x = np.empty((*binned.shape[:2], len(names)), np.float32)
    start = 0
    for index, variable in enumerate(variables):
        stop = start + len(variable.columns)
        values = filled[..., index]
        x[..., start:stop] = _one_hot(values, variable) if variable.categories else values[..., None]
        start = stop
    if masks:
        np.logical_not(np.isnan(binned), out=x[..., start:])
    return x, tuple(names), tuple(indicators)


def _one_hot(values, variable):
    codes = np.arange(len(variable.categories), dtype=np.float32)
    if not np.isin(values, codes).all():
        bad = values[~np.isin(values, codes)][0]
        raise DataError(
            f"{variable.name}: a value is the index of a category, 0 to {len(codes) - 1}. Received: {bad:g}"
        )
    return values[..., None] == codes

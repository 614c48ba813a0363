"""What the values of examples may be: a range, or columns of 0 and 1, of which one is on."""

import dataclasses

import numpy as np
import tensorflow as tf

from transplant.datasets.icu_tensor import CATEGORY_INFIX, MASK_PREFIX
from transplant.errors import DataError, OptionError


@dataclasses.dataclass(frozen=True)
class Constraint:
    """A projection of standardised values onto those that an example may have.

    Attributes:
        low, high: float32, broadcast to an example: bounds; infinite where there are none.
        groups: tuples of columns of one-hot codes: not negative, and 1 together.
    """

    low: np.ndarray
    high: np.ndarray
    groups: tuple = ()

    @classmethod
    def none(cls):
        """Return the constraint that lets every value be."""
        return cls(np.float32(-np.inf), np.float32(np.inf))

    @classmethod
    def of(cls, data, x, keeps_range, clamp=None):
        """Return the constraint of a set.

        Args:
            data: `LabelledSet`; its indicator columns lie in 0 to 1, and those named "VARIABLE->CATEGORY" are
                one-hot codes.
            x: its standardised values.
            keeps_range: whether other values stay within what the real ones have: of images and signals each
                channel's smallest and largest, of tables each column's.
            clamp: (low, high) that standardised values are clipped to. Defaults to None.

        Raises:
            DataError: if an indicator column has other values than 0 to 1.
            OptionError: if no value of a column lies within `clamp`.
        """
        axes = tuple(range(x.ndim - 1))
        least, most = x.min(axis=axes), x.max(axis=axes)
        low = np.full(x.shape[-1], -np.inf, np.float32)
        high = -low
        if keeps_range:
            low, high = least.copy(), most.copy()
        indicators = set(data.indicators)
        _check_indicators(data, least, most, indicators)
        if clamp:
            _check_clamp(data, least, most, indicators, clamp)
            low, high = (np.clip(bound, *np.float32(clamp)) for bound in (low, high))
        groups = {}
        for column, name in enumerate(data.leads):
            if name not in indicators:
                continue
            low[column], high[column] = 0, 1
            if CATEGORY_INFIX in name and not name.startswith(MASK_PREFIX):
                groups.setdefault(name.partition(CATEGORY_INFIX)[0], []).append(column)
        # A variable with one category alone may be absent.
        codes = tuple(tuple(columns) for columns in groups.values() if len(columns) > 1)
        for columns in codes:  # clipped first, the nearest point of the simplex would be another
            low[list(columns)], high[list(columns)] = -np.inf, np.inf
        return cls(low, high, codes)

    def __bool__(self):
        return bool(np.isfinite(self.low).any() or np.isfinite(self.high).any() or self.groups)

    def share_outside(self, x):
        """Return which share of some values lies below or above the bounds."""
        return float(np.mean((x < self.low) | (x > self.high)))

    def apply(self, variable):
        """Project a `tf.Variable` (examples, ..., columns) in place."""
        if not self:
            return
        x = tf.clip_by_value(variable, self.low, self.high)
        for columns in self.groups:
            index = list(columns)
            on_simplex = project_to_simplex(tf.gather(x, index, axis=-1))
            is_here, place = np.zeros(x.shape[-1], bool), np.zeros(x.shape[-1], np.int64)
            is_here[index], place[index] = True, range(len(index))
            x = tf.where(is_here, tf.gather(on_simplex, place, axis=-1), x)
        variable.assign(x)


def _check_indicators(data, least, most, indicators):
    for name, low, high in zip(data.leads, least, most):
        if name in indicators and not 0 <= low <= high <= 1:
            raise DataError(
                f"{data.dataset}: an indicator column has values from 0 to 1. Received: {low:g} to {high:g} in {name}"
            )


def _check_clamp(data, least, most, indicators, clamp):
    for name, low, high in zip(data.leads, least, most):
        if name not in indicators and low < high and min(high, clamp[1]) <= max(low, clamp[0]):
            raise OptionError(
                f"--clamp is a range of standardised values. Received: {clamp[0]:g} {clamp[1]:g}, and {low:.3g} to "
                f"{high:.3g} of {name}, none of which would be left; give a range that they lie in"
            )


def project_to_simplex(x):
    """Return the nearest points whose last axis is not negative and adds up to 1.

    Args:
        x: tensor (..., n).

    Source: Duchi et al., "Efficient projections onto the l1-ball" (2008), fig. 1.
    """
    n = x.shape[-1]
    descending = tf.sort(x, axis=-1, direction="DESCENDING")
    excess = tf.cumsum(descending, axis=-1) - 1
    counts = tf.range(1, n + 1, dtype=x.dtype)
    kept = tf.reduce_sum(tf.cast(descending - excess / counts > 0, tf.int32), axis=-1, keepdims=True)
    kept = tf.maximum(kept, 1)  # none where a value is no number, which the run will say
    threshold = tf.gather(excess, kept - 1, batch_dims=len(x.shape) - 1, axis=-1) / tf.cast(kept, x.dtype)
    return tf.maximum(x - threshold, 0)

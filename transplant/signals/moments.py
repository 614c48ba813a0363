"""Mean and deviation of a signal that comes in parts, pooled exactly."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Moments:
    """Count, mean and sum of squared deviations per lead.

    Attributes:
        count, mean, deviations: tuples with one value per lead; mV and mV squared.

    Source: Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm
    for computing sample variances" (1979).
    """

    count: tuple
    mean: tuple
    deviations: tuple

    @classmethod
    def of(cls, signal):
        """Return the moments of a signal (time, leads) in mV; NaN samples are left out."""
        signal = np.asarray(signal, np.float64)
        count = np.isfinite(signal).sum(axis=0)
        mean = np.nansum(signal, axis=0) / np.maximum(count, 1)
        deviations = np.nansum(np.square(signal - mean), axis=0)
        return cls(tuple(count.tolist()), tuple(mean.tolist()), tuple(deviations.tolist()))

    def pool(self, other):
        """Return the moments of both samples together."""
        count_a, count_b = np.array(self.count, np.float64), np.array(other.count, np.float64)
        total = count_a + count_b
        safe = np.maximum(total, 1)
        difference = np.array(other.mean) - np.array(self.mean)
        mean = np.array(self.mean) + difference * count_b / safe
        between = np.square(difference) * count_a * count_b / safe
        deviations = np.array(self.deviations) + np.array(other.deviations) + between
        return Moments(tuple(total.astype(np.int64).tolist()), tuple(mean.tolist()), tuple(deviations.tolist()))

    def std(self):
        """Return float64 (leads,): the standard deviation of each lead, mV; NaN where there is no sample."""
        count = np.array(self.count, np.float64)
        return np.sqrt(np.divide(self.deviations, count, out=np.full(len(count), np.nan), where=count > 0))

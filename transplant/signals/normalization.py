"""Standardisation that is computed once, saved with the model and applied alike ever after."""

import dataclasses
import functools

import numpy as np

from transplant.errors import DataError
from transplant.signals.moments import Moments


@dataclasses.dataclass(frozen=True)
class Normalization:
    """How millivolts become network input: (x - mean) / std per lead.

    Attributes:
        method: "zscore", or "none" (millivolts go in as they are).
        source: where the constants come from: "train" (computed from training
            data), "paper:DATASET" (a publication's constants), "file" (the file
            holds values that were standardised by whoever wrote it).
        mean, std: one value per lead, mV.
    """

    method: str
    source: str
    mean: tuple
    std: tuple

    def apply(self, x):
        """Return float32 `x`, (..., leads) in mV, standardised."""
        x = np.asarray(x, np.float32)
        if self.method == "none":
            return x
        return (x - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)

    def invert(self, x):
        """Return float32 mV of standardised `x`, (..., leads)."""
        x = np.asarray(x, np.float32)
        if self.method == "none":
            return x
        return x * np.asarray(self.std, np.float32) + np.asarray(self.mean, np.float32)

    def to_dict(self):
        """Return a JSON-ready dict."""
        return dataclasses.asdict(self) | {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, values):
        """Return the normalisation that `to_dict` described."""
        return cls(values["method"], values["source"], tuple(values["mean"]), tuple(values["std"]))

    @classmethod
    def none(cls, leads=1):
        """Return the normalisation that leaves millivolts as they are."""
        return cls("none", "none", (0.0,) * leads, (1.0,) * leads)

    @classmethod
    def paper(cls, dataset, mean, std, leads=1):
        """Return a publication's constants, the same for every lead."""
        return cls("zscore", f"paper:{dataset}", (float(mean),) * leads, (float(std),) * leads)

    def __str__(self):
        if self.method == "none":
            return "none (millivolts)"
        numbers = "; ".join(f"mean {m:.4f}, std {s:.4f} mV" for m, s in zip(self.mean, self.std))
        return f"{self.method} from {self.source} ({numbers})"


def normalization_of(moments):
    """Return the standardisation by a training part's `Moments`.

    Raises:
        DataError: if a lead has no valid sample or never changes.
    """
    std = moments.std()
    if np.isnan(std).any():
        raise DataError("normalisation needs valid samples in every lead. Received: a lead without any")
    if not std.all():
        raise DataError("normalisation needs a signal that varies. Received: a lead that is constant")
    return Normalization("zscore", "train", tuple(moments.mean), tuple(std.tolist()))


def fit_normalization(x, lengths):
    """Compute the standardisation of left-padded training records.

    Args:
        x: float32 (records, time, leads) in mV, padded on the left.
        lengths: (records,) valid samples at the end of each record; padding is left out.
    """
    parts = (Moments.of(record[-int(length) :]) for record, length in zip(x, lengths) if length)
    return normalization_of(functools.reduce(Moments.pool, parts))

"""Standardisation that is computed once, saved with the model and applied alike ever after."""

import dataclasses

import numpy as np

from transplant.errors import DataError


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


class MomentAccumulator:
    """Mean and standard deviation of a signal that arrives in pieces.

    Sums are kept in float64 around the first piece's mean, so that a large
    offset does not cost precision. NaN samples are left out.
    """

    def __init__(self, leads):
        self._shift = None
        self._count = np.zeros(leads)
        self._sum = np.zeros(leads)
        self._squares = np.zeros(leads)

    def add(self, signal):
        """Add a piece of shape (time, leads) in mV."""
        signal = np.asarray(signal, np.float64)
        valid = ~np.isnan(signal)
        if not valid.any():
            return
        if self._shift is None:
            self._shift = np.where(valid.any(axis=0), np.nansum(signal, axis=0) / np.maximum(valid.sum(axis=0), 1), 0.0)
        centred = np.where(valid, signal - self._shift, 0.0)
        self._count += valid.sum(axis=0)
        self._sum += centred.sum(axis=0)
        self._squares += np.square(centred).sum(axis=0)

    def normalization(self, source="train"):
        """Return the `Normalization` of everything added.

        Raises:
            DataError: if a lead had no valid sample or never changed.
        """
        if self._shift is None or not self._count.all():
            raise DataError("normalisation needs valid samples in every lead. Received: a lead without any")
        mean = self._sum / self._count
        std = np.sqrt(np.maximum(self._squares / self._count - np.square(mean), 0.0))
        if not std.all():
            raise DataError("normalisation needs a signal that varies. Received: a lead that is constant")
        return Normalization("zscore", source, tuple((mean + self._shift).tolist()), tuple(std.tolist()))


def fit_normalization(x, lengths):
    """Compute the standardisation of left-padded training records.

    Args:
        x: float32 (records, time, leads) in mV, padded on the left.
        lengths: (records,) valid samples at the end of each record; padding is left out.
    """
    moments = MomentAccumulator(x.shape[-1])
    for record, length in zip(x, lengths):
        if length:
            moments.add(record[-int(length) :])
    return moments.normalization()

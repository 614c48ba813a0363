"""Standardisation that is computed once, saved with the model and applied alike ever after."""

import dataclasses
import functools

import numpy as np

from transplant.errors import DataError
from transplant.signals.moments import Moments

_SHOWN = 4  # columns whose constants are printed
_BLOCK_VALUES = 1 << 20  # values of full records whose moments are taken at once


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

    def select(self, columns):
        """Return that of some leads, by their columns."""
        mean, std = (tuple(values[column] for column in columns) for values in (self.mean, self.std))
        return dataclasses.replace(self, mean=mean, std=std)

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
            return "none"
        pairs = list(zip(self.mean, self.std))
        numbers = "; ".join(f"mean {m:.4f}, std {s:.4f}" for m, s in pairs[:_SHOWN])
        more = f" and {len(pairs) - _SHOWN} columns more" if len(pairs) > _SHOWN else ""
        return f"{self.method} from {self.source} ({numbers}{more})"


def normalization_of(moments, untouched=()):
    """Return the standardisation by a training part's `Moments`.

    Args:
        moments: `Moments` of every column.
        untouched: columns that stay as they are: masks and one-hot codes. Beside such columns one that
            never changes is centred alone, as a variable that nobody in the training part had measured.
            Defaults to none.

    Raises:
        DataError: if a lead has no valid sample or, without `untouched`, never changes.
    """
    mean, std = np.array(moments.mean), moments.std()
    untouched = list(untouched)
    if np.isnan(std).any():
        raise DataError("normalisation needs valid samples in every lead. Received: a lead without any")
    if not std.all() and not untouched:
        raise DataError("normalisation needs a signal that varies. Received: a lead that is constant")
    std[std == 0] = 1
    mean[untouched], std[untouched] = 0, 1
    return Normalization("zscore", "train", tuple(mean.tolist()), tuple(std.tolist()))


def fit_normalization(x, lengths, untouched=()):
    """Compute the standardisation of left-padded training records.

    Args:
        x: (records, time, leads) in mV, padded on the left; or images (records, height, width, channels).
        lengths: (records,) valid samples at the end of each record; padding is left out.
        untouched: columns that are not standardised. Defaults to none.
    """
    lengths = np.asarray(lengths)
    if (lengths == x.shape[1]).all():
        rows = max(1, _BLOCK_VALUES // x[0].size)
        blocks = (x[start : start + rows] for start in range(0, len(x), rows))
    else:
        blocks = (record[-int(length) :] for record, length in zip(x, lengths) if length)
    parts = (Moments.of(block.reshape(-1, x.shape[-1])) for block in blocks)
    return normalization_of(functools.reduce(Moments.pool, parts), untouched)

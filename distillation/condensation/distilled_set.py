"""The distilled set as a file: examples, labels, and everything that is needed to train on them."""

import dataclasses
import json
import pathlib
import zipfile
import zlib

import numpy as np

from transplant.atomic import atomic_path
from transplant.errors import DataError
from transplant.signals.normalization import Normalization

_FORMAT = "transplant distilled set 1"
_ROUNDING = 1e-3
_ARRAYS = ("x", "y", "targets", "rates", "step", "metadata")

DISTILLED, EVALUATION = "distilled.npz", "evaluation.json"
"""Files of a job: the set, and what `evaluate` says of it."""


@dataclasses.dataclass(frozen=True)
class DistilledSet:
    """A handful of examples that stand for a large set.

    Attributes:
        x: float32 (examples, *shape), standardised by `normalization`.
        y: int64 (examples,), the class of each.
        targets: float32 (examples, classes), label probabilities: one-hot, or learned.
        rates: float32, the learning rate of each gradient step of a vanilla set, in order, going through the
            steps again and again; empty for a set that is trained on in any order.
        step: int64 (examples,), the step of a vanilla set that an example belongs to; 0 else.
        classes: class names.
        leads: names of the last axis's columns.
        indicators: those of them that hold 0 and 1.
        unit: of the values before standardisation.
        sampling_rate_hz: of signals, or None.
        normalization: how the real values were standardised.
        provenance: dict: method, options, data set and its fingerprint, versions.

    Example:
        >>> distilled = DistilledSet.load("J/distilled.npz")
        >>> model.fit(distilled.dataset(batch_size=10), epochs=100, shuffle=False)
        >>> distilled.values()  # in the source's unit
    """

    x: np.ndarray
    y: np.ndarray
    targets: np.ndarray
    rates: np.ndarray
    step: np.ndarray
    classes: tuple
    leads: tuple
    indicators: tuple
    unit: str
    sampling_rate_hz: float | None
    normalization: Normalization
    provenance: dict

    def __post_init__(self):
        for name, dtype in (
            ("x", np.float32),
            ("y", np.int64),
            ("targets", np.float32),
            ("rates", np.float32),
            ("step", np.int64),
        ):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype))
        for name in ("classes", "leads", "indicators"):
            object.__setattr__(self, name, tuple(map(str, getattr(self, name))))
        n, n_classes = len(self.x), len(self.classes)
        shapes = {"y": (n,), "targets": (n, n_classes), "step": (n,)}
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise DataError(
                    f"a distilled set has one row of {name} an example. Received: {getattr(self, name).shape} for {n} "
                    f"examples of {n_classes} classes"
                )
        if not n or self.x.ndim < 3 or self.x.shape[-1] != len(self.leads):
            raise DataError(
                f"examples are (time, channels) or (height, width, channels). Received: {self.x.shape} with "
                f"{len(self.leads)} names of channels"
            )
        for name in ("x", "targets", "rates"):
            if not np.isfinite(getattr(self, name)).all():
                raise DataError(f"{name} of a distilled set must be numbers. Received: NaN or infinite values")
        if (self.targets < 0).any() or np.abs(self.targets.sum(axis=1) - 1).max() > _ROUNDING:
            raise DataError("targets are probabilities, which add up to 1. Received: others")
        columns = self.x[..., [name in self.indicators for name in self.leads]]
        if columns.size and not -_ROUNDING <= columns.min() <= columns.max() <= 1 + _ROUNDING:
            raise DataError(
                f"columns of indicators have values from 0 to 1. Received: {columns.min():g} to {columns.max():g}"
            )
        if not isinstance(self.provenance, dict) or (self.step < 0).any():
            raise DataError("provenance is a dict, and steps count from 0. Received: others")
        if ((self.y < 0) | (self.y >= n_classes)).any():
            raise DataError(f"labels are 0 to {n_classes - 1}. Received: others")
        if len(self.rates) and len(self.rates) % (self.step.max() + 1):
            raise DataError(
                f"a learning rate belongs to each step of each pass. Received: {len(self.rates)} rates for "
                f"{self.step.max() + 1} steps"
            )

    def __len__(self):
        return len(self.y)

    @property
    def input_shape(self):
        """Shape of one example."""
        return self.x.shape[1:]

    @property
    def is_ordered(self):
        """Whether it is made for gradient steps in its own order with its own learning rates."""
        return bool(len(self.rates))

    def values(self):
        """Return float32 x in `unit`, as the source has it; of tables columns of 0 and 1 stay as they are."""
        return self.normalization.invert(self.x)

    def dataset(self, batch_size=None, seed=0):
        """Return a `tf.data.Dataset` of (x, targets), shuffled anew each epoch, in batches.

        Args:
            batch_size: examples in a batch. Defaults to all of them.
            seed: of the order. Defaults to 0.
        """
        import tensorflow as tf

        data = tf.data.Dataset.from_tensor_slices((self.x, self.targets))
        return data.shuffle(len(self), seed=seed).batch(batch_size or len(self))

    def save(self, path):
        """Write the set as one .npz, whole or not at all."""
        metadata = {
            "format": _FORMAT,
            "classes": list(self.classes),
            "leads": list(self.leads),
            "indicators": list(self.indicators),
            "unit": self.unit,
            "sampling_rate_hz": self.sampling_rate_hz,
            "normalization": self.normalization.to_dict(),
            "provenance": self.provenance,
        }
        arrays = {name: getattr(self, name) for name in _ARRAYS[:-1]}
        with atomic_path(pathlib.Path(path)) as temporary:
            np.savez(temporary, **arrays, metadata=np.array(json.dumps(metadata)))

    @classmethod
    def load(cls, path):
        """Read a set that `save` wrote; no code is run from it.

        Args:
            path: the file, or a job folder with distilled.npz in it.

        Raises:
            DataError: if the file is missing, cut short or something else.
        """
        path = pathlib.Path(path)
        path = path / DISTILLED if path.is_dir() else path
        try:
            with np.load(path, allow_pickle=False) as file:
                missing = [name for name in _ARRAYS if name not in file.files]
                if missing:
                    raise ValueError(f"no {', '.join(missing)} in it")
                arrays = {name: file[name] for name in _ARRAYS}
            values = json.loads(str(arrays.pop("metadata")))
            if values.pop("format", None) != _FORMAT:
                raise ValueError("another format")
            values["normalization"] = Normalization.from_dict(values["normalization"])
            return cls(**arrays, **values)
        except FileNotFoundError as error:
            raise DataError(
                f"{path}: a distilled set is needed. Received: no such file; make one with "
                "distillation.condensation.trainer"
            ) from error
        except (zipfile.BadZipFile, ValueError, KeyError, TypeError, OSError, EOFError, zlib.error) as error:
            raise DataError(
                f"{path}: a distilled set (.npz) is needed. Received: {type(error).__name__} ({error}); the file is "
                "cut short or something else, make it again with distillation.condensation.trainer"
            ) from error
        except DataError as error:
            raise DataError(f"{path}: {error}") from error

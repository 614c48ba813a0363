"""The validation windows of a pretraining run: drawn once, kept in memory, and in a file where asked."""

import dataclasses
import hashlib
import json
import pathlib
import zipfile
import zlib

import numpy as np
import tensorflow as tf

from transplant.atomic import atomic_path
from transplant.errors import DataError, shorten
from transplant.signals.normalization import Normalization
from transplant.tasks.task import task_options

FORMAT = "transplant validation windows 1"
_INPUT = "input_"


@dataclasses.dataclass(frozen=True, eq=False)
class ValidationSet:
    """Windows that a model is scored on after every epoch.

    Attributes:
        inputs: dict input name -> float32 (windows, ..., time, leads), standardised.
        labels: (windows, ...).
        patients: ids of the patients they come from.
        settings: what the windows depend on: task and its options, rate, number of leads.
        normalization: `Normalization` of the inputs.
    """

    inputs: dict
    labels: np.ndarray
    patients: list
    settings: dict
    normalization: Normalization

    @classmethod
    def draw(cls, batches, size, patients, settings, normalization):
        """Return the first `size` windows of a stream of unfinished batches."""
        drawn = [({name: x.numpy() for name, x in inputs.items()}, labels.numpy()) for inputs, labels in batches]
        inputs = {name: np.concatenate([b[0][name] for b in drawn])[:size] for name in drawn[0][0]}
        return cls(
            inputs, np.concatenate([labels for _, labels in drawn])[:size], list(patients), settings, normalization
        )

    def batches(self, batch_size, task, options):
        """Return the tf.data.Dataset of finished batches, in order."""

        def gather(rows):
            types = [tf.float32] * len(self.inputs) + [tf.as_dtype(self.labels.dtype)]
            *inputs, labels = tf.numpy_function(self._take, [rows], types, stateful=False)
            for tensor, array in zip(inputs, self.inputs.values()):
                tensor.set_shape((None, *array.shape[1:]))
            labels.set_shape((None, *self.labels.shape[1:]))
            return task.finish(dict(zip(self.inputs, inputs)), labels, options)

        return tf.data.Dataset.range(len(self.labels)).batch(batch_size).map(gather).prefetch(1)

    def _take(self, rows):
        return *(array[rows] for array in self.inputs.values()), self.labels[rows]

    def digest(self):
        """Return a hex digest of windows and labels, by which a resumed run knows them again."""
        digest = hashlib.sha256(np.ascontiguousarray(self.labels).view(np.uint8))
        for name in sorted(self.inputs):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(self.inputs[name]).data)
        return digest.hexdigest()[:16]

    def save(self, path):
        """Write the windows to one .npz, whole or not at all."""
        path = pathlib.Path(path)
        if path.suffix != ".npz":
            raise DataError(f"{path}: the name of a file of validation windows must end in .npz. Received: {path.name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        values = {"format": FORMAT, "patients": self.patients, "settings": self.settings}
        values["normalization"] = self.normalization.to_dict()
        with atomic_path(path) as temporary:
            np.savez(
                temporary,
                description=np.asarray(json.dumps(values)),
                labels=self.labels,
                **{_INPUT + name: array for name, array in self.inputs.items()},
            )

    @classmethod
    def load(cls, path, settings):
        """Read what `save` wrote.

        Args:
            path: the file.
            settings: of this run; the file's must be the same.

        Raises:
            DataError: if the file is missing, damaged, or of another task, frame
                size or rate.
        """
        path = pathlib.Path(path)
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = dict(archive)
            values = json.loads(str(arrays.pop("description")))
            if values["format"] != FORMAT:
                raise ValueError(f"format {values['format']}")
            labels, patients, there = arrays.pop("labels"), values["patients"], values["settings"]
            normalization = Normalization.from_dict(values["normalization"])
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(
                f"{path}: validation windows written by --cache-val are needed. Received: {type(error).__name__} "
                f"({error}); write the file again"
            ) from error
        ours = json.loads(json.dumps(settings))
        different = [f"{key} {there.get(key)} (this run {ours[key]})" for key in ours if there.get(key) != ours[key]]
        if different:
            raise DataError(
                f"{path}: validation windows must be drawn as the training windows are. "
                f"Received: {shorten(different)}; leave out --val-file, or use the options it was made with"
            )
        inputs = {name.removeprefix(_INPUT): array for name, array in arrays.items()}
        return cls(inputs, labels, patients, ours, normalization)

    def normalized_as(self, normalization):
        """Return the set standardised as a run standardises its training windows."""
        if normalization == self.normalization:
            return self
        inputs = {name: normalization.apply(self.normalization.invert(x)) for name, x in self.inputs.items()}
        return dataclasses.replace(self, inputs=inputs, normalization=normalization)


def validation_settings(task, store, options):
    """Return what validation windows depend on, besides the patients and the standardisation."""
    return {
        "task": task.name,
        "frame_size": options.frame_size,
        "sampling_rate_hz": store.sampling_rate_hz,
        "leads": store.n_leads,
        **task_options(task, options),
    }

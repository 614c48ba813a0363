"""Windows and their labels in memory: validation windows, and files of windows to train on."""

import dataclasses
import functools
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
from transplant.training.pipelines import without_autotune

FORMAT = "transplant windows 2"
_INPUT = "input_"


@dataclasses.dataclass(frozen=True, eq=False)
class WindowSet:
    """Windows of one task, each with its label.

    Attributes:
        inputs: dict input name -> float32 (windows, ..., time, leads), standardised.
        labels: (windows, ...).
        patients: ids of the patients they come from.
        settings: what the windows depend on, as `window_settings` gives it.
        lead_names: name of each lead.
        normalization: `Normalization` of the inputs.
        owners: (windows,), the patient id of each window; None where that is not known.
    """

    inputs: dict
    labels: np.ndarray
    patients: list
    settings: dict
    lead_names: tuple
    normalization: Normalization
    owners: np.ndarray | None = None

    @classmethod
    def draw(cls, batches, size, patients, settings, lead_names, normalization):
        """Return the first `size` windows of a stream of unfinished batches."""
        drawn = [({name: x.numpy() for name, x in inputs.items()}, labels.numpy()) for inputs, labels in batches]
        inputs = {name: np.concatenate([b[0][name] for b in drawn])[:size] for name in drawn[0][0]}
        labels = np.concatenate([labels for _, labels in drawn])[:size]
        return cls(inputs, labels, list(patients), settings, tuple(lead_names), normalization)

    def __len__(self):
        return len(self.labels)

    def batches(self, batch_size, task, options):
        """Return the tf.data.Dataset of finished batches, in order; the last may be smaller."""
        rows = tf.data.Dataset.range(len(self)).batch(batch_size)
        return self._gathered(rows, None, task, options)

    def shuffled_batches(self, batch_size, task, options, seed, steps, first_step=0):
        """Return the tf.data.Dataset of finished batches in an order that is new in every pass.

        Batch number `step` depends on the seed and the step alone.

        Args:
            batch_size: windows in a batch; a batch may end one pass and begin the next.
            task: `Task`.
            options: of the run, as the task wants them.
            seed: seed of the orders.
            steps: number of batches.
            first_step: number of the first batch.
        """

        def rows_of(step):
            passes, places = np.divmod(np.arange(step * batch_size, (step + 1) * batch_size), len(self))
            numbers = zip(passes.tolist(), places.tolist())
            return np.array([_order(seed, number, len(self))[place] for number, place in numbers])

        numbers = tf.data.Dataset.range(first_step, first_step + steps)
        rows = numbers.map(lambda step: tf.numpy_function(rows_of, [step], tf.int64, stateful=False))
        return self._gathered(rows, batch_size, task, options)

    def _gathered(self, rows, batch_size, task, options):
        types = [tf.float32] * len(self.inputs) + [tf.as_dtype(self.labels.dtype)]

        def gather(rows):
            *inputs, labels = tf.numpy_function(self._take, [rows], types, stateful=False)
            for tensor, array in zip(inputs, self.inputs.values()):
                tensor.set_shape((batch_size, *array.shape[1:]))
            labels.set_shape((batch_size, *self.labels.shape[1:]))
            return task.finish(dict(zip(self.inputs, inputs)), labels, options)

        return without_autotune(rows.map(gather).prefetch(1))

    def _take(self, rows):
        return *(array[rows] for array in self.inputs.values()), self.labels[rows]

    def select(self, chosen):
        """Return the set of the windows where `chosen`, bool (windows,), is true."""
        if chosen.all():
            return self
        owners = self.owners[chosen]
        return dataclasses.replace(
            self,
            inputs={name: array[chosen] for name, array in self.inputs.items()},
            labels=self.labels[chosen],
            patients=np.unique(owners).tolist(),
            owners=owners,
        )

    def digest(self):
        """Return a hex digest of windows and labels, by which a resumed run knows them again."""
        digest = hashlib.sha256(np.ascontiguousarray(self.labels).view(np.uint8))
        for name in sorted(self.inputs):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(self.inputs[name]).data)
        return digest.hexdigest()[:16]

    def save(self, path):
        """Write the windows to one file, a numpy archive whatever its name, whole or not at all."""
        values = {"format": FORMAT, "patients": self.patients, "settings": self.settings}
        values |= {"leads": self.lead_names, "normalization": self.normalization.to_dict()}
        arrays = {_INPUT + name: array for name, array in self.inputs.items()}
        if self.owners is not None:
            arrays["owners"] = self.owners
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, description=np.asarray(json.dumps(values)), labels=self.labels, **arrays)

    @classmethod
    def load(cls, path):
        """Read what `save` wrote.

        Args:
            path: the file.

        Raises:
            DataError: if the file is missing or damaged.
        """
        path = pathlib.Path(path)
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = dict(archive)
            values = json.loads(str(arrays.pop("description")))
            if values["format"] != FORMAT:
                raise ValueError(f"format {values['format']}")
            if values["settings"]["leads"] != len(values["leads"]) or not values["settings"]["sampling_rate_hz"] > 0:
                raise ValueError(f"{len(values['leads'])} leads")
            return cls(
                labels=arrays.pop("labels"),
                owners=arrays.pop("owners", None),
                inputs={name.removeprefix(_INPUT): array for name, array in arrays.items()},
                patients=values["patients"],
                settings=values["settings"],
                lead_names=tuple(values["leads"]),
                normalization=Normalization.from_dict(values["normalization"]),
            )
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(
                f"{path}: windows written by --cache-val are needed. Received: {type(error).__name__} "
                f"({error}); write the file again"
            ) from error

    def check_settings(self, settings, path):
        """Refuse windows that a run did not ask for.

        Args:
            settings: what the run needs, a dict with some or all keys of `window_settings`.
            path: the file, for the message.

        Raises:
            DataError: if task, frame size, rate or another setting differs.
        """
        ours, there = json.loads(json.dumps(settings)), self.settings
        different = [f"{key} {there.get(key)} (this run {ours[key]})" for key in ours if there.get(key) != ours[key]]
        if different:
            raise DataError(
                f"{path}: windows must be those that this run asks for. "
                f"Received: {shorten(different)}; use another file, or the options it was made with"
            )

    def normalized_as(self, normalization):
        """Return the set standardised as a run standardises its training windows."""
        if normalization == self.normalization:
            return self
        inputs = {name: normalization.apply(self.normalization.invert(x)) for name, x in self.inputs.items()}
        return dataclasses.replace(self, inputs=inputs, normalization=normalization)


@functools.lru_cache(maxsize=2)  # A batch may lie in two passes; TensorFlow keeps all that a data set refers to.
def _order(seed, number, count):
    return np.random.default_rng((seed, number)).permutation(count)


def window_settings(task, options):
    """Return what windows depend on besides patients, recorder and standardisation."""
    return {"task": task.name, "frame_size": options.frame_size, **task_options(task, options)}


def recorder_settings(store):
    """Return what windows depend on that the recordings decide."""
    return {"sampling_rate_hz": store.sampling_rate_hz, "leads": store.n_leads}

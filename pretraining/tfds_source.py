"""Recordings out of a prepared TensorFlow data set: `--source tfds:NAME`, `--train tfds:NAME`."""

import contextlib
import os
import pathlib
import re

from transplant.errors import DataError, OptionError

PREFIX = "tfds:"
_SPEC = re.compile(r"(?P<name>\w+)(:(?P<config>[\w.-]+))?(/(?P<version>\d+\.\d+\.\d+))?")
_VERSION = re.compile(r"\d+\.\d+\.\d+")


class TfdsSource:
    """A data set that a builder of `transplant.datasets.tfds` prepared, read from its files.

    Records are stored in the order of `patients()` and read fastest in that
    order: whoever reads another one skips over those between. Copies in other
    processes work, and each skips by itself; one process is the better choice.

    Args:
        spec: "tfds:NAME[:CONFIG][/VERSION]", e.g. "tfds:mitdb" or
            "tfds:icentia11k:ten_patients/1.0.0". Without CONFIG the only one
            that is there, without VERSION the newest that is there.
        data_dir: folder of prepared data sets. Defaults to that of TensorFlow
            Datasets: the environment variable TFDS_DATA_DIR or ~/tensorflow_datasets.

    Raises:
        OptionError: if `spec` is no such name.
        DataError: if the data set is not there, or holds no annotated records.

    Example:
        >>> source = TfdsSource("tfds:mitdb")
        >>> record = source.read(source.patients()["100"][0])
    """

    # Each process would import TensorFlow and skip over the others' records.
    one_process = True

    def __init__(self, spec, data_dir=None):
        found = _SPEC.fullmatch(str(spec).removeprefix(PREFIX))
        if not found:
            raise OptionError(
                f"a TensorFlow data set is {PREFIX}NAME, {PREFIX}NAME:CONFIG or {PREFIX}NAME:CONFIG/1.0.0. "
                f"Received: {spec}"
            )
        self.path = _find(data_dir, found["name"], found["config"], found["version"])
        self._set_up()

    def _set_up(self):
        from transplant.training.quiet_start import start_tensorflow

        start_tensorflow()
        import tensorflow_datasets as tfds

        self._builder = tfds.builder_from_directory(self.path)
        self._iterator, self._next = None, 0
        self._records = (self._builder.info.metadata or {}).get("records")
        if not self._records or "beats" not in self._builder.info.features:
            raise DataError(
                f"{self.path}: annotated records are needed, as transplant.datasets.tfds writes them. Received: "
                f"{self._builder.info.full_name} without; build mitdb or icentia11k"
            )

    def __getstate__(self):
        return {"path": self.path}

    def __setstate__(self, state):
        self.path = state["path"]
        self._set_up()

    @property
    def name(self):
        """Name, configuration and version of the data set."""
        return f"{PREFIX}{self._builder.info.full_name}"

    @property
    def dataset(self):
        """ "icentia11k" or "wfdb": whose conventions the records follow."""
        return "icentia11k" if self._builder.info.name == "icentia11k" else "wfdb"

    def patients(self):
        """Return {patient id: [places in the data set]}, in the order of the data set."""
        found = {}
        for place, (patient, *_) in enumerate(self._records):
            found.setdefault(patient, []).append(place)
        return found

    def expected_samples(self, records, rate_hz):
        """Return the samples per lead after resampling, and bytes per sample: 2 if the rate stays, else 4."""
        chosen = [self._records[place] for place in records]
        samples = sum(length * rate_hz / rate for _patient, _name, length, rate in chosen)
        return samples, 2 if all(record[3] == rate_hz for record in chosen) else 4

    def read(self, record):
        """Read one record.

        Args:
            record: a place that `patients` returned.

        Returns:
            A `Record`, as the reader of the original files gives it.

        Raises:
            DataError: if the data set's files are damaged.
        """
        from transplant.datasets.tfds.record_features import record_of

        found = record_of(self._example(record))
        expected = self._records[record][1]
        if found.name != expected:
            raise self._damaged(f"record {found.name} in the place of {expected}")
        return found

    def _example(self, place):
        import tensorflow as tf
        import tensorflow_datasets as tfds

        try:
            if self._iterator is None or place != self._next:
                rest = tfds.core.ReadInstruction("train", from_=place, unit="abs")
                # In one stream, or the order would be lost; and records are too large to keep.
                reading = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False, skip_prefetch=True)
                with _quiet():
                    stream = self._builder.as_dataset(split=rest, read_config=reading)
                self._iterator = iter(tfds.as_numpy(stream))
            example = next(self._iterator)
        except (StopIteration, tf.errors.OpError, ValueError, KeyError, OSError) as error:
            self._iterator = None
            raise self._damaged(f"{type(error).__name__} ({str(error).splitlines()[0]})") from error
        self._next = place + 1
        return example

    def _damaged(self, received):
        return DataError(
            f"{self.path}: the files must be those that the builder wrote. Received: {received}; remove the folder and "
            "build the data set again"
        )


@contextlib.contextmanager
def _quiet():
    """Keep to itself what TensorFlow Datasets warns of in its own code."""
    from absl import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _find(data_dir, name, config, version):
    """Return the folder of a prepared data set."""
    root = pathlib.Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()
    folder = root / name
    configs = [path.name for path in _folders(folder) if _versions(path)]
    if config is None and configs and not _versions(folder):
        if len(configs) > 1:
            raise OptionError(
                f"{PREFIX}{name}: one of its configurations must be named. Received: none; in {folder} there are "
                f"{', '.join(configs)}, say {PREFIX}{name}:{configs[0]}"
            )
        config = configs[0]
    folder = folder / config if config else folder
    there = _versions(folder)
    if not there or version not in (None, *there):
        wanted = f"{name}:{config}" if config else name
        remedy = (
            f"name a version that is there, {PREFIX}{wanted}/{there[-1]}"
            if there
            else f"build it: python -m transplant.datasets.tfds.build {wanted} --data-dir {root}"
        )
        raise DataError(
            f"{PREFIX}{wanted}: a prepared data set is needed{f' of version {version}' if version else ''}. Received: "
            f"{', '.join(there) or 'none'} in {folder}; {remedy}"
        )
    return folder / (version or max(there, key=lambda text: tuple(map(int, text.split(".")))))


def _versions(folder):
    return [p.name for p in _folders(folder) if _VERSION.fullmatch(p.name) and (p / "dataset_info.json").is_file()]


def _folders(folder):
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []

"""What the builders of annotated records share."""

import abc

import tensorflow_datasets as tfds

from transplant.datasets.published_files import CONNECTIONS
from transplant.datasets.tfds.record_features import (
    annotation_example,
    annotation_features,
    signal_example,
    signal_features,
)

# TensorFlow Datasets sorts by keys of this range.
_KEYS = 2**128


def ordered(examples, count):
    """Yield (key, example) such that the data set keeps the examples' order.

    TensorFlow Datasets sorts through a thousand temporary files, each held in
    memory in its turn and chosen by the key's place in the range of keys.
    Numbers from 0 on would all go into the first.

    Args:
        examples: iterable of `count` examples.
        count: how many there are.
    """
    for i, example in enumerate(examples):
        yield i * (_KEYS // count), example


class AnnotatedRecordsBuilder(tfds.core.GeneratorBasedBuilder):
    """A data set of annotated records, one example a record, patient after patient.

    A subclass names its `PUBLICATION`, gives a `DESCRIPTION` and opens its files.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012
    MAX_SIMULTANEOUS_DOWNLOADS = CONNECTIONS

    @abc.abstractmethod
    def _open_source(self, dl_manager):
        """Return an object with `read(record)`, and the records wanted, those of a patient together."""

    def _info(self):
        return self.dataset_info_from_configs(
            description=self.DESCRIPTION,
            features=tfds.features.FeaturesDict(signal_features() | annotation_features()),
            homepage=self.PUBLICATION.homepage,
            citation=self.PUBLICATION.citation,
            license=self.PUBLICATION.licence,
            # A reader finds a record by its place.
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(unit="mV", records=[]),
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(*self._open_source(dl_manager))}

    def _generate_examples(self, source, records):
        return ordered(self._examples(source, records), len(records))

    def _examples(self, source, records):
        listed = self.info.metadata["records"]
        listed.clear()
        for key in records:
            record = source.read(key)
            listed.append([record.patient, record.name, len(record.signal), record.sampling_rate_hz])
            yield signal_example(record) | annotation_example(record)

"""PhysioNet/CinC Challenge 2017: `tfds.load("challenge2017/v2")`."""

import dataclasses

import tensorflow_datasets as tfds

from transplant.datasets.archive import unpack
from transplant.datasets.challenge2017 import (
    CLASSES,
    DEFAULT_LABEL_VERSION,
    LABEL_VERSIONS,
    SAMPLING_RATE_HZ,
    read_challenge2017,
)
from transplant.datasets.published_files import CONNECTIONS
from transplant.datasets.publishers import PUBLICATIONS
from transplant.datasets.tfds.record_features import signal_example, signal_features
from transplant.datasets.tfds.source_files import downloaded_folder, manual_folder, manual_instructions


@dataclasses.dataclass(eq=False, kw_only=True)
class Challenge2017Config(tfds.core.BuilderConfig):
    """Which version of the labels; it is also the configuration's name."""

    label_version: str = DEFAULT_LABEL_VERSION


class Challenge2017(tfds.core.GeneratorBasedBuilder):
    """Builder of the training records of the PhysioNet/CinC Challenge 2017."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012
    MAX_SIMULTANEOUS_DOWNLOADS = CONNECTIONS
    PUBLICATION = PUBLICATIONS["challenge2017"]
    BUILDER_CONFIGS = [  # noqa: RUF012
        Challenge2017Config(name=version, description=f"Labels of version {version}.", label_version=version)
        for version in LABEL_VERSIONS
    ]
    DEFAULT_BUILDER_CONFIG_NAME = DEFAULT_LABEL_VERSION
    MANUAL_DOWNLOAD_INSTRUCTIONS = manual_instructions(
        PUBLICATION,
        "the unpacked training2017.zip (training2017/A00001.mat and so on) and the labels, REFERENCE-v2.csv or the "
        "version of the configuration; records and labels must be the same ones.",
    )

    MANUAL_PATTERNS = ("*.mat", "training*/*.mat", "training*/*/*.mat")

    def _info(self):
        return self.dataset_info_from_configs(
            description="""\
            Training records of the PhysioNet/CinC Challenge 2017: short single-lead ECGs from a hand-held device,
            300 Hz, 9 to 61 s, each labelled AF (A), normal (N), other rhythm (O) or too noisy (~). One example a
            record: the signal in mV, (time, 1), as it is on disk, neither resampled nor normalised. There are
            three versions of the labels, hence the configurations; v2 are those of Weimann & Conrad (2021). Who
            gave several records was not published: `patient` is the record's name. The challenge's test set is
            not public.
            """,
            features=tfds.features.FeaturesDict(
                signal_features() | {"label": tfds.features.ClassLabel(names=list(CLASSES))}
            ),
            supervised_keys=("signal", "label"),
            homepage=self.PUBLICATION.homepage,
            citation=self.PUBLICATION.citation,
            license=self.PUBLICATION.licence,
            metadata=tfds.core.MetadataDict(
                unit="mV", sampling_rate_hz=SAMPLING_RATE_HZ, label_version=self.builder_config.label_version
            ),
        )

    def _split_generators(self, dl_manager):
        folder = manual_folder(dl_manager, self.name, self.MANUAL_PATTERNS)
        if folder is None:
            folder = downloaded_folder(dl_manager, self.PUBLICATION, lambda files: files.paths)
            unpack(folder / "training2017.zip", folder / "training2017")
        return {"train": self._generate_examples(folder)}

    def _generate_examples(self, folder):
        for record in read_challenge2017(folder, self.builder_config.label_version):
            yield record.name, signal_example(record) | {"label": record.label}

"""Icentia11k: `tfds.load("icentia11k")`, or a part of its patients."""

import dataclasses

import tensorflow_datasets as tfds

from transplant.datasets.icentia11k_files import Icentia11kFiles, has_icentia11k_files
from transplant.datasets.publishers import PUBLICATIONS
from transplant.datasets.tfds.records_builder import AnnotatedRecordsBuilder
from transplant.datasets.tfds.source_files import downloaded_folder, manual_folder, manual_instructions
from transplant.datasets.wfdb_directory import WfdbDirectory
from transplant.errors import DataError, shorten


@dataclasses.dataclass(eq=False, kw_only=True)
class Icentia11kConfig(tfds.core.BuilderConfig):
    """Which part of Icentia11k.

    Attributes:
        patient_ids: patients, as numbers. Defaults to None: all, or all in the manual folder.
        segments_per_patient: the first so many segments of each. Defaults to None: all.

    Example:
        >>> config = Icentia11kConfig(name="first20", patient_ids=range(20))
        >>> tfds.load("icentia11k", builder_kwargs={"config": config})
    """

    patient_ids: tuple | None = None
    segments_per_patient: int | None = None

    def choose(self, available):
        """Return the wanted of the patient ids, in their order.

        Raises:
            DataError: if a patient is not there.
        """
        if self.patient_ids is None:
            return list(available)
        wanted = {str(int(patient)) for patient in self.patient_ids}
        missing = wanted - set(available)
        if missing or not wanted:
            raise DataError(
                f"icentia11k/{self.name}: patients must be there. Received: {shorten(sorted(missing))}; "
                f"{len(available)} patients are"
            )
        return [patient for patient in available if patient in wanted]


class Icentia11k(AnnotatedRecordsBuilder):
    """Builder of the Icentia11k single-lead ambulatory ECGs."""

    PUBLICATION = PUBLICATIONS["icentia11k"]
    BUILDER_CONFIGS = [  # noqa: RUF012
        Icentia11kConfig(name="all", description="All 11,000 patients: over 1.1 TB to download, as much to write."),
        Icentia11kConfig(
            name="ten_patients",
            description="The first ten patients, about 1 GB, to try things out.",
            patient_ids=tuple(range(10)),
        ),
    ]
    DESCRIPTION = """\
    Icentia11k: ambulatory ECGs of 11,000 patients from a single-lead chest-mounted device, 250 Hz, up to 50 segments
    of about 70 minutes a patient, with beat and rhythm labels. One example a segment: the signal in mV, (time, 1),
    as it is on disk, neither resampled nor normalised. Divide the segments by `patient`. Beat classes: undefined,
    normal, pac, aberrated, pvc; rhythm classes: undefined, end, noise, normal, afib, aflut. The licence allows
    non-commercial use only.
    """
    MANUAL_DOWNLOAD_INSTRUCTIONS = manual_instructions(
        PUBLICATION,
        "PhysioNet's form (p00/p00000/p00000_s00.hea and so on) or the torrent's (00000_batched.pkl.gz and "
        "00000_batched_lbls.pkl.gz, or unzipped); some of the patients will do.",
    )

    MANUAL_PATTERNS = ("*_batched*", "p*/p*/p*_s*.hea", "p*/p*_s*.hea", "p*_s*.hea")

    def _open_source(self, dl_manager):
        config = self.builder_config
        folder = manual_folder(dl_manager, self.name, self.MANUAL_PATTERNS)
        if folder and has_icentia11k_files(folder):
            source = Icentia11kFiles(folder)
        else:
            source = WfdbDirectory(folder or downloaded_folder(dl_manager, self.PUBLICATION, self._choose_files))
        available = source.patients()
        chosen = [available[patient][: config.segments_per_patient] for patient in config.choose(available)]
        return source, [record for records in chosen for record in records]

    def _choose_files(self, files):
        return files.of_patients(self.builder_config.choose(files.patients()), self.builder_config.segments_per_patient)

"""MIT-BIH Arrhythmia Database: `tfds.load("mitdb")`."""

import pathlib
import re

from transplant.datasets.publishers import PUBLICATIONS
from transplant.datasets.tfds.records_builder import AnnotatedRecordsBuilder
from transplant.datasets.tfds.source_files import downloaded_folder, manual_folder, manual_instructions
from transplant.datasets.wfdb_directory import WfdbDirectory

_RECORD = re.compile(r"\d{3}")


class Mitdb(AnnotatedRecordsBuilder):
    """Builder of the MIT-BIH Arrhythmia Database."""

    PUBLICATION = PUBLICATIONS["mitdb"]
    DESCRIPTION = """\
    The MIT-BIH Arrhythmia Database: 48 half-hour ambulatory ECG records of two leads, 360 Hz, with beat and rhythm
    annotations. One example a record: the signal in mV, (time, leads), as it is on disk, neither resampled nor
    normalised. Leads differ between records: choose them by name. Records 201 and 202 are of one patient; divide
    the records by `patient`. Beats carry the five classes of Icentia11k (undefined, normal, pac, aberrated, pvc),
    rhythms its six (undefined, end, noise, normal, afib, aflut).
    """
    MANUAL_DOWNLOAD_INSTRUCTIONS = manual_instructions(
        PUBLICATION, "100.hea, 100.dat, 100.atr and so on; some of the records will do."
    )

    MANUAL_PATTERNS = ("[0-9][0-9][0-9].hea",)

    def _open_source(self, dl_manager):
        folder = manual_folder(dl_manager, self.name, self.MANUAL_PATTERNS)
        source = _Records(folder or downloaded_folder(dl_manager, self.PUBLICATION, lambda files: files.paths))
        return source, [record for records in source.patients().values() for record in records]


class _Records(WfdbDirectory):
    """The database's records without the excerpts that lie beside them."""

    def _record_paths(self):
        return [path for path in super()._record_paths() if _RECORD.fullmatch(pathlib.Path(path).name)]

"""The publisher's list of a data set's files, with their checksums, patients and size."""

import pathlib
import re
import statistics

from transplant.datasets.fetch import remote_size
from transplant.datasets.publishers import mirror_root
from transplant.errors import DataError

_SAMPLED = 3
_LINE = re.compile(r"([0-9a-fA-F]{64})[ \t]+\*?(?:\./)?(\S.*)")


def read_checksums(path, pattern):
    """Read a list as `sha256sum` writes it.

    Args:
        path: the list; each line a SHA-256 and a path.
        pattern: compiled expression; other paths are left out. Its matches
            must stay inside the data set's folder.

    Returns:
        {path: SHA-256 in hexadecimal}, in the order of the list.

    Raises:
        DataError: if a line is no such line.
    """
    found = {}
    with open(path, encoding="utf-8", errors="replace") as stream:
        for number, line in enumerate(stream, 1):
            line = line.rstrip("\r\n")
            parts = _LINE.fullmatch(line)
            if parts is None and line.strip():
                raise DataError(
                    f"{path}: a line is a SHA-256 and a path. Received: line {number} {line[:60]!r}; "
                    "remove the file and run the same command again"
                )
            if parts and pattern.fullmatch(parts[2]):
                found[parts[2]] = parts[1].lower()
    return found


class FileList:
    """The files of a data set that a preparation needs, as its publisher lists them.

    Args:
        publication: `Publication`.
        listing: the publisher's `SHA256SUMS.txt`, on disk.
        mirror: root of the file tree; see `mirror_root`.

    Attributes:
        sha256: {path: SHA-256 in hexadecimal}.

    Raises:
        DataError: if the list is damaged or names none of the files.
    """

    def __init__(self, publication, listing, mirror=None):
        self.publication = publication
        self._mirror = mirror_root(mirror)
        self.sha256 = read_checksums(listing, publication.file_pattern)
        if not self.sha256:
            raise DataError(
                f"{listing}: the list must name files like {publication.file_pattern.pattern}. Received: none; "
                "remove it and run the same command again, or check --mirror"
            )

    @property
    def paths(self):
        """Paths of all files, below the data set's folder."""
        return list(self.sha256)

    def url(self, path):
        """Return the address of a file."""
        return self.publication.url(path, self._mirror)

    def patients(self):
        """Return {patient id: {record name: [paths]}}, patients and records sorted."""
        # Reads record names as the reader of the files does.
        from transplant.datasets.wfdb_directory import patient_of

        found = {}
        for path in sorted(self.sha256):
            record = self.publication.file_pattern.fullmatch(path)["record"]
            found.setdefault(patient_of(record), {}).setdefault(record, []).append(path)
        return dict(sorted(found.items(), key=lambda item: (len(item[0]), item[0])))

    def of_patients(self, patients, records_per_patient=None):
        """Return the paths of the patients' first records; of all records where no number is given."""
        available = self.patients()
        chosen = [list(available[patient].values())[:records_per_patient] for patient in patients]
        return [path for records in chosen for paths in records for path in paths]

    def expected_bytes(self, paths):
        """Estimate the size of files: per kind of file, the median of a few stands for all.

        Returns:
            Bytes, or None where the server does not tell.
        """
        kinds = {}
        for path in paths:
            kinds.setdefault(pathlib.PurePosixPath(path).suffix, []).append(path)
        total = 0
        for members in kinds.values():
            sizes = [remote_size(self.url(path)) for path in members[:: -(-len(members) // _SAMPLED)]]
            if None in sizes:
                return None
            total += statistics.median(sizes) * len(members)
        return total

"""Fetch the files of a published data set: sizes first, verified, resumable."""

import concurrent.futures
import pathlib
import shutil
import threading

from transplant.datasets.fetch import fetch_file
from transplant.datasets.file_list import FileList
from transplant.datasets.publishers import CHECKSUM_LIST, mirror_root
from transplant.errors import DataError
from transplant.training.progress import Progress

# Few enough for a public server, enough to hide the wait between small files.
CONNECTIONS = 4
# Files in hand at once: Icentia11k has over a million.
BATCH = 2000
_MIB = 1 << 20


class PublishedFiles:
    """A folder that holds, or shall hold, files of a data set in the publisher's layout.

    Opening it fetches the publisher's list of checksums, which names every
    file, unless the list is there.

    Args:
        publication: `Publication`.
        folder: the folder.
        mirror: root of the file tree; see `mirror_root`.
        log: function that takes a line.

    Attributes:
        listed: the `FileList`.

    Raises:
        DataError: if the list cannot be had or does not name the files.

    Example:
        >>> files = PublishedFiles(PUBLICATIONS["mitdb"], "downloads/mitdb")
        >>> files.fetch(files.listed.of_patients(["100", "101"]))
    """

    def __init__(self, publication, folder, mirror=None, log=print):
        self.publication = publication
        self.folder = pathlib.Path(folder)
        self._mirror = mirror_root(mirror)
        self._log = log
        url, listing = publication.url(CHECKSUM_LIST, self._mirror), self.folder / CHECKSUM_LIST
        if not listing.is_file():
            log(f"fetching the list of files: {url}")
        fetch_file(url, listing)
        self.listed = FileList(publication, listing, self._mirror)

    def fetch(self, paths):
        """Fetch files that are not there, and verify those that are.

        Says first what will be transferred and under which licence the data are.

        Args:
            paths: of `listed.paths`.

        Returns:
            The folder.

        Raises:
            DataError: if the disk is too small or the download stops; files
                that are whole, and parts of others, are kept for the next attempt.
        """
        paths = list(paths)
        missing = [path for path in paths if not (self.folder / path).is_file()]
        self._announce(len(paths), missing)
        progress = Progress(len(paths), f"files of {self.publication.name}")
        stop = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as pool:
            try:
                for start in range(0, len(paths), BATCH):
                    batch = [pool.submit(self._fetch_one, path, stop) for path in paths[start : start + BATCH]]
                    for done in concurrent.futures.as_completed(batch):
                        done.result()
                        progress.step()
            except BaseException:
                stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        return self.folder

    def _fetch_one(self, path, stop):
        fetch_file(self.listed.url(path), self.folder / path, self.listed.sha256[path], stop)

    def _announce(self, total, missing):
        """Say what will be fetched, and refuse a disk that is too small."""
        name = f"{self.publication.title} {self.publication.version}"
        self._log(f"{name}: licence {self.publication.licence}; cite {self.publication.homepage}")
        if not missing:
            self._log(f"{self.folder}: all {total} files are there, verifying them")
            return
        needed = self.listed.expected_bytes(missing)
        if needed is not None:
            parts = [self.folder / f"{path}.part" for path in missing]
            needed = max(needed - sum(part.stat().st_size for part in parts if part.exists()), 0)
        free = shutil.disk_usage(self.folder).free
        size = "of unknown size" if needed is None else f"about {needed / _MIB:,.0f} MiB"
        self._log(
            f"fetching {len(missing)} of {total} files, {size}, from {self._mirror} into {self.folder}, "
            f"{free / _MIB:,.0f} MiB free"
        )
        if needed is not None and needed > 0.95 * free:
            raise DataError(
                f"{self.folder}: the download needs about {needed / 2**30:,.1f} GiB. Received: a disk with "
                f"{free / 2**30:,.1f} GiB free; choose another --download-dir or fewer patients"
            )

"""Where a builder's files come from: the user's folder, or the publisher through the download manager."""

import os
import pathlib
import shutil

import tensorflow_datasets as tfds

from transplant.datasets.fetch import file_sha256
from transplant.datasets.file_list import FileList
from transplant.datasets.publishers import CHECKSUM_LIST
from transplant.errors import DataError


def manual_instructions(publication, layouts):
    """Return the text that TensorFlow Datasets shows about the manual folder."""
    return (
        f"Files that you hold already are read from manual_dir/{publication.name}, or from manual_dir itself: "
        f"{layouts} They are taken as they are. Without them the files are downloaded from {publication.homepage}."
    )


def find_files(folder, name, patterns):
    """Return the folder that holds a data set's files, or None.

    Args:
        folder: looked at after its subfolder called `name`.
        name: the data set's name.
        patterns: glob patterns; one of them must match below the folder.
    """
    for place in (pathlib.Path(folder) / name, pathlib.Path(folder)):
        if any(next(place.glob(pattern), None) for pattern in patterns):
            return place
    return None


def manual_folder(dl_manager, name, patterns):
    """Return the user's folder with the files, or None; see `find_files`."""
    try:
        return find_files(os.fspath(dl_manager.manual_dir), name, patterns)
    except AssertionError:  # What the manager raises where the folder is missing or empty.
        return None


def downloaded_folder(dl_manager, publication, choose):
    """Download the chosen files and verify each against the publisher's list of checksums.

    TensorFlow Datasets keeps downloads under names of its own; the files are
    linked into a folder with the publisher's layout, which the readers expect.

    Args:
        dl_manager: `tfds.download.DownloadManager`.
        publication: `Publication`.
        choose: function from the `FileList` to the paths wanted.

    Returns:
        The folder.

    Raises:
        DataError: if a file has another checksum than published (it is removed
            then), or the disk is too small.
    """
    listing = _download(dl_manager, {CHECKSUM_LIST: publication.url(CHECKSUM_LIST)})[CHECKSUM_LIST]
    try:
        files = FileList(publication, listing)
    except DataError:
        _forget(listing)
        raise
    paths = choose(files)
    folder = pathlib.Path(os.fspath(dl_manager.download_dir)) / f"{publication.slug}-{publication.version}"
    missing = [path for path in paths if not (folder / path).is_file()]
    _check_disk(files, missing, folder)
    for path, cached in _download(dl_manager, {path: files.url(path) for path in missing}).items():
        if file_sha256(cached) != files.sha256[path]:
            _forget(cached)
            raise DataError(
                f"{files.url(path)}: the file must have the SHA-256 that its publisher lists, {files.sha256[path]}. "
                "Received: another, removed; build the data set again"
            )
        _place(cached, folder / path)
    return folder


def _download(dl_manager, urls):
    """Return {key: path} of downloaded files."""
    try:
        downloaded = dl_manager.download(urls)
    except (OSError, tfds.download.DownloadError) as error:
        raise DataError(
            f"{next(iter(urls.values()))}: the download stopped. Received: {error}; build the data set again: whole "
            "files are kept"
        ) from error
    return {key: pathlib.Path(os.fspath(path)) for key, path in downloaded.items()}


def _forget(cached):
    """Remove a downloaded file, so that the download manager fetches it again."""
    cached.unlink()
    cached.with_name(f"{cached.name}.INFO").unlink(missing_ok=True)


def _check_disk(files, missing, folder):
    folder.mkdir(parents=True, exist_ok=True)
    needed, free = files.expected_bytes(missing), shutil.disk_usage(folder).free
    # The download, TensorFlow Datasets' temporary file and the data set itself.
    if needed is not None and 3 * needed > free:
        raise DataError(
            f"{folder}: {len(missing)} files of {needed / 2**30:,.1f} GiB need three times that on the disk to become "
            f"a TensorFlow data set. Received: {free / 2**30:,.1f} GiB free; choose fewer patients, or "
            "python -m pretraining.prepare, which needs twice their size"
        )


def _place(cached, destination):
    destination.parent.mkdir(parents=True, exist_ok=True)
    temporary = destination.with_name(f".{destination.name}.placing")
    temporary.unlink(missing_ok=True)
    try:
        os.link(cached, temporary)
    except OSError:  # Some file systems have no links.
        shutil.copyfile(cached, temporary)
    os.replace(temporary, destination)

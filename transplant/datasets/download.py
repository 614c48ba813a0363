"""Download what a prepare command reads: where the files go, and what is made of them."""

import pathlib

from transplant.datasets.archive import unpack
from transplant.datasets.published_files import PublishedFiles
from transplant.datasets.publishers import PUBLICATIONS


def download_folder(name, out, download_dir=None):
    """Return the folder for a data set's files.

    Args:
        name: the data set's name.
        out: what the prepare command writes.
        download_dir: folder that holds one folder per data set. Defaults to
            `downloads` beside `out`.
    """
    return pathlib.Path(download_dir or pathlib.Path(out).absolute().parent / "downloads") / name


def download_records(name, folder, choose, records_per_patient=None, mirror=None, log=print):
    """Fetch annotated records, patient by patient.

    Args:
        name: "mitdb" or "icentia11k".
        folder: where the files shall lie, in the publisher's layout.
        choose: function from the list of all patient ids to those wanted.
        records_per_patient: the first so many of each patient. Defaults to all.
        mirror: root of the file tree; see `mirror_root`.
        log: function that takes a line.

    Returns:
        The folder, as `WfdbDirectory` takes it.

    Raises:
        DataError: if the disk is too small or the download stops.
    """
    files = PublishedFiles(PUBLICATIONS[name], folder, mirror, log)
    return files.fetch(files.listed.of_patients(choose(list(files.listed.patients())), records_per_patient))


def download_challenge2017(folder, mirror=None, log=print):
    """Fetch and unpack the training records of the PhysioNet/CinC Challenge 2017.

    Args:
        folder: where the archive, its unpacked records (`training2017/`) and
            the label versions shall lie.
        mirror: root of the file tree; see `mirror_root`.
        log: function that takes a line.

    Returns:
        The folder, as `read_challenge2017` takes it.

    Raises:
        DataError: if the download stops or the archive is damaged.
    """
    files = PublishedFiles(PUBLICATIONS["challenge2017"], folder, mirror, log)
    files.fetch(files.listed.paths)
    unpack(files.folder / "training2017.zip", files.folder / "training2017", log)
    return files.folder


# By the names of the labelled data sets' registry.
DOWNLOADERS = {"challenge2017": download_challenge2017}

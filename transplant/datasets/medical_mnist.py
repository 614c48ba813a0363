"""Medical MNIST: 58,954 grey images of 64 x 64 pixels, the body part or the kind of scan to be told.

Source: folders AbdomenCT, BreastMRI, CXR, ChestCT, Hand and HeadCT of JPEG files, compiled by A. P. Lozano
(github.com/apolanco3225/Medical-MNIST-Classification, 2017) from public collections.
"""

import hashlib
import pathlib

import numpy as np

from transplant.datasets.image_files import decode_jpegs, find_jpegs
from transplant.datasets.labelled_set import LabelledSet
from transplant.datasets.record_source import Skipped
from transplant.datasets.whole_set import WholeSet
from transplant.errors import DataError, shorten

CLASSES = ("AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT")
SHAPE = (64, 64, 1)
PUBLISHED_IMAGES = 58_954


def read_medical_mnist(source, *, skipped=None, on_record=None):
    """Read the six folders of images, in the order of class and file name.

    Images whose pixels are identical are one group, so that no split has a copy on both of
    its sides; a group has the name of its first image.

    Args:
        source: the folder that holds the six class folders.
        skipped: a list that receives a `Skipped` for every image that cannot be
            used. Defaults to None: such an image is an error.
        on_record: called once for every file. Defaults to None.

    Returns:
        A `WholeSet`; x is uint8 (images, 64, 64, 1) in grey levels, records are named "Hand/000123".

    Raises:
        DataError: if a class folder is missing or empty, or an image cannot be
            decoded or has another size.
    """
    files, labels = _list_files(pathlib.Path(source))
    x, errors = decode_jpegs(files, SHAPE, on_record)
    for index, reason in errors.items():
        error = DataError(
            f"{files[index]}: an image is a JPEG of 64 x 64 x 1 grey levels. Received: {reason}; "
            "fetch it again or leave it out (--skip-bad)"
        )
        if skipped is None:
            raise error
        skipped.append(Skipped(f"{files[index].parent.name}/{files[index].stem}", str(error)))
    kept = np.setdiff1d(np.arange(len(files)), list(errors))
    if not len(kept):
        raise DataError(f"{source}: images are needed. Received: none that can be decoded; fetch them again")
    names = [f"{files[i].parent.name}/{files[i].stem}" for i in kept]
    distinct, counts = np.unique(names, return_counts=True)
    if (counts > 1).any():
        raise DataError(
            f"{source}: an image is there once. Received: {shorten(distinct[counts > 1])} with two ends of the name; "
            "remove one of each"
        )
    x, y = (x, labels) if not errors else (x[kept], labels[kept])
    groups = _group_copies(x, names)
    data = LabelledSet(
        x=x,
        lengths=np.full(len(x), SHAPE[0]),
        y=y,
        classes=CLASSES,
        record_ids=names,
        group_ids=groups,
        sampling_rate_hz=None,
        leads=("grey",),
        dataset="medical_mnist",
        label_version="published",
        unit="grey level",
        notes=_notes(groups, y),
    )
    return WholeSet(data)


def _list_files(source):
    if not source.is_dir():
        raise DataError(f"{source}: the folder of Medical MNIST is needed. Received: no such folder; check the path")
    folders = [folder.name for folder in source.iterdir() if folder.is_dir() and not folder.name.startswith(".")]
    missing = [name for name in CLASSES if name not in folders]
    if missing:
        raise DataError(
            f"{source}: Medical MNIST has the folders {', '.join(CLASSES)}. Received: {shorten(sorted(folders))}; "
            f"name the folder that holds {shorten(missing)}, or unpack the archive again"
        )
    files, labels = [], []
    for label, name in enumerate(CLASSES):
        found = find_jpegs(source / name)
        if not found:
            raise DataError(
                f"{source / name}: a class folder holds JPEG files. Received: none; unpack the archive again"
            )
        files += found
        labels += [label] * len(found)
    return files, np.array(labels)


def _group_copies(x, names):
    """Return for every image the name of the first one with the same pixels."""
    first = {}
    return np.array(
        [first.setdefault(hashlib.sha256(image.tobytes()).digest(), name) for image, name in zip(x, names)]
    )


def _notes(groups, y):
    notes = ["the images' patients are not published: a split may have images of one patient on both of its sides"]
    distinct, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    copies = len(groups) - len(distinct)
    if copies:
        notes.append(
            f"{copies:,} images are identical to one before them: {int((counts > 1).sum()):,} groups of copies, which "
            "no split divides"
        )
    classes = np.zeros((len(distinct), len(CLASSES)), bool)
    classes[inverse, y] = True
    mixed = distinct[classes.sum(axis=1) > 1]
    if len(mixed):
        notes.append(f"identical images with different labels: {shorten(mixed)} and their copies")
    if len(groups) != PUBLISHED_IMAGES:
        notes.append(f"{len(groups):,} of the {PUBLISHED_IMAGES:,} published images")
    return tuple(notes)

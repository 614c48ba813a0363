"""MNIST: 70,000 handwritten digits of 28 x 28 grey levels in four idx files.

Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits" (1998), which
describes the format: a big-endian magic number, one length a dimension, then the bytes.
"""

import gzip
import pathlib
import struct
import zlib

import numpy as np

from transplant.datasets.labelled_set import LabelledSet
from transplant.datasets.record_source import Skipped
from transplant.datasets.whole_set import WholeSet
from transplant.errors import DataError, shorten

CLASSES = tuple("0123456789")
SHAPE = (28, 28, 1)
PUBLISHED_IMAGES = {"train": 60_000, "t10k": 10_000}

_IMAGES, _LABELS = 2051, 2049  # 0x803 and 0x801: unsigned bytes in three dimensions and in one


def read_mnist(source, *, skipped=None, on_record=None):
    """Read the four files, packed with gzip or not.

    Args:
        source: the folder that holds train-images-idx3-ubyte, train-labels-idx1-ubyte,
            t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each with .gz or without.
        skipped: a list that receives a `Skipped` for every image with a label that is no
            digit. Defaults to None: such an image is an error.
        on_record: called once for every file. Defaults to None.

    Returns:
        A `WholeSet`; x is uint8 (images, 28, 28, 1) in grey levels, named "train-00000" and "t10k-00000"
        by file and place in it; `published_test` marks the images of the t10k files.

    Raises:
        DataError: if a file is missing, cut short or something else, or a label is no digit.
    """
    source = pathlib.Path(source)
    files = _find_files(source)
    x, y, names = [], [], []
    for part in PUBLISHED_IMAGES:
        images, labels = (_read_idx(files[part, kind], kind) for kind in ("images", "labels"))
        if on_record:
            on_record()
            on_record()
        if len(images) != len(labels):
            raise DataError(
                f"{files[part, 'labels']}: every image has one label. Received: {len(labels)} labels for the "
                f"{len(images)} images of {files[part, 'images'].name}; fetch both again"
            )
        kept = labels < len(CLASSES)
        for index in np.flatnonzero(~kept):
            error = DataError(
                f"{files[part, 'labels']}: a label is a digit. Received: {labels[index]} for image {index}; fetch the "
                "file again or leave the image out (--skip-bad)"
            )
            if skipped is None:
                raise error
            skipped.append(Skipped(f"{part}-{index:05}", str(error)))
        x.append(images[kept])
        y.append(labels[kept])
        names.append([f"{part}-{index:05}" for index in np.flatnonzero(kept)])
    notes = [
        f"{len(labels):,} images of {part}, where {PUBLISHED_IMAGES[part]:,} are published"
        for part, labels in zip(PUBLISHED_IMAGES, y)
        if len(labels) != PUBLISHED_IMAGES[part]
    ]
    record_ids = np.concatenate(names)
    data = LabelledSet(
        x=np.concatenate(x)[..., None],
        lengths=np.full(len(record_ids), SHAPE[0]),
        y=np.concatenate(y),
        classes=CLASSES,
        record_ids=record_ids,
        group_ids=record_ids,
        sampling_rate_hz=None,
        leads=("grey",),
        dataset="mnist",
        label_version="published",
        unit="grey level",
        notes=("who wrote a digit is not told: every image is a group of its own", *notes),
    )
    return WholeSet(data, np.repeat([False, True], [len(part) for part in names]))


def _find_files(source):
    """Return {(part, kind): file}."""
    if not source.is_dir():
        raise DataError(f"{source}: the folder of MNIST is needed. Received: no such folder; check the path")
    files, missing = {}, []
    for part in PUBLISHED_IMAGES:
        for kind, dimensions in (("images", 3), ("labels", 1)):
            # Some copies are called train-images.idx3-ubyte.
            stems = [f"{part}-{kind}{mark}idx{dimensions}-ubyte" for mark in "-."]
            found = [source / f"{stem}{end}" for stem in stems for end in ("", ".gz")]
            found = [file for file in found if file.is_file()]
            if found:
                files[part, kind] = found[0]
            else:
                missing.append(stems[0])
    if missing:
        there = sorted(file.name for file in source.iterdir() if file.is_file())
        raise DataError(
            f"{source}: MNIST's four idx files are needed, with .gz or without. Received: {shorten(there)}; "
            f"add {', '.join(missing)}"
        )
    return files


def _read_idx(file, kind):
    """Return uint8 (images, 28, 28) or (labels,)."""
    try:
        content = file.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{file}: an idx file, packed with gzip or not, is needed. Received: {type(error).__name__} ({error}); the "
            "file is cut short or damaged, fetch it again"
        ) from error
    magic, dimensions = (_IMAGES, 3) if kind == "images" else (_LABELS, 1)
    start = 4 * (1 + dimensions)
    if len(content) < start or struct.unpack(">I", content[:4])[0] != magic:
        raise DataError(
            f"{file}: an idx file of {kind} begins with the number {magic}. Received: bytes "
            f"{content[:4].hex(' ') or '(none)'}; it is another file, fetch it again"
        )
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    if shape[1:] and shape[1:] != SHAPE[:2]:
        raise DataError(f"{file}: MNIST's images are 28 x 28. Received: {' x '.join(map(str, shape[1:]))}")
    expected = shape[0] * (SHAPE[0] * SHAPE[1] if dimensions == 3 else 1)
    if len(content) - start != expected or not expected:
        raise DataError(
            f"{file}: {shape[0]:,} {kind}, as its header promises, are {expected:,} bytes, and there is at least one. "
            f"Received: {len(content) - start:,} bytes; the file is cut short or damaged, fetch it again"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)

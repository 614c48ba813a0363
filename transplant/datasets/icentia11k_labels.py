"""Labels of an Icentia11k patient, in the torrent's form and in the public code's unzipped one."""

import io
import typing
import zipfile
import zlib

import numpy as np

from transplant.datasets.icentia11k import ds_beat_names, ds_rhythm_names
from transplant.datasets.safe_pickle import load_safe_pickle, parse_safe_pickle
from transplant.errors import DataError

_CLASSES = {"btype": len(ds_beat_names), "rtype": len(ds_rhythm_names)}
# A patient's labels take some 5 MB; more than this is no such file.
_MEMBER_BYTES = 1 << 30
# What numpy and zipfile raise on damaged archives.
_ARCHIVE_ERRORS = (OSError, ValueError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error)


class SegmentLabels(typing.NamedTuple):
    """Marks of one segment, in the order of their positions.

    Attributes:
        beat_positions: int64, sample indices.
        beat_classes: uint8, `icentia11k.ds_beat_names` indices.
        rhythm_ends: int64; a mark stands where its rhythm ends.
        rhythm_classes: uint8, `icentia11k.ds_rhythm_names` indices.
    """

    beat_positions: np.ndarray
    beat_classes: np.ndarray
    rhythm_ends: np.ndarray
    rhythm_classes: np.ndarray


def load_labels(path):
    """Read a file of labels.

    Args:
        path: the file: a pickle, gzipped or not, or an .npz archive. It holds
            one dict per segment, in which `btype` has one index array per beat
            class and `rtype` one per rhythm class; or a dict (archive) in
            which both have (sorted indices, classes) per segment, and `size`
            is the number of segments.

    Returns:
        List of `SegmentLabels`.

    Raises:
        UnsafeFileError: if the file asks for code to be run.
        DataError: if it is missing, cut short or holds something else.
    """
    content = _read_archive(path) if zipfile.is_zipfile(path) else load_safe_pickle(path, nested=True)
    try:
        if isinstance(content, (list, tuple)):
            kinds = [[_flatten(segment[kind], kind) for segment in content] for kind in _CLASSES]
        elif isinstance(content, dict):
            kinds = [[_pair(pair, kind) for pair in content[kind]] for kind in _CLASSES]
            sizes = {len(kinds[0]), len(kinds[1]), int(content.get("size", len(kinds[0])))}
            if len(sizes) > 1:
                raise ValueError(f"{len(kinds[0])} segments of btype, {len(kinds[1])} of rtype")
        else:
            raise TypeError(f"a {type(content).__name__}")
        return [SegmentLabels(*beats, *rhythms) for beats, rhythms in zip(*kinds)]
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise DataError(
            f"{path}: labels are btype and rtype of every segment, with indices of {len(ds_beat_names)} beat and "
            f"{len(ds_rhythm_names)} rhythm classes. Received: {type(error).__name__} ({error}); fetch the file again"
        ) from error


def _flatten(indices_of_class, kind):
    """Return positions and classes of a list of index arrays, one per class."""
    if len(indices_of_class) != _CLASSES[kind]:
        raise ValueError(f"{kind} of {len(indices_of_class)} classes")
    parts = [_integers(indices, kind) for indices in indices_of_class]
    classes = np.repeat(np.arange(len(parts), dtype=np.uint8), [len(part) for part in parts])
    return _sorted(np.concatenate(parts), classes)


def _pair(pair, kind):
    """Return positions and classes of a pair (indices, classes)."""
    positions, classes = (_integers(values, kind) for values in pair)
    if len(positions) != len(classes):
        raise ValueError(f"{len(positions)} indices and {len(classes)} classes of {kind}")
    if len(classes) and not 0 <= classes.min() <= classes.max() < _CLASSES[kind]:
        raise ValueError(f"{kind} {classes.max()}")
    return _sorted(positions, classes.astype(np.uint8))


def _integers(values, kind):
    values = np.asarray(values)
    # An empty list becomes an array of floats.
    if values.ndim != 1 or (len(values) and values.dtype.kind not in "iu"):
        raise ValueError(f"{kind} as an array of {values.dtype}, shape={values.shape}")
    return values.astype(np.int64)


def _sorted(positions, classes):
    order = np.argsort(positions, kind="stable")
    return positions[order], classes[order]


def _read_archive(path):
    """Return the members of an .npz archive; what is pickled inside goes through the safe unpickler."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: _read_member(archive, f"{name}.npy", path) for name in (*_CLASSES, "size")}
    except _ARCHIVE_ERRORS as error:
        raise DataError(
            f"{path}: an archive of btype, rtype and size is needed. Received: {type(error).__name__} ({error}); "
            "fetch the file again"
        ) from error


def _read_member(archive, name, path):
    if archive.getinfo(name).file_size > _MEMBER_BYTES:
        raise ValueError(f"{name} of {archive.getinfo(name).file_size:,} bytes")
    data = archive.read(name)
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    _shape, _fortran, dtype = read_header(file)
    if dtype.hasobject:
        return parse_safe_pickle(memoryview(data)[file.tell() :], path, nested=True)
    return np.load(io.BytesIO(data), allow_pickle=False)

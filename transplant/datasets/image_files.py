"""Folders of small JPEG, decoded through tf.data.

A file of a few kilobytes is decoded in less time than tf.data and Python spend on
handing an element on, hence groups of files in the graph and many groups an element.
"""

import os
import pathlib

import numpy as np

from transplant.training.quiet_start import start_tensorflow

FILES_PER_GROUP = 8  # more cost more to trace, and hardly less to run
GROUPS_PER_ELEMENT = 32
SUFFIXES = (".jpeg", ".jpg")


def find_jpegs(folder):
    """Return the JPEG files of a folder by their names' ends, in the order of the names, hidden ones not."""
    return sorted(
        file
        for file in pathlib.Path(folder).iterdir()
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
    )


def jpeg_groups(files, shape):
    """Decode files of one shape in parallel, in their order.

    Args:
        files: paths, at least one.
        shape: (height, width, channels) that every image has.

    Returns:
        A `tf.data.Dataset` of (indices of each group's first file, uint8 (groups, 8, height, width, channels)),
        up to 32 groups an element. The last group repeats the last file. A group with a file
        that cannot be decoded, or has another shape, is left out.
    """
    import tensorflow as tf

    names = [os.fspath(file) for file in files]
    names += names[-1:] * (-len(names) % FILES_PER_GROUP)

    @tf.autograph.experimental.do_not_convert
    def decode(start, group):
        return start, tf.stack([_decode(tf.io.read_file(name), shape) for name in tf.unstack(group)])

    dataset = tf.data.Dataset.from_tensor_slices(
        (np.arange(0, len(names), FILES_PER_GROUP), np.reshape(names, (-1, FILES_PER_GROUP)))
    )
    # As many as there are cores: the tuner that would find that out costs more than it gives here.
    decoded = dataset.map(decode, num_parallel_calls=os.cpu_count(), deterministic=True).ignore_errors()
    return decoded.batch(GROUPS_PER_ELEMENT)


def decode_jpegs(files, shape, on_image=None):
    """Decode files of one shape into one array.

    Args:
        files: paths.
        shape: (height, width, channels) that every image has.
        on_image: called once for every file. Defaults to None.

    Returns:
        (images, errors): uint8 (files, height, width, channels), zeros where a file cannot be used, and
        dict index -> reason of those files.
    """
    files = list(files)
    start_tensorflow()
    images = np.zeros((len(files), *shape), np.uint8)
    decoded = np.zeros(len(files), bool)

    def tell(count):
        for _ in range(count if on_image else 0):
            on_image()

    for starts, groups in jpeg_groups(files, shape).as_numpy_iterator() if files else ():
        for start, group in zip(starts, groups):
            stop = min(start + FILES_PER_GROUP, len(files))
            images[start:stop] = group[: stop - start]
            decoded[start:stop] = True
            tell(stop - start)
    errors = {}
    for index in np.flatnonzero(~decoded).tolist():
        try:
            images[index] = _decode_one(files[index], shape)
        except ValueError as error:
            errors[index] = str(error)
        tell(1)
    return images, errors


def _decode(content, shape):
    import tensorflow as tf

    # The accurate transform gives the values that Pillow gives; the default is off by up to 6 grey levels.
    return tf.ensure_shape(tf.io.decode_jpeg(content, dct_method="INTEGER_ACCURATE"), shape)


def _decode_one(file, shape):
    import tensorflow as tf

    try:
        content = pathlib.Path(file).read_bytes()
        image = _decode(content, (None, None, None)).numpy()
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
    except tf.errors.OpError as error:
        raise ValueError(f"{len(content):,} bytes that are no whole JPEG") from error
    if image.shape != tuple(shape):
        raise ValueError(f"{' x '.join(map(str, image.shape))}")
    return image

"""The batches of one fine-tuning epoch: order, crops, augmentation, and less padding where that is asked for."""

import functools

import numpy as np
import tensorflow as tf

from transplant.augmentation.stretches import draw_stretches
from transplant.training.pipelines import without_autotune

# Trimmed batches are multiples of this many samples long, so that few shapes exist.
TRIM_STEP = 1024
# Records are sorted by length among this many batches' worth of them.
WINDOW_BATCHES = 16

_ORDER, _STRETCHES = 0, 2


def epoch_batches(
    inputs,
    targets,
    lengths,
    batch_size,
    seed,
    epoch,
    augmentation=None,
    crop=None,
    by_length=False,
    rate=250.0,
):
    """Return the batches of one epoch, every record once; (seed, epoch) decides all that is random.

    Crops come first and are augmented then, so that a batch costs what its
    crops cost; a crop that is compressed has padding before it.

    Args:
        inputs: float32 (records, time, leads), standardised, padded on the left with zeros; or images
            (records, height, width, channels).
        targets: int32 (records,).
        lengths: integers (records,), valid samples at the end of each record.
        batch_size: records in a batch; one batch may hold fewer, the last unless `by_length`.
        seed, epoch: decide order, crops and augmentation.
        augmentation: `transplant.augmentation.augmentation.Augmentation`. Defaults to None.
        crop: samples of the random stretch that is shown of each record; a
            shorter record is whole and padded on the left. Defaults to None:
            whole records.
        by_length: whether records of like length share a batch, which is then
            trimmed on the left to a multiple of 1,024 samples that holds its
            longest record. For networks that ignore padding: others see
            another share of zeros than in whole records. Defaults to False.
        rate: sampling rate, Hz, for the augmentation. Defaults to 250.

    Returns:
        tf.data.Dataset of (float32 (batch, time, leads) or (batch, height, width, channels), int32 (batch,));
        the time is not fixed where batches are trimmed.

    Raises:
        OptionError: if the augmentation cannot work at the rate, or a crop has no samples.
    """
    lengths = np.asarray(lengths, np.int64)
    full = inputs.shape[1] if crop is None else min(crop, inputs.shape[1])
    ends = np.full(len(lengths), inputs.shape[1])
    if crop is not None:
        ends -= draw_stretches(lengths, crop, np.random.default_rng((seed, _STRETCHES, epoch)))
        lengths = np.minimum(lengths, crop)
    if augmentation:
        augmentation.check(rate)  # in the graph the error would come out wrapped
    batches = batch_rows(lengths, batch_size, seed, epoch, by_length)
    stretch = augmentation.longest_stretch if augmentation else 1.0

    augment = _augmenter(augmentation, rate, by_length) if augmentation else None
    key = [tf.constant(value, tf.int64) for value in (seed, epoch)]

    def load(number):
        rows = batches[int(number)]
        if by_length or crop is not None:
            time = trimmed_length(lengths[rows].max() * stretch, full) if by_length else full
            x = np.empty((len(rows), time, *inputs.shape[2:]), np.float32)
            for target, row in zip(x, rows):
                target[:] = inputs[row, ends[row] - time : ends[row]]
        else:
            x = inputs[rows]
        if augment:
            with tf.device("CPU:0"):  # the accelerator is for the training step
                x = augment(x, lengths[rows].astype(np.int32), *key, number)
        return x, targets[rows].astype(np.int32)

    def with_shapes(number):
        # One compiled augmentation for all epochs: as a part of each epoch's data set it would be compiled for each.
        x, y = tf.py_function(load, [number], (tf.float32, tf.int32))
        x.set_shape((None, None if by_length else full, *inputs.shape[2:]))
        y.set_shape((None,))
        return x, y

    return without_autotune(tf.data.Dataset.range(len(batches)).map(with_shapes, num_parallel_calls=2).prefetch(2))


def feature_batches(features, targets, batch_size, seed, epoch):
    """Return the batches of one epoch of features, in the order that `epoch_batches` has.

    Args:
        features: float32 (records, channels).
        targets: int32 (records,).
        batch_size, seed, epoch: as there.

    Returns:
        tf.data.Dataset of (float32 (batch, channels), int32 (batch,)).
    """
    order = np.random.default_rng((seed, _ORDER, epoch)).permutation(len(targets))
    shuffled = tf.data.Dataset.from_tensor_slices((features[order], targets[order]))
    return without_autotune(shuffled.batch(batch_size).prefetch(2))


def batch_rows(lengths, batch_size, seed, epoch, by_length=False):
    """Divide the records of an epoch into batches.

    Args:
        lengths: int64 (records,), samples that each record shows.
        batch_size: records in a batch.
        seed, epoch: decide the order.
        by_length: whether records of like length share a batch. They are
            sorted within windows of the random order, so that the batches
            differ from epoch to epoch; the batches come in random order.

    Returns:
        list of int64 arrays, the rows of each batch: every record once.
    """
    rng = np.random.default_rng((seed, _ORDER, epoch))
    order = rng.permutation(len(lengths))
    if not by_length:
        return np.split(order, range(batch_size, len(order), batch_size))
    batches = []
    for window in np.split(order, range(WINDOW_BATCHES * batch_size, len(order), WINDOW_BATCHES * batch_size)):
        # By what they are trimmed to: records that need the same stay in random order.
        window = window[np.argsort(-(-lengths[window] // TRIM_STEP), kind="stable")]
        full, rest = divmod(len(window), batch_size)
        # The batch that holds fewer stands anywhere, so that it is not always the longest records'.
        sizes = rng.permutation([batch_size] * full + [rest] * (rest > 0))
        batches += np.split(window, np.cumsum(sizes)[:-1])
    return [batches[i] for i in rng.permutation(len(batches))]


def trimmed_length(longest, full):
    """Return the samples of a batch that is trimmed to its longest record.

    Args:
        longest: samples of the longest record.
        full: samples before trimming; never more.
    """
    return min(-int(-longest // TRIM_STEP) * TRIM_STEP, full)


@functools.lru_cache(maxsize=8)
def _augmenter(augmentation, rate, trim):
    """Return the compiled augmentation of batches, which all epochs of a run share."""

    def augment(x, lengths, seed, epoch, number):
        x, lengths = augmentation(x, lengths, rate, seed, epoch, number)
        if not trim:
            return x
        needed = -(-tf.reduce_max(lengths) // TRIM_STEP) * TRIM_STEP
        return x[:, tf.maximum(tf.shape(x)[1] - needed, 0) :]

    # One graph for batches of all shapes: a run that goes on elsewhere in its data computes with the same.
    number = tf.TensorSpec((), tf.int64)
    signature = [tf.TensorSpec((None, None, None), tf.float32), tf.TensorSpec((None,), tf.int32), *[number] * 3]
    return tf.function(augment, input_signature=signature, autograph=False)

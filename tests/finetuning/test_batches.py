"""The batches of an epoch: every record once, with its label, in an order that repeats."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from finetuning.batches import TRIM_STEP, batch_rows, epoch_batches, trimmed_length
from transplant.augmentation.augmentation import Augmentation
from transplant.augmentation.resample import Resample
from transplant.errors import OptionError

TIME = 4096


def records(lengths, time=TIME, leads=1):
    """Return records whose last sample is 1 + their row, their rows as targets, and their lengths."""
    lengths = np.asarray(lengths)
    x = np.random.default_rng(0).normal(size=(len(lengths), time, leads)).astype(np.float32)
    for row, (record, length) in enumerate(zip(x, lengths)):
        record[: time - length] = 0
        record[-1] = 1 + row
    return x, np.arange(len(lengths), dtype=np.int32), lengths


def loaded(dataset):
    return [(x.numpy(), y.numpy()) for x, y in dataset]


@pytest.fixture(scope="module")
def mixed():
    """Records of many lengths."""
    return records(np.random.default_rng(1).integers(100, TIME + 1, 50))


def test_without_options_the_batches_are_the_permuted_records(mixed):
    x, y, lengths = mixed
    dataset = epoch_batches(x, y, lengths, 16, seed=7, epoch=3)
    assert dataset.element_spec == (
        tf.TensorSpec((None, TIME, 1), tf.float32),
        tf.TensorSpec((None,), tf.int32),
    )
    order = np.random.default_rng((7, 0, 3)).permutation(50)
    batches = loaded(dataset)
    assert [len(part) for _, part in batches] == [16, 16, 16, 2]
    np.testing.assert_array_equal(np.concatenate([part for part, _ in batches]), x[order])
    np.testing.assert_array_equal(np.concatenate([part for _, part in batches]), y[order])
    nothing = loaded(epoch_batches(x, y, lengths, 16, 7, 3, augmentation=Augmentation()))
    np.testing.assert_array_equal(nothing[3][0], batches[3][0])


def test_by_length_has_every_record_once_with_its_label_and_less_padding(mixed):
    x, y, lengths = mixed
    dataset = epoch_batches(x, y, lengths, 8, 7, 0, by_length=True)
    assert dataset.element_spec[0].shape.as_list() == [None, None, 1]
    seen, samples = [], 0
    for part, rows in loaded(dataset):
        time = part.shape[1]
        assert time % TRIM_STEP == 0 and time - TRIM_STEP < lengths[rows].max() <= time
        np.testing.assert_array_equal(part, x[rows, TIME - time :])
        seen += rows.tolist()
        samples += part.size
    assert sorted(seen) == list(range(50))
    assert samples < 0.75 * x.size


def test_batches_by_length_differ_from_epoch_to_epoch():
    lengths = np.random.default_rng(1).integers(100, 9000, 1000)
    epochs = [batch_rows(lengths, 32, 7, epoch, by_length=True) for epoch in (0, 1, 0)]
    for batches in epochs:
        assert sorted(np.concatenate(batches).tolist()) == list(range(1000))
        assert sorted(map(len, batches)) == [8] + [32] * 31
    for first, again in zip(epochs[0], epochs[2]):
        np.testing.assert_array_equal(first, again)
    together = [{frozenset(batch.tolist()) for batch in batches} for batches in epochs]
    assert not together[0] & together[1]
    # The batches are in no order of length.
    longest = [lengths[batch].max() for batch in epochs[0]]
    assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.5


def test_an_axis_that_is_no_multiple_is_not_made_longer():
    assert [trimmed_length(n, 2500) for n in (1, 1024, 1025, 2049, 2500)] == [1024, 1024, 2048, 2500, 2500]
    x, y, lengths = records([2400, 2500, 2049], time=2500)
    ((part, rows),) = loaded(epoch_batches(x, y, lengths, 4, 0, 0, by_length=True))
    np.testing.assert_array_equal(part, x[rows])


@pytest.mark.parametrize("by_length", [False, True])
def test_crops_are_stretches_of_their_records(mixed, by_length):
    x, y, lengths = mixed
    places = []
    for part, rows in loaded(epoch_batches(x, y, lengths, 8, 7, 0, crop=1500, by_length=by_length)):
        assert part.shape[1] == 1500 or (by_length and part.shape[1] == 1024)
        for crop, row in zip(part, rows):
            length = min(lengths[row], 1500)
            assert not crop[:-length].any()
            last = int(np.flatnonzero(x[row, :, 0] == crop[-1, 0])[0])
            np.testing.assert_array_equal(crop[-length:], x[row, last + 1 - length : last + 1])
            assert lengths[row] > 1500 or last == TIME - 1
            if lengths[row] > 1500:
                places.append((TIME - 1 - last) / (lengths[row] - 1500))
    assert min(places) < 0.2 and max(places) > 0.8


def test_crops_differ_between_epochs_and_seeds_and_not_between_runs(mixed):
    x, y, lengths = mixed
    keys = ((7, 0), (7, 1), (8, 0), (7, 0))
    crops = []
    for seed, epoch in keys:
        batches = loaded(epoch_batches(x, y, lengths, 8, seed, epoch, crop=100))
        parts, rows = (np.concatenate(values) for values in zip(*batches))
        crops.append(parts[np.argsort(rows)])
    np.testing.assert_array_equal(crops[0], crops[3])
    long = lengths > 500
    for a, b in itertools.combinations(crops[:3], 2):
        assert (a[long] != b[long]).any(axis=(1, 2)).mean() > 0.9


def test_a_crop_longer_than_the_records_shows_them_whole(mixed):
    x, y, lengths = mixed
    for part, rows in loaded(epoch_batches(x, y, lengths, 8, 7, 0, crop=9999)):
        np.testing.assert_array_equal(part, x[rows])


def test_batches_are_augmented_by_their_number(mixed):
    x, y, lengths = mixed
    augmentation = Augmentation.parse("all")
    once, again = (loaded(epoch_batches(x, y, lengths, 16, 7, 3, augmentation)) for _ in range(2))
    for number, ((part, rows), (same, _)) in enumerate(zip(once, again)):
        assert part.dtype == np.float32 and part.shape[1:] == (TIME, 1)
        np.testing.assert_array_equal(part, same)
        expected, _ = augmentation(tf.constant(x[rows]), tf.constant(lengths[rows], tf.int32), 250.0, 7, 3, number)
        np.testing.assert_allclose(part, expected, atol=1e-6)  # another graph may round otherwise
    other = loaded(epoch_batches(x, y, lengths, 16, 7, 4, augmentation))
    assert (other[0][0] != once[0][0]).any(axis=(1, 2)).all()


@pytest.mark.parametrize("by_length", [False, True])
def test_labels_stay_with_augmented_records(by_length):
    x, y, lengths = records([500, 900, 1500, 2500, 3000, 3500, 3900, 4096])
    x[:, -1, 0] = 3.0 ** np.arange(8)
    for epoch in range(3):
        augmentation = Augmentation.parse("scale,flip,resample")
        batches = loaded(epoch_batches(x, y, lengths, 3, 7, epoch, augmentation, by_length=by_length))
        parts = [(abs(record[-1, 0]), row) for part, rows in batches for record, row in zip(part, rows)]
        assert sorted(row for _, row in parts) == list(range(8))
        for last, row in parts:
            assert 0.69 < last / 3.0**row < 1.41


def test_a_trimmed_batch_has_room_for_stretched_records():
    x, y, lengths = records([1000, 900])
    longer = Augmentation((Resample(1.0, (1.1, 1.1)),))
    ((part, rows),) = loaded(epoch_batches(x, y, lengths, 2, 7, 0, longer, by_length=True))
    assert part.shape[1] == 2048
    valid = dict(zip(rows.tolist(), (part[:, :, 0] != 0).sum(axis=1).tolist()))
    assert valid == {0: 1099, 1: 989}  # floor(1.1 * (length - 1)) + 1
    shorter = Augmentation((Resample(1.0, (0.9, 0.9)),))
    x, y, lengths = records([1100, 900])
    ((part, _),) = loaded(epoch_batches(x, y, lengths, 2, 7, 0, shorter, by_length=True))
    assert part.shape[1] == 1024


def test_wrong_options_are_refused_before_a_graph_is_made(mixed):
    x, y, lengths = mixed
    with pytest.raises(OptionError, match=r"^mains needs a sampling rate above 120 Hz"):
        epoch_batches(x, y, lengths, 8, 7, 0, Augmentation.parse("mains"), rate=100.0)
    with pytest.raises(OptionError, match=r"^a crop has one sample or more\. Received: 0"):
        epoch_batches(x, y, lengths, 8, 7, 0, crop=0)

"""The pipelines that feed the trainers have no autotuner, at whose sleep an epoch could end late."""

import numpy as np
import pytest
import tensorflow as tf

from finetuning.batches import epoch_batches, feature_batches
from pretraining import datasets
from transplant.training.pipelines import without_autotune


def of_records():
    inputs = np.zeros((4, 64, 1), np.float32)
    return epoch_batches(inputs, np.arange(4), np.full(4, 64), 2, seed=0, epoch=0)


def of_features():
    return feature_batches(np.zeros((4, 3), np.float32), np.arange(4), 2, seed=0, epoch=0)


@pytest.mark.parametrize("make", [of_records, of_features])
def test_fine_tuning_feeds_without_autotune(make):
    assert make().options().autotune.enabled is False


def test_streams_of_frames_have_none_either(small_store):
    frames = datasets.beat_dataset(str(small_store), frame_size=256, seed=0)
    assert frames.options().autotune.enabled is False
    assert frames.options().threading.private_threadpool_size == 1


def test_the_numbers_come_as_they_were():
    numbers = without_autotune(tf.data.Dataset.range(5).map(lambda i: i * i, num_parallel_calls=2).prefetch(2))
    assert list(numbers.as_numpy_iterator()) == [0, 1, 4, 9, 16]

"""Masked reconstruction: whole patches are hidden, and only they count."""

import numpy as np
import pytest
import tensorflow as tf

from pretraining.preparation import prepare_store
from pretraining.sources import SyntheticSource
from pretraining.streams import frame_dataset
from transplant.errors import OptionError
from transplant.signals.normalization import Normalization
from transplant.tasks.task import default_options, get_task

MASKED = get_task("masked")


@pytest.fixture(scope="module")
def batches(tmp_path_factory):
    folder = tmp_path_factory.mktemp("masked") / "store"
    store = prepare_store(SyntheticSource(3, 12.0, 3), folder, workers=1, log=lambda _: 0)
    options = default_options(MASKED, 500, patch_size=64, mask_ratio=0.25)

    def stream(first_step, steps):
        identity = Normalization.none(1)
        dataset = frame_dataset(store, store.patients, MASKED, options, identity, 16, 50, 1, steps, first_step)
        return [tuple(part.numpy() for part in batch) for batch in dataset]

    return stream


def test_whole_patches_are_hidden_and_nothing_else_changes(batches):
    """500 samples hold seven patches of 64; a quarter of them, rounded, is two."""
    for x, y, weights in batches(0, 3):
        assert x.shape == y.shape == (16, 500, 1) and weights.shape == (16, 500)
        hidden = weights > 0
        assert (hidden.sum(axis=1) == 128).all() and not hidden[:, 448:].any()
        patches = hidden[:, :448].reshape(16, 7, 64)
        assert (patches.all(axis=2) | ~patches.any(axis=2)).all()
        np.testing.assert_array_equal(x[..., 0], np.where(hidden, 0, y[..., 0]))
        assert len({tuple(row) for row in hidden}) > 3, "every frame has a mask of its own"


def test_the_weighted_mean_over_all_samples_is_the_mean_over_the_hidden_ones(batches):
    ((_, y, weights),) = batches(0, 1)
    np.testing.assert_allclose((weights * y[..., 0]).mean(), y[..., 0][weights > 0].mean(), rtol=1e-5)


def test_the_loss_is_the_error_of_hidden_samples_in_deviations_of_the_frame(batches):
    ((_, y, weights),) = batches(0, 1)
    standard = (y - y.mean(axis=1, keepdims=True)) / y.std(axis=1, keepdims=True)
    prediction = np.random.default_rng(0).normal(size=y.shape).astype(np.float32)
    expected = np.square(prediction - standard)[..., 0][weights > 0].mean()
    found = MASKED.loss()(tf.constant(y), tf.constant(prediction), tf.constant(weights))
    np.testing.assert_allclose(float(found), expected, rtol=1e-5)


def test_masks_depend_on_seed_and_step_alone(batches):
    np.testing.assert_array_equal(batches(0, 3)[2][2], batches(2, 1)[0][2])


@pytest.mark.parametrize("options", [{"mask_ratio": 1.0}, {"patch_size": 300}])
def test_masks_that_hide_all_or_leave_no_two_patches_are_refused(options):
    with pytest.raises(OptionError, match="patch_size="):
        default_options(MASKED, 500, **options)

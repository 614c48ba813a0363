"""Masks: whole patches, as many in every frame, anywhere."""

import subprocess
import sys

import numpy as np
import pytest

from transplant.errors import OptionError
from transplant.signals.masking import draw_masks, masked_samples


def test_every_frame_has_the_same_number_of_whole_hidden_patches():
    masks = draw_masks(np.random.default_rng(0), 200, 2048, 64, 0.5)
    assert masks.shape == (200, 2048) and masks.dtype == bool
    assert (masks.sum(axis=1) == 1024).all()
    patches = masks.reshape(200, 32, 64)
    assert (patches.all(axis=2) == patches.any(axis=2)).all()


def test_every_patch_is_hidden_equally_often_and_independently_of_its_neighbour():
    hidden = draw_masks(np.random.default_rng(0), 20_000, 8, 1, 0.25)
    # Five standard errors of a share of 1/4, and of 1/4 * 1/7 for two of eight.
    np.testing.assert_allclose(hidden.mean(axis=0), 0.25, atol=5 * np.sqrt(0.25 * 0.75 / 20_000))
    both = (hidden[:, :-1] & hidden[:, 1:]).mean(axis=0)
    np.testing.assert_allclose(both, 1 / 28, atol=5 * np.sqrt(1 / 28 / 20_000))


def test_what_is_behind_the_last_whole_patch_is_never_hidden():
    masks = draw_masks(np.random.default_rng(0), 500, 107, 10, 0.9)
    assert not masks[:, 100:].any() and masks[:, :100].any(axis=0).all()
    assert (masks.sum(axis=1) == 90).all()


@pytest.mark.parametrize(
    ("frame_size", "patch_size", "ratio", "expected"),
    [(2048, 64, 0.5, 1024), (100, 10, 0.26, 30), (100, 10, 0.24, 20), (100, 10, 0.01, 10), (100, 10, 0.99, 90)],
)
def test_the_share_is_rounded_to_whole_patches_but_never_to_none_or_all(frame_size, patch_size, ratio, expected):
    assert masked_samples(frame_size, patch_size, ratio) == expected


def test_masks_are_decided_by_the_generator():
    one, two, other = (draw_masks(np.random.default_rng(seed), 4, 640, 32, 0.5) for seed in (1, 1, 2))
    assert np.array_equal(one, two) and not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("frame_size", "patch_size", "ratio"), [(100, 51, 0.5), (100, 0, 0.5), (100, 10, 0.0), (100, 10, 1.0)]
)
def test_masks_of_none_or_all_are_refused(frame_size, patch_size, ratio):
    with pytest.raises(OptionError, match=f"patch_size={patch_size}, ratio={ratio:g}"):
        draw_masks(np.random.default_rng(0), 1, frame_size, patch_size, ratio)


def test_the_module_is_light():
    code = "import sys, transplant.signals.masking; sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

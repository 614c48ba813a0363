"""Siamese augmentation against scipy's resampling and by hand, and the gradient that passes through it."""

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf

from distillation.condensation import siamese_augmentation
from distillation.condensation.siamese_augmentation import IMAGE_TRANSFORMS, SIGNAL_TRANSFORMS, SiameseAugmentation

IMAGE, SIGNAL = (9, 12, 2), (40, 3)


def apply(shape, name, x, draws, untouched=()):
    augmentation = SiameseAugmentation(shape, untouched)
    choice = augmentation.names.index(name)
    return augmentation(tf.constant(x, tf.float32), tf.constant(choice), tf.constant(draws, tf.float32)).numpy()


def draw(shape, n=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, *shape)).astype(np.float32), rng.uniform(size=(1, 4))


def affine(image, matrix, offset):
    middle = (np.array(image.shape[:2]) - 1) / 2
    channels = [
        scipy.ndimage.affine_transform(
            image[..., channel], matrix, middle + offset - matrix @ middle, order=1, mode="constant"
        )
        for channel in range(image.shape[-1])
    ]
    return np.stack(channels, axis=-1)


def inside(image):
    """Without the border, where scipy and TensorFlow differ in how they fade to 0."""
    return image[:, 3:-3, 3:-3]


@pytest.mark.parametrize("name", ["scale", "rotate"])
def test_images_are_scaled_and_turned_as_scipy_does(name):
    x, draws = draw((15, 15, 2))
    if name == "scale":
        # (rows, columns): the second number is that of the rows.
        matrix = np.diag([1.2 ** (1 - 2 * draws[0, 1]), 1.2 ** (1 - 2 * draws[0, 0])])
    else:
        angle = np.deg2rad(15) * (2 * draws[0, 0] - 1)
        matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    expected = np.stack([affine(image, matrix, 0) for image in x])
    np.testing.assert_allclose(inside(apply((15, 15, 2), name, x, draws)), inside(expected), atol=1e-4)


def test_a_crop_moves_an_image_by_whole_pixels():
    x, _ = draw((16, 16, 1))
    moved = apply((16, 16, 1), "crop", x, [[0.999, 0.0, 0, 0]])  # down by 2, right by -2
    expected = np.zeros_like(x)
    expected[:, :14, 2:] = x[:, 2:, :14]
    np.testing.assert_allclose(moved, expected, atol=1e-6)


def test_a_hole_has_half_the_sides_and_its_middle_anywhere():
    x = np.ones((1, *IMAGE), np.float32)
    gone = apply(IMAGE, "cutout", x, [[0.5, 0.5, 0, 0]])[0] == 0
    assert gone[3:7, 3:9].all() and gone.sum() == 4 * 6 * 2
    at_the_corner = apply(IMAGE, "cutout", x, [[0.0, 0.999, 0, 0]])[0] == 0
    assert at_the_corner[:2, 9:].all() and at_the_corner.sum() == 2 * 3 * 2


def test_colour_keeps_what_it_should():
    x, _ = draw(IMAGE)
    # Half way: brightness + 0, saturation x 1, contrast x 1.
    np.testing.assert_allclose(apply(IMAGE, "colour", x, [[0.5, 0.5, 0.5, 0]]), x, atol=1e-5)
    grey = apply(IMAGE, "colour", x, [[0.5, 0.0, 0.5, 0]])
    np.testing.assert_allclose(grey[..., 0], x.mean(axis=-1), atol=1e-5)


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.0])
def test_a_signal_is_shifted_by_whole_samples(shift):
    x, _ = draw(SIGNAL)
    moved = apply(SIGNAL, "shift", x, [[shift, 0, 0, 0]])
    steps = round((2 * shift - 1) * 5)
    expected = np.zeros_like(x)
    if steps >= 0:
        expected[:, : 40 - steps] = x[:, steps:]
    else:
        expected[:, -steps:] = x[:, :steps]
    np.testing.assert_allclose(moved, expected, atol=1e-6)


@pytest.mark.parametrize("sets", [1, 3])  # of numbers: one for all examples, one for each
def test_a_signal_is_stretched_as_numpy_interpolates(sets):
    x, _ = draw(SIGNAL)
    draws = np.random.default_rng(1).uniform(size=(sets, 4))
    found = apply(SIGNAL, "crop", x, draws)
    for example, stretched, (first, place, *_) in zip(x, found, np.resize(draws, (3, 4))):
        step = 1.2**-first
        places = place * (1 - step) * 39 + step * np.arange(40)
        expected = np.stack([np.interp(places, np.arange(40), example[:, lead]) for lead in range(3)], axis=-1)
        np.testing.assert_allclose(stretched, expected, atol=1e-4)


@pytest.mark.parametrize("name", ["amplitude", "noise", "wander", "cutout"])
def test_masks_and_codes_stay_as_they_are(name):
    x, draws = draw(SIGNAL)
    changed = apply(SIGNAL, name, x, draws, untouched=(1,))
    assert np.array_equal(changed[..., 1], x[..., 1]) and not np.array_equal(changed[..., 0], x[..., 0])


@pytest.mark.parametrize(
    ("shape", "name"),
    [(IMAGE, name) for name in IMAGE_TRANSFORMS] + [(SIGNAL, name) for name in SIGNAL_TRANSFORMS],
)
def test_one_set_of_numbers_serves_all_and_gradients_pass(shape, name):
    x, draws = draw(shape)
    alike = apply(shape, name, x, draws)
    each = apply(shape, name, x, np.repeat(draws, 3, axis=0))
    if name != "noise":  # each example's own, where each has its own numbers
        np.testing.assert_allclose(alike, each, atol=1e-5)
    augmentation = SiameseAugmentation(shape)
    inputs = tf.Variable(x)
    with tf.GradientTape() as tape:
        outputs = augmentation(inputs, tf.constant(augmentation.names.index(name)), tf.constant(draws, tf.float32))
        total = tf.reduce_sum(tf.square(outputs))
    gradient = tape.gradient(total, inputs).numpy()
    # Every transform is affine in the examples, so that this difference is exact.
    along = np.random.default_rng(9).normal(size=x.shape).astype(np.float32)
    ends = [(apply(shape, name, x + sign * along, draws).astype(np.float64) ** 2).sum() for sign in (1, -1)]
    assert (gradient.astype(np.float64) * along).sum() == pytest.approx((ends[0] - ends[1]) / 2, rel=1e-3)


def test_a_generator_decides_everything():
    augmentation = SiameseAugmentation(IMAGE)
    first, again = (augmentation.draw(np.random.default_rng(4), 5) for _ in range(2))
    assert int(first[0]) == int(again[0]) and np.array_equal(first[1], again[1]) and first[1].shape == (5, 4)
    names = {augmentation.names[int(augmentation.draw(np.random.default_rng(seed))[0])] for seed in range(40)}
    assert names == set(siamese_augmentation.IMAGE_TRANSFORMS)

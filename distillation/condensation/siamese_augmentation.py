"""Differentiable siamese augmentation: real and synthetic examples are changed alike, and the gradient passes through.

One transform is drawn a step. Its parameters are one set for all examples, so that the gradients of real
and synthetic ones stay comparable, or one set an example where a network is only trained. Everything
random is drawn by numpy and handed in, so that a step is a function of its arguments.

Source: Zhao and Bilen, "Dataset condensation with differentiable siamese augmentation" (2021); the
transforms of signals are ours.
"""

import math

import numpy as np
import tensorflow as tf

from transplant.datasets.labelled_set import indicator_columns

IMAGE_TRANSFORMS = ("colour", "crop", "cutout", "scale", "rotate")
SIGNAL_TRANSFORMS = ("amplitude", "shift", "crop", "cutout", "noise", "wander")
_DRAWS = 4  # uniform numbers that a transform may use

SCALE = 1.2  # largest factor; the smallest is its inverse
ROTATE_DEGREES = 15.0
CROP = 0.125  # largest shift, as a share of a side
CUTOUT = 0.5  # side of the hole, as a share of the image's
BRIGHTNESS, SATURATION, CONTRAST = 1.0, 2.0, 0.5

AMPLITUDE = 1.2  # largest factor; the smallest is its inverse
SHIFT = 0.125  # largest shift, as a share of the record
STRETCH = 1.2  # of a crop: the largest part of the record is shown this many times longer
HOLE = 0.25  # length of the hole, as a share of the record
NOISE = 0.1  # standard deviations
WANDER = 0.3  # amplitude, standard deviations


class _NoAugmentation:
    """Stands in for a `SiameseAugmentation` where nothing is augmented, and draws nothing."""

    def draw(self, rng, count=1):
        """Return (0, zeros), of the types of a draw."""
        return tf.constant(0, tf.int32), tf.zeros((1, _DRAWS))

    def __call__(self, x, choice, draws):
        """Return the examples as they are."""
        return x


NO_AUGMENTATION = _NoAugmentation()


class SiameseAugmentation:
    """The transforms of one kind of examples.

    Args:
        shape: of an example: (time, channels) or (height, width, channels).
        untouched: columns whose values stay 0 and 1: nothing is multiplied or added there, and examples are not
            moved in time. Defaults to none.

    Example:
        >>> augmentation = SiameseAugmentation((28, 28, 1))
        >>> choice, draws = augmentation.draw(np.random.default_rng(0))
        >>> real, synthetic = augmentation(real, choice, draws), augmentation(synthetic, choice, draws)
    """

    def __init__(self, shape, untouched=()):
        self._shape = tuple(shape)
        self._is_image = len(shape) == 3
        touched = np.ones(shape[-1], np.float32)
        touched[list(untouched)] = 0
        self._touched = touched
        names = IMAGE_TRANSFORMS if self._is_image else SIGNAL_TRANSFORMS
        # Moved in time, masks and codes would be fractions, or nothing.
        self.names = tuple(name for name in names if name not in ("shift", "crop")) if len(untouched) else names
        self._transforms = [getattr(self, f"_{'image' if self._is_image else 'signal'}_{name}") for name in self.names]

    @classmethod
    def of(cls, data):
        """Return that of the examples of a `LabelledSet` or `DistilledSet`, indicator columns untouched."""
        return cls(data.input_shape, indicator_columns(data))

    def draw(self, rng, count=1):
        """Return (which transform, uniform numbers (count, 4)) of a step, as tensors.

        Args:
            rng: `np.random.Generator`.
            count: sets of parameters: 1 for all examples, or one an example. Defaults to 1.
        """
        choice = tf.constant(rng.integers(len(self.names)), tf.int32)
        return choice, tf.constant(rng.uniform(size=(count, _DRAWS)), tf.float32)

    def __call__(self, x, choice, draws):
        """Return examples (n, *shape) transformed; `choice` and `draws` are what `draw` returned."""
        branches = [lambda transform=transform: transform(x, draws) for transform in self._transforms]
        return tf.ensure_shape(tf.switch_case(choice, branches), x.shape)

    def _columns(self, draws, i):
        """One number of each set of parameters, to be broadcast over examples."""
        return tf.reshape(draws[:, i], (-1, *[1] * len(self._shape)))

    def _image_colour(self, x, draws):
        x = x + (self._columns(draws, 0) - 0.5) * BRIGHTNESS
        grey = tf.reduce_mean(x, axis=-1, keepdims=True)
        x = (x - grey) * (self._columns(draws, 1) * SATURATION) + grey if self._shape[-1] > 1 else x
        mean = tf.reduce_mean(x, axis=(1, 2, 3), keepdims=True)
        return (x - mean) * (self._columns(draws, 2) + CONTRAST) + mean

    def _image_crop(self, x, draws):
        height, width, _ = self._shape
        # A whole number of pixels, each as likely: of 28 from -4 to 4.
        most = [int(size * CROP + 0.5) for size in (height, width)]
        down, right = (tf.floor(draws[:, i] * (2 * size + 1)) - size for i, size in enumerate(most))
        one, zero = tf.ones_like(down), tf.zeros_like(down)
        return self._project(x, (one, zero, right, zero, one, down))

    def _image_cutout(self, x, draws):
        inside = [
            self._hole(size, CUTOUT, draws[:, i], along)
            for i, (size, along) in enumerate(zip(self._shape[:2], ((-1, 1), (1, -1))))
        ]
        return x * (1 - tf.cast(inside[0] & inside[1], x.dtype))[..., tf.newaxis]

    def _image_scale(self, x, draws):
        factor_x, factor_y = (SCALE ** (2 * draws[:, i] - 1) for i in range(2))
        zero = tf.zeros_like(factor_x)
        return self._project(x, (1 / factor_x, zero, zero, zero, 1 / factor_y, zero))

    def _image_rotate(self, x, draws):
        angle = (2 * draws[:, 0] - 1) * (ROTATE_DEGREES * math.pi / 180)
        zero = tf.zeros_like(angle)
        return self._project(x, (tf.cos(angle), -tf.sin(angle), zero, tf.sin(angle), tf.cos(angle), zero))

    def _project(self, x, matrix):
        """Sample images at an affine function of their centred coordinates, bilinearly, 0 outside."""
        height, width, _ = self._shape
        a, b, c, d, e, f = matrix
        middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
        # From coordinates around the middle to those around the corner.
        c = c + middle_x - a * middle_x - b * middle_y
        f = f + middle_y - d * middle_x - e * middle_y
        rows, columns = np.mgrid[:height, :width].reshape(2, -1).astype(np.float32)
        at = [row[:, tf.newaxis] for row in (a, b, c, d, e, f)]
        place_x = at[0] * columns + at[1] * rows + at[2]
        place_y = at[3] * columns + at[4] * rows + at[5]
        return tf.reshape(self._sample(tf.reshape(x, (-1, height * width, x.shape[-1])), place_x, place_y), tf.shape(x))

    def _sample(self, pixels, place_x, place_y):
        """Return pixels (n, height * width, channels) at places (sets, height * width), 0 outside.

        TensorFlow's own transform of images has another gradient than its adjoint; that of gathering is exact.
        """
        height, width, _ = self._shape
        left, top = tf.floor(place_x), tf.floor(place_y)
        total = 0.0
        for down in (0, 1):
            for right in (0, 1):
                column, row = left + right, top + down
                weight = (1 - tf.abs(place_x - column)) * (1 - tf.abs(place_y - row))
                inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
                index = tf.cast(row * width + column, tf.int32)
                index = tf.where(inside, index, 0)
                if index.shape[0] == 1:
                    found = tf.gather(pixels, index[0], axis=1)
                else:
                    found = tf.gather(pixels, index, axis=1, batch_dims=1)
                total += found * tf.where(inside, weight, 0.0)[..., tf.newaxis]
        return total

    def _hole(self, size, share, draw, axes):
        """Return bool (sets, ...) that is True within a stretch of an axis of `size`."""
        length = max(1, round(share * size))
        # Its middle is anywhere, so that a part of it may lie outside.
        first = tf.floor(draw * (size + 1 - length % 2)) - length // 2
        place = tf.range(size, dtype=draw.dtype)
        inside = (place >= first[:, tf.newaxis]) & (place < first[:, tf.newaxis] + length)
        return tf.reshape(inside, (-1, *[size if axis == -1 else 1 for axis in axes])) if axes else inside

    def _signal_amplitude(self, x, draws):
        factor = AMPLITUDE ** (2 * self._columns(draws, 0) - 1)
        return x * (1 + (factor - 1) * self._touched)

    def _signal_shift(self, x, draws):
        shift = tf.round((2 * draws[:, 0] - 1) * SHIFT * self._shape[0])
        return self._resample(x, tf.ones_like(shift), shift)

    def _signal_crop(self, x, draws):
        step = STRETCH ** -draws[:, 0]
        return self._resample(x, step, draws[:, 1] * (1 - step) * (self._shape[0] - 1))

    def _signal_cutout(self, x, draws):
        inside = self._hole(self._shape[0], HOLE, draws[:, 0], ())
        return x * (1 - tf.cast(inside, x.dtype)[..., tf.newaxis] * self._touched)

    def _signal_noise(self, x, draws):
        # The numbers of the step seed a generator that has no state.
        seed = tf.cast(draws[0, :2] * 2**31, tf.int32)
        noise = tf.random.stateless_normal((tf.shape(draws)[0], *self._shape), seed, stddev=NOISE)
        return x + noise * self._touched

    def _signal_wander(self, x, draws):
        time = tf.reshape(tf.linspace(0.0, 1.0, self._shape[0]), (1, -1, 1))
        cycles, phase, size = (self._columns_of_time(draws, i) for i in range(3))
        wander = size * WANDER * tf.sin(2 * math.pi * ((0.5 + 1.5 * cycles) * time + phase))
        return x + wander * self._touched

    def _columns_of_time(self, draws, i):
        return tf.reshape(draws[:, i], (-1, 1, 1))

    def _resample(self, x, step, first):
        """Sample records at first, first + step, ...; linearly, 0 outside."""
        length = self._shape[0]
        place = first[:, tf.newaxis] + step[:, tf.newaxis] * tf.range(length, dtype=x.dtype)
        if place.shape[0] == 1:
            # A matrix that is 1 where a sample is read, or shared between two: the same for real and synthetic.
            weights = tf.maximum(1 - tf.abs(place[0, :, tf.newaxis] - tf.range(length, dtype=x.dtype)), 0)
            return tf.einsum("st,ntc->nsc", weights, x)
        # A matrix an example would take gigabytes of long records.
        before, total = tf.floor(place), 0.0
        for sample in (before, before + 1):
            inside = (sample >= 0) & (sample < length)
            index = tf.where(inside, tf.cast(sample, tf.int32), 0)
            weight = tf.where(inside, 1 - tf.abs(place - sample), 0.0)
            total += tf.gather(x, index, axis=1, batch_dims=1) * weight[..., tf.newaxis]
        return total

"""Baseline wander: breathing, and electrodes that drift."""

import dataclasses
import math

from transplant.augmentation.transform import Transform, check_range

_SINES = 3
_BLOCK = 64


@dataclasses.dataclass(frozen=True)
class Wander(Transform):
    """Add a slow movement of the baseline: three sines of random frequency, phase and amplitude.

    Frequencies and phases are one record's, amplitudes each lead's own: one
    movement, seen by every electrode in its way.

    Attributes:
        hertz: (lowest, highest) frequency.
        amplitudes: (lowest, highest) of the three amplitudes' sum, in standard deviations of the record, each
            lead by itself.

    Source: baseline wander in Raghu et al. (2022); record bw of the MIT-BIH
    Noise Stress Test Database. Below 0.5 Hz is what filters for monitoring take
    away, above 0.05 Hz what diagnostic ones keep; ECG-DualNet adds one sine of
    up to 0.3.
    """

    name = "wander"
    summary = "add baseline wander"

    probability: float = 0.3
    hertz: tuple = (0.05, 0.5)
    amplitudes: tuple = (0.1, 1.0)

    def __post_init__(self):
        super().__post_init__()
        check_range(self, "hertz", lowest=0)
        check_range(self, "amplitudes", lowest=0)

    def apply(self, x, lengths, draws, rate):
        """Add wander to every record."""
        import tensorflow as tf

        from transplant.augmentation.padding import valid_deviation

        records, time, leads = tf.unstack(tf.shape(x))
        per_sample = 2.0 * math.pi / rate * draws.uniform([records, _SINES, 1], *self.hertz)
        phase = draws.uniform([records, _SINES, 1], 0.0, 2.0 * math.pi)
        # sin(a + b) = sin a cos b + cos a sin b, with a at the beginning of a block: few sines for many samples.
        blocks = -(-time // _BLOCK)
        begins = phase + per_sample * tf.cast(tf.range(blocks) * _BLOCK, tf.float32)
        within = per_sample * tf.range(_BLOCK, dtype=tf.float32)
        slow = tf.concat([tf.sin(begins), tf.cos(begins)], axis=1)[..., None]
        fast = tf.concat([tf.cos(within), tf.sin(within)], axis=1)

        share = draws.uniform([records, _SINES, leads])
        share /= tf.reduce_sum(share, axis=1, keepdims=True)
        amplitude = draws.uniform([records, 1, leads], *self.amplitudes) * valid_deviation(x, lengths) * share
        scaled = tf.reshape(slow * tf.tile(amplitude, [1, 2, 1])[:, :, None], [records, 2 * _SINES, blocks * leads])
        moved = tf.reshape(tf.matmul(scaled, fast, transpose_a=True), [records, blocks, leads, _BLOCK])
        moved = tf.reshape(tf.transpose(moved, (0, 1, 3, 2)), [records, blocks * _BLOCK, leads])
        return x + moved[:, :time], lengths

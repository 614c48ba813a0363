"""Mains hum: 50 or 60 Hz from the wires around."""

import dataclasses
import math

from transplant.augmentation.transform import Transform, check_range


@dataclasses.dataclass(frozen=True)
class Mains(Transform):
    """Add a sine of the mains' frequency, of one phase in all leads and of each lead's own amplitude.

    Attributes:
        hertz: frequencies, of which each record gets one.
        amplitudes: (lowest, highest), in standard deviations of the record, each lead by itself.

    No study's range fits single leads of recorders that filter in so many ways.
    The highest amplitude is a ratio of 13 dB to the record, where `Noise` ends too.
    """

    name = "mains"
    summary = "add 50 or 60 Hz hum"

    probability: float = 0.2
    hertz: tuple = (50.0, 60.0)
    amplitudes: tuple = (0.02, 0.3)

    def __post_init__(self):
        super().__post_init__()
        check_range(self, "amplitudes", lowest=0)

    @property
    def needs_rate_above(self):
        """Twice the highest frequency, Hz."""
        return 2 * max(self.hertz)

    def apply(self, x, lengths, draws, rate):
        """Add hum to every record."""
        import tensorflow as tf

        from transplant.augmentation.padding import valid_deviation

        records, time, leads = tf.unstack(tf.shape(x))
        choices = len(self.hertz)
        # Thousands of turns fit in a record: float32 would lose the angle within one.
        turns = tf.range(time, dtype=tf.float64)[:, None] * (tf.constant(self.hertz, tf.float64) / rate)
        angle = tf.cast(2.0 * math.pi * (turns - tf.floor(turns)), tf.float32)
        waves = tf.concat([tf.sin(angle), tf.cos(angle)], axis=1)
        chosen = draws.integers(tf.zeros([records], tf.int32), tf.fill([records], choices - 1))
        phase = draws.uniform([records], 0.0, 2.0 * math.pi)
        parts = tf.one_hot(chosen, choices)[:, None] * tf.stack([tf.cos(phase), tf.sin(phase)], axis=1)[..., None]
        hum = tf.reshape(parts, [records, 2 * choices]) @ tf.transpose(waves)
        amplitude = draws.uniform([records, 1, leads], *self.amplitudes) * valid_deviation(x, lengths)
        return x + hum[..., None] * amplitude, lengths

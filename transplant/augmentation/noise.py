"""Noise: muscles and electronics."""

import dataclasses

from transplant.augmentation.transform import Transform, check_range


@dataclasses.dataclass(frozen=True)
class Noise(Transform):
    """Add Gaussian noise, white to pink, to each lead.

    Attributes:
        snr_db: (lowest, highest) of 10 log10(var(record) / var(noise)), each lead by itself.
        exponents: (lowest, highest) of the noise's power over frequency, 1 / f^exponent: 0 is white, 1 is pink.

    Source: jittering in Iwana and Uchida (2021), Gaussian noise in Raghu et al.
    (2022). The ratios are the upper three of the MIT-BIH Noise Stress Test
    Database (24, 18, 12, 6, 0, -6 dB; Moody et al., 1984; measured there on the
    beats): below them a record might deserve the class "too noisy".
    """

    name = "noise"
    summary = "add white to pink noise"

    probability: float = 0.3
    snr_db: tuple = (12.0, 24.0)
    exponents: tuple = (0.0, 1.0)

    def __post_init__(self):
        super().__post_init__()
        check_range(self, "snr_db")
        check_range(self, "exponents", lowest=0, highest=2)

    def apply(self, x, lengths, draws, rate):
        """Add noise to every record; its variance is that of the samples that stay."""
        import tensorflow as tf

        from transplant.augmentation.padding import valid_deviation

        records, time, leads = tf.unstack(tf.shape(x))
        bins = time // 2 + 1
        # A sum of thousands of them is normal, and they cost a third of normal numbers.
        real, imaginary = tf.unstack(draws.uniform([2, records, leads, bins], -1.0, 1.0))
        exponent = draws.uniform([records], *self.exponents)[:, None]
        # The lowest bin is the mean, which is left out; the others count from 1.
        number = tf.cast(tf.range(bins), tf.float32)[None]
        amplitude = tf.where(number > 0, tf.exp(-0.5 * exponent * tf.math.log(tf.maximum(number, 1.0))), 0.0)
        spectrum = tf.complex(real, imaginary) * tf.cast(amplitude, tf.complex64)[:, None]
        noise = tf.transpose(tf.signal.irfft(spectrum, [time]), (0, 2, 1))
        ratio = tf.pow(10.0, -draws.uniform([records], *self.snr_db) / 20.0)[:, None, None]
        unit = tf.math.divide_no_nan(noise, valid_deviation(noise, lengths))
        return x + ratio * valid_deviation(x, lengths) * unit, lengths

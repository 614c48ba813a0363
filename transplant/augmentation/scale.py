"""Amplitude: contact, gain and body differ between recordings of one rhythm."""

import dataclasses

from transplant.augmentation.transform import Transform, check_range


@dataclasses.dataclass(frozen=True)
class Scale(Transform):
    """Multiply a record by one factor, the same for all leads, so that the heart's axis stays.

    Attributes:
        factors: (lowest, highest); drawn so that halving is as likely as doubling.

    Source: magnitude scaling in Iwana and Uchida, "An empirical survey of data
    augmentation for time series" (2021), and Raghu et al. (2022). ECG-DualNet
    takes 0.85 to 1.15. The range is wider here: of 240 records of the 2017
    challenge, a quarter have less than 0.75 and a quarter more than 1.5 times
    the median standard deviation.
    """

    name = "scale"
    summary = "multiply by a factor"

    factors: tuple = (0.7, 1.4)

    def __post_init__(self):
        super().__post_init__()
        check_range(self, "factors", lowest=0.1, highest=10)

    def apply(self, x, lengths, draws, rate):
        """Multiply every record."""
        import tensorflow as tf

        return x * draws.log_uniform(tf.shape(lengths), *self.factors)[:, None, None], lengths

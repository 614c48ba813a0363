"""Random crop: a part of a recording has the recording's rhythm."""

import dataclasses

from transplant.augmentation.transform import Transform, check_range


@dataclasses.dataclass(frozen=True)
class Crop(Transform):
    """Keep a random stretch of a record, moved to the end, padding before it.

    Attributes:
        shares: (lowest, highest) share of the record that stays.

    Source: window slicing in Iwana and Uchida (2021). At least 60% stay: 18 of
    the usual 30 s, a length that records of the 2017 challenge have (9 to 61 s),
    and most of an arrhythmia that fills only a part of its record. Lengths
    that vary also take away what the length alone says about the class.
    """

    name = "crop"
    summary = "keep a stretch of the record"

    shares: tuple = (0.6, 1.0)

    def __post_init__(self):
        super().__post_init__()
        check_range(self, "shares", lowest=0, highest=1)

    def apply(self, x, lengths, draws, rate):
        """Crop every record that has two samples, by one sample at least."""
        import tensorflow as tf

        from transplant.augmentation.padding import move_right

        share = draws.uniform(tf.shape(lengths), *self.shares)
        kept = tf.clip_by_value(tf.cast(share * tf.cast(lengths, tf.float32), tf.int32), 1, tf.maximum(lengths - 1, 1))
        return move_right(x, draws.integers(tf.zeros_like(kept), lengths - kept)), kept

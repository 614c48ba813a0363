"""Cutout: an electrode that loses contact."""

import dataclasses

from transplant.augmentation.transform import Transform, check_range


@dataclasses.dataclass(frozen=True)
class Cutout(Transform):
    """Set one span of a record to 0, the mean of standardised data, in all leads.

    The first sample stays, and so does half of the record.

    Attributes:
        seconds: (lowest, highest) of the span.

    Source: cutout in ECG-DualNet (5% of a record), time masking in Raghu et al.
    (2022). A second hides a beat or two: the rhythm can be told from the rest.
    """

    name = "cutout"
    summary = "set a span to 0"

    probability: float = 0.3
    seconds: tuple = (0.2, 1.0)

    def __post_init__(self):
        super().__post_init__()
        check_range(self, "seconds", lowest=0)

    def apply(self, x, lengths, draws, rate):
        """Cut a span of one sample at least out of every record that has two."""
        import tensorflow as tf

        from transplant.augmentation.padding import before_record

        span = draws.spans(self.seconds, lengths, rate)
        begins, position = before_record(lengths, tf.shape(x)[1])
        # A record of one sample has a span of none, anywhere.
        first = begins + draws.integers(tf.ones_like(span), lengths - span)[:, None]
        inside = (position >= first) & (position < first + span[:, None])
        return tf.where(inside[..., None], 0.0, x), lengths

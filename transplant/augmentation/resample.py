"""Time stretch: the same rhythm at another heart rate."""

import dataclasses

from transplant.augmentation.transform import Transform, check_range


@dataclasses.dataclass(frozen=True)
class Resample(Transform):
    """Stretch or compress a record around its end, by straight lines between its samples.

    RR intervals keep their ratios, so an irregular rhythm stays irregular and
    a regular one regular. What a stretched record has too much on the left is
    lost.

    Attributes:
        factors: (lowest, highest) of the duration; the heart rate is divided by it.

    Source: resampling in ECG-DualNet, with 0.8 to 1.2. Half of that range here:
    brady- and tachycardia are told by the rate, and 10% move few records over
    60 or 100 beats a minute. No local warping, as Raghu et al. (2022) have it:
    it makes regular rhythms irregular.
    """

    name = "resample"
    summary = "change the heart rate by stretching time"

    factors: tuple = (0.9, 1.1)

    def __post_init__(self):
        super().__post_init__()
        check_range(self, "factors", lowest=0.1, highest=10)

    def apply(self, x, lengths, draws, rate):
        """Stretch every record."""
        import tensorflow as tf

        time = tf.shape(x)[1]
        factor = tf.cast(draws.log_uniform(tf.shape(lengths), *self.factors), tf.float64)[:, None]
        # float64: a position among thousands of samples and a share of a sample in one number.
        from_end = tf.cast(tf.range(time - 1, -1, -1), tf.float64)[None] / factor
        last = tf.cast(lengths - 1, tf.float64)[:, None]
        from_end = tf.minimum(from_end, last)
        whole = tf.floor(from_end)
        share = tf.cast(from_end - whole, x.dtype)[..., None]
        nearer = time - 1 - tf.cast(whole, tf.int32)
        farther = tf.maximum(nearer - 1, 0)
        near, far = (tf.gather(x, at, batch_dims=1) for at in (nearer, farther))
        stretched = tf.cast(tf.floor(last * factor), tf.int32)[:, 0] + 1
        return near + share * (far - near), tf.minimum(stretched, time)

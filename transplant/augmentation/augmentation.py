"""The transforms of a training run: which, in what order, and applied to a batch."""

import dataclasses
import zlib

from transplant.augmentation.crop import Crop
from transplant.augmentation.cutout import Cutout
from transplant.augmentation.flip import Flip
from transplant.augmentation.mains import Mains
from transplant.augmentation.noise import Noise
from transplant.augmentation.resample import Resample
from transplant.augmentation.scale import Scale
from transplant.augmentation.shift import Shift
from transplant.augmentation.wander import Wander
from transplant.errors import OptionError

# In the order in which they are applied: time, then amplitude, then what is added and is not scaled with the heart,
# and the lost contact last, so that it is silent and no crop begins in it.
TRANSFORMS = {kind.name: kind for kind in (Resample, Crop, Shift, Scale, Flip, Noise, Wander, Mains, Cutout)}


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Transforms of whole batches, as a function of (seed, epoch, batch).

    Two transforms share no random numbers, so a run without one of them draws
    the same for the others. The defaults are for classes of rhythm from a
    single lead at about 250 Hz; each transform's class says why.

    Attributes:
        transforms: `Transform`s, applied one after the other. Defaults to none.

    Example:
        >>> augmentation = Augmentation.parse("scale,shift,cutout")
        >>> x, lengths = augmentation(x, lengths, rate=250.0, seed=1, epoch=0, batch=0)
        >>> strong = Augmentation((Scale(probability=1.0, factors=(0.5, 2.0)),))

    Source: Raghu et al., "Data augmentation for electrocardiograms" (2022);
    Iwana and Uchida, "An empirical survey of data augmentation for time series
    classification with neural networks" (2021); Rohr et al., ECG-DualNet (2022).
    """

    transforms: tuple = ()

    @classmethod
    def parse(cls, text):
        """Return the transforms that a text names, with their default settings.

        Args:
            text: names with commas between, in any order (they are applied in
                the order of `TRANSFORMS`); or "all", or "none".

        Raises:
            OptionError: if a name is unknown or given twice.
        """
        if text in ("all", "none"):
            return cls(tuple(kind() for kind in TRANSFORMS.values()) if text == "all" else ())
        names = [name.strip() for name in text.split(",")]
        if set(names) - set(TRANSFORMS) or len(set(names)) < len(names):
            raise OptionError(
                f"an augmentation is all, none, or different ones of {', '.join(TRANSFORMS)} with commas between. "
                f"Received: {text!r}"
            )
        return cls(tuple(kind() for name, kind in TRANSFORMS.items() if name in names))

    def __bool__(self):
        return bool(self.transforms)

    def __str__(self):
        return ",".join(transform.name for transform in self.transforms) or "none"

    def to_dict(self):
        """Return a JSON-ready dict name -> settings."""
        return {transform.name: dataclasses.asdict(transform) for transform in self.transforms}

    @property
    def longest_stretch(self):
        """How many times as long as before a record may become."""
        factors = [transform.factors[1] for transform in self.transforms if isinstance(transform, Resample)]
        return max([1.0, *factors])

    def check(self, rate):
        """Refuse a sampling rate in Hz that a transform cannot work at.

        Raises:
            OptionError: if there is such a transform.
        """
        for transform in self.transforms:
            if rate <= transform.needs_rate_above:
                raise OptionError(
                    f"{transform.name} needs a sampling rate above {transform.needs_rate_above:g} Hz. "
                    f"Received: {rate:g} Hz; leave {transform.name} out"
                )

    def __call__(self, x, lengths, rate, seed, epoch, batch):
        """Return the batch as it is to be trained on.

        What is drawn depends on the number of records and the length of the
        axis, not on what the records hold. A batch that several devices share
        is augmented before it is divided, so their number does not matter.

        Args:
            x: float32 (batch, time, leads), standardised, padded on the left with zeros.
            lengths: int32 (batch,), valid samples at the end of each record, at least 1.
            rate: sampling rate, Hz.
            seed, epoch, batch: integers, or scalar tensors of them, that decide everything random.

        Returns:
            (x, lengths) of the same shapes and types. The padding is exactly 0,
            and the first sample of a record is not, in one lead at least.
        """
        import tensorflow as tf

        from transplant.augmentation.draws import fold
        from transplant.augmentation.padding import pad

        self.check(rate)
        of_batch = fold(tf.stack([tf.cast(seed, tf.int64), tf.cast(epoch, tf.int64)]), batch)
        for transform in self.transforms:
            x, lengths = transform(x, lengths, fold(of_batch, zlib.crc32(transform.name.encode())), rate)
        return pad(x, lengths), lengths

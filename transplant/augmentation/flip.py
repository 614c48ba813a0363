"""Polarity: a recorder of one lead can be held the other way round."""

import dataclasses

from transplant.augmentation.transform import Transform


@dataclasses.dataclass(frozen=True)
class Flip(Transform):
    """Turn a record upside down, all leads together.

    Two hands swapped on a recorder of lead I give -x, and the rhythm is the
    same. Of 208 records of the 2017 challenge that are not noise, a fifth have
    their high deflections downwards (skewness below -1), so a fifth are turned;
    the usual polarity still tells where the P wave is.

    Source: flipping in Iwana and Uchida (2021).
    """

    name = "flip"
    summary = "change the polarity"

    probability: float = 0.2

    def apply(self, x, lengths, draws, rate):
        """Negate every record."""
        return -x, lengths

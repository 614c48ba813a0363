"""What every transform is: a probability for each record, ranges of strength, and what it does to whole batches.

Settings are checked, shown and compared without TensorFlow; the methods that work on tensors import it.
"""

import abc
import dataclasses
import math
from typing import ClassVar

from transplant.errors import OptionError


@dataclasses.dataclass(frozen=True)
class Transform(abc.ABC):
    """Base of the transforms; one of them is a subclass in a module of its own.

    Attributes:
        name: what a command line calls it.
        summary: what it does, for help.
        probability: share of the records that it changes, each drawn for itself.
    """

    name: ClassVar[str]
    summary: ClassVar[str]

    probability: float = 0.5

    def __post_init__(self):
        if not 0 <= self.probability <= 1:
            raise OptionError(
                f"{self.name}: a probability is from 0 to 1. Received: {self.probability:g}; give a share of records"
            )

    @property
    def needs_rate_above(self):
        """Sampling rate in Hz that is too low to show what the transform adds."""
        return 0.0

    @abc.abstractmethod
    def apply(self, x, lengths, draws, rate):
        """Change every record that is given.

        What stands before the records does not matter: neither what is given
        there nor what is left. It is set to 0 after the last transform.

        Args:
            x: float32 (records, time, leads), standardised, at the end of the axis; `records` may be 0.
            lengths: int32 (records,), valid samples at the end of each.
            draws: `transplant.augmentation.draws.Draws`.
            rate: sampling rate, Hz.

        Returns:
            (x, lengths) of the same shapes and types.
        """

    def __call__(self, x, lengths, seed, rate):
        """Change some records of a batch; arguments and results are those of `apply`.

        Args:
            x, lengths: the batch.
            seed: int64 (2,); the same one gives the same numbers.
            rate: sampling rate, Hz.
        """
        import tensorflow as tf

        from transplant.augmentation.draws import Draws

        draws = Draws(seed)
        chosen = tf.where(draws.uniform(tf.shape(lengths)) < self.probability)
        rows = chosen[:, 0]
        changed, new_lengths = self.apply(tf.gather(x, rows), tf.gather(lengths, rows), draws, rate)
        return (
            tf.tensor_scatter_nd_update(x, chosen, changed),
            tf.tensor_scatter_nd_update(lengths, chosen, new_lengths),
        )


def check_range(transform, field, lowest=-math.inf, highest=math.inf):
    """Refuse a range that is empty or leaves what makes sense.

    Args:
        transform: a `Transform`.
        field: name of a field that holds (lowest, highest).
        lowest, highest: what the range must lie in, both included.

    Raises:
        OptionError: if it is no such range.
    """
    low, high = values = getattr(transform, field)
    if not lowest <= low <= high <= highest:
        raise OptionError(
            f"{transform.name}: {field} is a range within {lowest:g} to {highest:g}, the lower end first. "
            f"Received: {values}; correct it"
        )

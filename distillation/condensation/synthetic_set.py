"""The examples that a method changes: values, labels, and what values may be."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from distillation.condensation.streams import START, stream
from transplant.errors import OptionError, TrainingError

NOISE, REAL = STARTS = ("noise", "real")


@dataclasses.dataclass(frozen=True)
class SyntheticSet:
    """Synthetic examples as variables, those of a class one after the other.

    Attributes:
        x: `tf.Variable` (classes * per class, *shape), standardised as the real ones.
        y: int64 array (classes * per class,), the class of each.
        soft: `tf.Variable` of label logits (examples, classes) that are learned, or None: labels are the classes.
        n_classes, per_class: numbers.
    """

    x: tf.Variable
    y: np.ndarray
    soft: tf.Variable | None
    n_classes: int
    per_class: int

    @classmethod
    def begin(cls, real, per_class, start, seed, soft_labels=False, copies=1):
        """Return examples to begin with.

        Args:
            real: `RealExamples`.
            per_class: examples of each class.
            start: "noise": normal with mean 0 and deviation 1, clipped to the constraint by the method's first
                step; "real": real ones drawn without repetition.
            seed: of the draw.
            soft_labels: whether labels are learned. Defaults to False.
            copies: that many such sets one after the other, those of a class not together: (copy, class,
                example). Defaults to 1.

        Raises:
            OptionError: if the start is unknown, or a class has fewer real examples than are to be drawn.
        """
        if start not in STARTS:
            raise OptionError(f"examples start from {' or '.join(STARTS)}. Received: {start}")
        y = np.tile(np.repeat(np.arange(real.n_classes), per_class), copies)
        rng = np.random.default_rng(stream(seed, START))
        if start == NOISE:
            x = rng.normal(size=(len(y), *real.x.shape[1:]))
        else:
            rows = np.empty(len(y), np.int64)
            for label in range(real.n_classes):
                count = per_class * copies
                rows[y == label] = rng.choice(real.rows_for(label, count), count, replace=False)
            x = real.x[rows]
        soft = None
        if soft_labels:
            # Softmax of this is .9 at the class.
            logits = np.eye(real.n_classes)[y] * np.log(9 * (real.n_classes - 1))
            soft = tf.Variable(logits, dtype=keras.config.floatx())
        return cls(tf.Variable(x, dtype=keras.config.floatx()), y, soft, real.n_classes, per_class)

    def targets(self):
        """Return probabilities (examples, classes), a tensor that follows learned labels."""
        if self.soft is None:
            return tf.one_hot(self.y, self.n_classes, dtype=self.x.dtype)
        return tf.nn.softmax(self.soft)

    def of_class(self, label):
        """Return the examples of a class and their label probabilities, of a set with one copy.

        Args:
            label: class index, scalar int32 tensor.
        """
        # A slice that begins at a tensor is compiled by XLA for every class anew.
        rows = label * self.per_class + tf.range(self.per_class)
        return tf.gather(tf.convert_to_tensor(self.x), rows), tf.gather(self.targets(), rows)

    def variables(self):
        """Return dict name -> `tf.Variable` of everything that is learned."""
        return {"x": self.x} | ({} if self.soft is None else {"soft_labels": self.soft})


def check_numbers(name, tensor, iteration):
    """Refuse values that are no numbers any more.

    Args:
        name: what the values are.
        tensor: tensor or array.
        iteration: which, from 1.

    Raises:
        TrainingError: if one is NaN or infinite.
    """
    values = np.asarray(tensor)
    bad = ~np.isfinite(values)
    if bad.any():
        raise TrainingError(
            f"iteration {iteration}: {name} must be numbers. Received: {int(bad.sum()):,} of {values.size:,} values "
            "NaN or infinite; start a new job with lower learning rates"
        )

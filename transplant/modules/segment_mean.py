"""The mean of strided features over each segment of a record."""

import keras
import numpy as np

from transplant.errors import OptionError


@keras.saving.register_keras_serializable("transplant.segment_mean")
class SegmentMean(keras.layers.Layer):
    """Average features over segments of the record that they were made of.

    A position of features stands for as many samples as the stride has, the last one for what is left of the
    record. The mean of a segment is over its samples: a position that two segments share counts in each by its
    samples there, so that segments need not be multiples of the stride.

    Args:
        samples: of a record.
        segment: samples of a segment, of which the record is a whole number.
        stride: samples of a position, at most those of a segment.
        **kwargs: of `keras.layers.Layer`.

    Input shape: (batch, ceil(samples / stride), channels).

    Output shape: (batch, samples / segment, channels).

    Raises:
        OptionError: if a segment is shorter than a position, or the record no whole number of segments.

    Example:
        >>> SegmentMean(6, 3, 2)(np.array([[[1.0], [4.0], [7.0]]]))[0, :, 0].numpy().tolist()
        [2.0, 6.0]
    """

    def __init__(self, samples, segment, stride, **kwargs):
        super().__init__(**kwargs)
        if segment < 1 or samples % segment:
            raise OptionError(f"a record is a whole number of segments. Received: samples={samples}, segment={segment}")
        if not 1 <= stride <= segment:
            raise OptionError(
                f"a segment has one position of features or more. Received: segments of {segment} samples, positions "
                f"of {stride}; take longer segments, or fewer stages"
            )
        self.samples, self.segment, self.stride = samples, segment, stride

    def shares(self):
        """Return float64 (segments, positions): the share of a segment's samples that a position stands for."""
        edges = np.minimum(np.arange(-(-self.samples // self.stride) + 1) * self.stride, self.samples)
        starts = np.arange(0, self.samples, self.segment)[:, None]
        common = np.minimum(edges[1:], starts + self.segment) - np.maximum(edges[:-1], starts)
        return np.maximum(common, 0) / self.segment

    def call(self, inputs):
        """Return the mean of every segment."""
        return keras.ops.matmul(keras.ops.cast(self.shares(), inputs.dtype), inputs)

    def compute_output_shape(self, input_shape):
        """Return (batch, segments, channels)."""
        return input_shape[0], self.samples // self.segment, input_shape[-1]

    def get_config(self):
        """Return the arguments that make the same layer."""
        return super().get_config() | {"samples": self.samples, "segment": self.segment, "stride": self.stride}

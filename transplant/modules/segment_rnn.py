"""A recurrent network over segments of a series with attention: what RDPD's teachers and students are."""

import dataclasses

import keras

from transplant.errors import OptionError
from transplant.modules.attention_pooling import attend_segments
from transplant.modules.block_convolution import BlockConvolution
from transplant.modules.half_dropout import HalfDropout
from transplant.modules.mlp import full_precision
from transplant.modules.recurrent import bidirectional_lstm
from transplant.modules.resnet1d import layer_seed

_MOST_UNROLLED = 16  # segments; the graph grows with them


@dataclasses.dataclass(frozen=True)
class SegmentRnnSize:
    """What is to choose of the network.

    Attributes:
        segment: samples of a segment.
        filters: of the first convolution; a second one has twice as many.
        kernel, stride: of the convolutions, samples.
        hidden: units of the LSTM each way.
        convolutions: 1 or 2.
    """

    segment: int
    filters: int = 64
    kernel: int = 8
    stride: int = 4
    hidden: int = 32
    convolutions: int = 1

    @property
    def features(self):
        """Features of a segment after the convolutions."""
        return self.filters * 2 ** (self.convolutions - 1)

    @property
    def seen(self):
        """Samples of a segment that its features depend on: what is left of a stride at its end is not seen."""
        lengths = [self.segment]
        for _ in range(self.convolutions):
            lengths.append((lengths[-1] - self.kernel) // self.stride + 1)
        seen = lengths[-1]
        for _ in range(self.convolutions):
            seen = (seen - 1) * self.stride + self.kernel
        return seen


def build_segment_rnn(input_shape, n_classes, size, seed=None, name="segment_rnn"):
    """Build the network.

    A record of L = M x S samples is cut into M segments. Of each one, convolutions ("valid", ReLU, dropout .5) and
    the mean over time give H (M, K); a bidirectional LSTM Q (M, 2h); the attention A = softmax over the segments of
    Q W, without a bias; the logits are a dense layer of the sum of A Q.

    Args:
        input_shape: (samples, channels) of a record.
        n_classes: number of classes.
        size: `SegmentRnnSize`.
        seed: of the initial weights (Glorot uniform; the LSTM's recurrent ones orthogonal) and of dropout. Defaults
            to Keras' global random state.
        name: of the model. Defaults to "segment_rnn".

    Returns:
        A `keras.Model` from (batch, samples, channels) to two outputs, float32 whatever the dtype policy is: logits
        (batch, n_classes) and attention (batch, M).

    Raises:
        OptionError: if the record is no whole number of segments, or a segment is shorter than the convolutions.

    Source: Hong et al., "RDPD: Rich Data Helps Poor Data via Imitation" (IJCAI 2019), section 3.2.

    Example:
        >>> build_segment_rnn((256, 52), 12, SegmentRnnSize(64)).count_params()
        52364
    """
    samples, channels = input_shape
    segments = check_segments(samples, size)
    x = inputs = keras.Input(input_shape, name="signal")
    x = keras.layers.Reshape((segments, size.segment, channels), name="segments")(x)
    unseen = size.segment - size.seen
    if unseen:
        x = keras.layers.Cropping2D(((0, 0), (0, unseen)), name="seen")(x)
    for number in range(1, size.convolutions + 1):
        conv_name = f"stage1_conv{number}"
        # A convolution of each segment by itself: one row of segments, one column of time.
        x = BlockConvolution(
            size.filters * number,
            (1, size.kernel),
            strides=(1, size.stride),
            activation="relu",
            kernel_initializer=keras.initializers.GlorotUniform(seed=layer_seed(seed, conv_name)),
            name=conv_name,
        )(x)
        drop_name = f"dropout{number}"
        x = HalfDropout(seed=layer_seed(seed, drop_name), name=drop_name)(x)
    x = keras.layers.AveragePooling2D((1, x.shape[2]), dtype=full_precision(), name="mean_over_time")(x)
    x = keras.layers.Reshape((segments, size.features), dtype=full_precision(), name="segment_features")(x)
    x = bidirectional_lstm(size.hidden, "stage1_lstm", seed, unroll=segments <= _MOST_UNROLLED)(x)
    return keras.Model(inputs, list(attend_segments(x, n_classes, seed, "stage1_scores")), name=name)


def check_segments(samples, size):
    """Return the number of segments of a record.

    Args:
        samples: of the record.
        size: `SegmentRnnSize`.

    Raises:
        OptionError: as `build_segment_rnn`.
    """
    if size.segment < 1 or samples % size.segment:
        near = max(divisor for divisor in range(1, samples + 1) if samples % divisor == 0 and divisor <= size.segment)
        raise OptionError(
            f"a record is a whole number of segments. Received: {samples} samples and segments of {size.segment}; "
            f"take {near}, or records of another length"
        )
    left = size.segment
    for _ in range(size.convolutions):
        left = (left - size.kernel) // size.stride + 1
        if left < 1:
            raise OptionError(
                f"a segment is as long as its convolutions. Received: {size.segment} samples for {size.convolutions} "
                f"of kernel {size.kernel} and stride {size.stride}; take longer segments or a shorter kernel"
            )
    return samples // size.segment

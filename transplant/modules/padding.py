"""Padding-aware layers: a record gives the same outputs however many zeros stand before it.

Records are padded on the left with exact zeros after standardisation. A plain
network sees the padding: batch normalisation adds its offset to it, which then
leaks into the record through convolutions, batch moments and the pooled mean.
A padding-aware network does four things instead: it extends the signal to whole
strides at its beginning, so that the strides are counted from the record's end
(`AlignToEnd`); it finds the padding from the signal itself (`ValidPositions`);
its batch normalisation takes moments of the record alone and puts the padding
back to zero, which is what "same" padding shows a convolution
(`transplant.modules.padded_batch_norm`); and it pools over the record alone
(`MeanOverValid`). None of these layers has a variable.

A position after strides belongs to the record if any of its samples does, so a
record of n samples has ceil(n / stride) positions, as many as a plain network
gives it.

What counts as padding: samples that are exactly 0 in all leads, with nothing
but such samples before them. So a record that itself begins with exact zeros in
all leads is taken to begin after them. A record of zeros alone has no position:
it has no part in batch moments, its pooled features are 0, and its logits the
bias of the head.

The layers take a mask as the argument `valid`, because one named `mask` would
make Keras hand it on by itself to layers that have no use for it.
"""

import keras

from transplant.errors import OptionError

ALIGNED = "aligned"
_PACKAGE = "transplant.padding"


def over_features(mask, ndim):
    """Return a mask (batch, time) in a shape that goes with features.

    Args:
        mask: boolean (batch, time).
        ndim: 3 for features (batch, time, channels), 4 for features
            (batch, frequency, time, channels).

    Returns:
        The mask as (batch, time, 1) or (batch, 1, time, 1).
    """
    mask = keras.ops.expand_dims(mask, -1)
    return mask if ndim == 3 else keras.ops.expand_dims(mask, 1)


@keras.saving.register_keras_serializable(_PACKAGE)
class AlignToEnd(keras.layers.Layer):
    """Extend signals by zeros on the left to a multiple of a number of samples.

    With the total stride of a network as that number, every strided layer with
    "same" padding samples a grid that is fixed to the end of the signal.

    It keeps float32 under any dtype policy, as the signal may go to a layer that
    computes in it.

    Args:
        multiple: samples, 1 or more.
        dtype: Defaults to "float32".
        **kwargs: of `keras.layers.Layer`.

    Input shape: (batch, time, leads); time may be unknown.

    Output shape: (batch, ceil(time / multiple) * multiple, leads).

    Raises:
        OptionError: if `multiple` is below 1.

    Example:
        >>> AlignToEnd(4)(np.ones((1, 5, 1), "float32"))[0, :, 0].numpy().tolist()
        [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """

    def __init__(self, multiple, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        if multiple < 1:
            raise OptionError(f"a signal is extended to a multiple of 1 or more samples. Received: multiple={multiple}")
        self.multiple = multiple

    def call(self, inputs):
        """Return the extended signals."""
        longest = keras.ops.pad(inputs, ((0, 0), (self.multiple - 1, 0), (0, 0)))
        return longest[:, keras.ops.shape(longest)[1] % self.multiple :]

    def compute_output_shape(self, input_shape):
        """Return (batch, time, leads), time rounded up to a multiple."""
        batch, time, leads = input_shape
        return batch, None if time is None else -(-time // self.multiple) * self.multiple, leads

    def get_config(self):
        """Return the arguments that make the same layer."""
        return super().get_config() | {"multiple": self.multiple}


@keras.saving.register_keras_serializable(_PACKAGE)
class ValidPositions(keras.layers.Layer):
    """Tell which positions of strided features belong to the record, from the padded signal.

    Args:
        stride: samples per position.
        multiple: what `AlignToEnd` extends the same signal to, a multiple of `stride`.
        dtype: Defaults to "float32": a half-precision policy would turn tiny
            samples into zeros.
        **kwargs: of `keras.layers.Layer`.

    Call arguments: inputs, the signal (batch, time, leads) before `AlignToEnd`.

    Output shape: (batch, ceil(time / multiple) * multiple / stride), boolean:
    False for the padding, then True to the end.

    Raises:
        OptionError: if `multiple` is no multiple of `stride`.

    Example:
        >>> ValidPositions(2, 4)(np.array([[[0.0], [0.0], [0.5], [0.0], [1.0]]])).numpy().tolist()
        [[False, False, True, True]]
    """

    def __init__(self, stride, multiple, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        if stride < 1 or multiple < 1 or multiple % stride:
            raise OptionError(
                "a signal is extended to a multiple of the samples per position. "
                f"Received: stride={stride}, multiple={multiple}"
            )
        self.stride = stride
        self.multiple = multiple

    def call(self, inputs):
        """Return the mask."""
        time = keras.ops.shape(inputs)[1]
        samples = keras.ops.arange(time, dtype="int32")
        nonzero = keras.ops.any(keras.ops.not_equal(inputs, 0), axis=-1)
        first = keras.ops.min(keras.ops.where(nonzero, samples, time), axis=1, keepdims=True)
        extension = -time % self.multiple
        positions = keras.ops.arange((time + extension) // self.stride, dtype="int32")
        return positions >= (first + extension) // self.stride

    def compute_output_spec(self, inputs):
        """Return the symbolic boolean mask."""
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="bool")

    def compute_output_shape(self, input_shape):
        """Return (batch, positions)."""
        batch, time, _ = input_shape
        return batch, None if time is None else -(-time // self.multiple) * (self.multiple // self.stride)

    def get_config(self):
        """Return the arguments that make the same layer."""
        return super().get_config() | {"stride": self.stride, "multiple": self.multiple}


@keras.saving.register_keras_serializable(_PACKAGE)
class ClearPadding(keras.layers.Layer):
    """Put features to zero where they belong to the padding.

    Call arguments: inputs of shape (batch, time, channels) or (batch,
    frequency, time, channels), and valid, boolean (batch, time).
    """

    def call(self, inputs, valid=None):
        """Return the features, 0 where they are not valid; without `valid` the inputs."""
        if valid is None:
            return inputs
        return keras.ops.where(over_features(valid, len(inputs.shape)), inputs, keras.ops.zeros((), inputs.dtype))

    def compute_output_shape(self, input_shape):
        """Return the inputs' shape."""
        return input_shape


@keras.saving.register_keras_serializable(_PACKAGE)
class MeanOverValid(keras.layers.Layer):
    """Average features over all positions of the record, in float32.

    Args:
        dtype: Defaults to "float32": a float16 sum over a long time axis overflows.
        **kwargs: of `keras.layers.Layer`.

    Call arguments: inputs of shape (batch, time, channels) or (batch,
    frequency, time, channels), and valid, boolean (batch, time); without it
    all positions count. A record without a position gives zeros.

    Output shape: (batch, channels).

    Example:
        >>> MeanOverValid()(np.array([[[9.0], [1.0], [3.0]]]), valid=np.array([[False, True, True]])).numpy().tolist()
        [[2.0]]
    """

    def __init__(self, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)

    def call(self, inputs, valid=None):
        """Return the mean over all axes but the first and the last."""
        if valid is not None:
            weights = keras.ops.cast(valid, inputs.dtype)
            count = keras.ops.maximum(keras.ops.sum(weights, axis=1, keepdims=True), 1)
            ndim = len(inputs.shape)
            inputs = keras.ops.where(over_features(valid, ndim), inputs, keras.ops.zeros((), inputs.dtype))
            sums = keras.ops.sum(inputs, axis=-2)
            return (sums if ndim == 3 else keras.ops.mean(sums, axis=1)) / count
        return keras.ops.mean(inputs, axis=tuple(range(1, len(inputs.shape) - 1)))

    def compute_output_shape(self, input_shape):
        """Return (batch, channels)."""
        return input_shape[0], input_shape[-1]


class PaddingMasks:
    """The aligned signal of a padding-aware network, and the masks of its strides.

    Args:
        signal: symbolic (batch, time, leads).
        multiple: the network's total stride in samples.
        prefix: of the layers' names. Defaults to none.

    Attributes:
        signal: the signal aligned to its end, symbolic.
    """

    def __init__(self, signal, multiple, prefix=""):
        self.signal = AlignToEnd(multiple, name=f"{prefix}{ALIGNED}")(signal)
        self._original = signal
        self._multiple = multiple
        self._prefix = prefix
        self._masks = {}

    def at(self, stride):
        """Return the symbolic mask of features of so many samples per position."""
        if stride not in self._masks:
            layer = ValidPositions(stride, self._multiple, name=f"{self._prefix}valid_{stride}")
            self._masks[stride] = layer(self._original)
        return self._masks[stride]


class NoMasks:
    """Stands for `PaddingMasks` in a plain network, which has none.

    Args:
        signal: symbolic (batch, time, leads).

    Attributes:
        signal: the same.
    """

    def __init__(self, signal):
        self.signal = signal

    def at(self, stride):
        """Return None, at every stride."""
        return None


def padding_masks(signal, multiple, padding_aware, prefix=""):
    """Return `PaddingMasks` of a padding-aware network, `NoMasks` of a plain one."""
    return PaddingMasks(signal, multiple, prefix) if padding_aware else NoMasks(signal)


def valid_features(backbone, signal, prefix=""):
    """Return the symbolic mask (batch, time') of a backbone's features, or None where it is not padding-aware.

    Args:
        backbone: `keras.Model` from (batch, time, leads) to features.
        signal: the symbolic signal that it is called on.
        prefix: of the names of the backbone's layers, and of the mask's. Defaults to none.
    """
    multiples = [layer.multiple for layer in backbone.layers if layer.name == f"{prefix}{ALIGNED}"]
    return ValidPositions(multiples[0], multiples[0], name=f"{prefix}valid")(signal) if multiples else None

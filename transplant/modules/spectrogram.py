"""The spectrogram as the first layer of a network."""

import keras

from transplant.errors import OptionError
from transplant.signals.spectrogram import MAX_BINS, WINDOW

# Its root is far below what float32 resolves beside any signal; without it the gradient of silence is not a number.
_LEAST_POWER = 1e-30


@keras.saving.register_keras_serializable("transplant.spectrogram")
class Spectrogram(keras.layers.Layer):
    """Magnitude of the short-time Fourier transform of every lead.

    Periodic Hann window, columns centred on every `hop`-th sample from the
    first one on, zeros outside the signal, no bin of 0 Hz. Nothing is learnt,
    and gradients pass through. The presets that the networks are trained with
    are in `transplant.signals.spectrogram.SpectrogramSettings`.

    It computes in float32 whatever the global dtype policy is: half precision
    has neither a Fourier transform nor the range of a magnitude.

    Args:
        hop: samples from one column to the next, 1 to 128. Defaults to 32.
        bins: frequency bins, from the first above 0 Hz on, 1 to 128. Defaults to 128.
        dtype: "float32" or "float64". Defaults to "float32".
        **kwargs: of `keras.layers.Layer`.

    Input shape: (batch, time, leads); time may be unknown.

    Output shape: (batch, frequency, slice, leads) with bins rows and
    ceil(time / hop) columns, in the input's unit times samples.

    Raises:
        OptionError: if an argument is out of range.

    Example:
        >>> Spectrogram(hop=32, bins=128)(np.zeros((2, 4096, 1), "float32")).shape
        TensorShape([2, 128, 128, 1])
    """

    def __init__(self, hop=32, bins=128, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        if self.compute_dtype not in ("float32", "float64"):
            raise OptionError(f"a spectrogram is computed in float32 or float64. Received: dtype={self.compute_dtype}")
        if not 1 <= hop <= WINDOW // 2 or not 1 <= bins <= MAX_BINS:
            raise OptionError(
                f"a spectrogram has a hop of 1 to {WINDOW // 2} samples and 1 to {MAX_BINS} bins. "
                f"Received: hop={hop}, bins={bins}"
            )
        self.hop = hop
        self.bins = bins
        self.input_spec = keras.layers.InputSpec(ndim=3)

    def call(self, inputs):
        """Return the spectrogram of a batch of signals."""
        signals = keras.ops.transpose(keras.ops.cast(inputs, self.compute_dtype), (0, 2, 1))
        # stft's own centring mirrors the signal at its ends, and fails where it is shorter than half a window.
        signals = keras.ops.pad(signals, ((0, 0), (0, 0), (WINDOW // 2, WINDOW // 2 - 1)))
        real, imaginary = keras.ops.stft(
            signals, sequence_length=WINDOW, sequence_stride=self.hop, fft_length=WINDOW, window="hann", center=False
        )
        power = keras.ops.square(real) + keras.ops.square(imaginary)
        magnitude = keras.ops.sqrt(keras.ops.maximum(power[..., 1 : self.bins + 1], _LEAST_POWER))
        images = keras.ops.transpose(magnitude, (0, 3, 2, 1))
        # TensorFlow's framing forgets sizes that are known, and LiteRT converts no convolution of unknown channels.
        shape = keras.ops.shape(images)
        return keras.ops.reshape(images, (shape[0], self.bins, shape[2], inputs.shape[2]))

    def compute_output_shape(self, input_shape):
        """Return (batch, frequency, slice, leads)."""
        batch, time, leads = input_shape
        return batch, self.bins, None if time is None else -(-time // self.hop), leads

    def get_config(self):
        """Return the arguments that make the same layer."""
        return super().get_config() | {"hop": self.hop, "bins": self.bins}

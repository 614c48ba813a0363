"""The 2-D ResNet-18 of the reports, for spectrograms.

As in `transplant.modules.resnet1d` every layer has an explicit name, by which
weights files match. All layers but the spectrogram itself are Keras' own.
"""

import keras

from transplant.errors import OptionError
from transplant.modules.batch_norm import make_batch_norm
from transplant.modules.resnet1d import STAGE_FILTERS, add_head, layer_seed
from transplant.modules.spectrogram import Spectrogram
from transplant.signals.spectrogram import SpectrogramSettings

BLOCKS_OF_A_STAGE = 2


class _Builder:
    """Joins the named layers of one network."""

    def __init__(self, seed, batch_norm):
        self._seed = seed
        self._batch_norm = batch_norm

    def conv_bn(self, x, filters, kernel_size, strides, conv_name, bn_name, dtype=None):
        x = keras.layers.Conv2D(
            filters,
            kernel_size,
            strides=strides,
            padding="same",
            kernel_initializer=keras.initializers.HeNormal(seed=layer_seed(self._seed, conv_name)),
            dtype=dtype,
            name=conv_name,
        )(x)
        return make_batch_norm(self._batch_norm, dtype=dtype, name=bn_name)(x)

    def stem(self, x):
        # In float32 under any policy: magnitudes grow with the window, so that an artefact of 100 standard deviations
        # would leave float16's range here. Batch normalisation brings them back.
        x = self.conv_bn(x, 64, 7, 2, "stem_conv", "stem_bn", dtype="float32")
        x = keras.layers.ReLU(name="stem_relu")(x)
        return keras.layers.MaxPooling2D(2, padding="same", name="stem_pool")(x)

    def block(self, x, prefix, filters, strides):
        shortcut = x
        if strides > 1:
            shortcut = self.conv_bn(x, filters, 1, strides, f"{prefix}_shortcut_conv", f"{prefix}_shortcut_bn")
        x = self.conv_bn(x, filters, 3, strides, f"{prefix}_conv1", f"{prefix}_bn1")
        x = keras.layers.ReLU(name=f"{prefix}_relu1")(x)
        x = self.conv_bn(x, filters, 3, 1, f"{prefix}_conv2", f"{prefix}_bn2")
        x = keras.layers.Add(name=f"{prefix}_add")([x, shortcut])
        return keras.layers.ReLU(name=f"{prefix}_relu")(x)

    def features(self, x, stages):
        x = self.stem(x)
        for stage in range(stages):
            for block in range(BLOCKS_OF_A_STAGE):
                strides = 2 if block == 0 and stage > 0 else 1
                x = self.block(x, f"stage{stage + 1}_block{block + 1}", STAGE_FILTERS[stage], strides)
        return x


def ResNet18_2D(num_classes=5, channels=1, seed=None, name="resnet18_2d"):
    """Build the 2-D ResNet-18 with its head, from spectrograms to logits.

    Stem: convolution (7 x 7, stride 2, 64), batch norm, ReLU, max pooling 2 x 2.
    Then stages of 64, 128, 256 and 512 filters with two blocks each; the first
    block of every stage but the first halves both axes. A block is conv-BN-ReLU-
    conv-BN (3 x 3), the sum with its input, ReLU; the input passes a 1 x 1
    convolution with batch norm only where the block is strided. Convolutions
    have a bias and start from He's normal distribution; batch norm has Keras'
    constants; all padding is "same".

    The name is a class's because the reports' notebooks call it as one. Its
    outputs are logits, as everywhere in this package.

    Args:
        num_classes: number of logits. Defaults to 5.
        channels: channels of the input, one a lead. Defaults to 1.
        seed: of the initial weights. Defaults to Keras' global random state.
        name: name of the model.

    Returns:
        A `keras.Model` from (batch, frequency, slice, channels), both axes of
        any size, to float32 logits (batch, num_classes).

    Raises:
        OptionError: if an argument is below 1.

    Source: He, Zhang, Ren and Sun, "Deep residual learning for image
    recognition" (2016); the variant of the reports, told by its parameter counts.

    Example:
        >>> ResNet18_2D(num_classes=5).count_params()
        11187205
    """
    if num_classes < 1 or channels < 1:
        raise OptionError(
            "a 2-D ResNet needs at least one class and one channel. "
            f"Received: num_classes={num_classes}, channels={channels}"
        )
    inputs = keras.Input((None, None, channels), name="image")
    x = _Builder(seed, "stock").features(inputs, len(STAGE_FILTERS))
    return keras.Model(inputs, add_head(x, num_classes, seed), name=name)


def build_resnet2d(
    arch="resnet18_2d", stages=None, leads=1, seed=None, batch_norm="stock", spectrogram=None, name="backbone"
):
    """Build the backbone from raw signals: the spectrogram, then the 2-D ResNet-18 without its head.

    Args:
        arch: "resnet18_2d", the only one.
        stages: first so many stages. Defaults to all four.
        leads: input channels; each has its spectrogram. Defaults to 1.
        seed: of the initial weights. Defaults to Keras' global random state.
        batch_norm: kind of batch normalisation, as in `make_batch_norm`. Defaults to "stock".
        spectrogram: `SpectrogramSettings`. Defaults to those of the preset "final".
        name: name of the model. Defaults to "backbone", under which transfer looks for it.

    Returns:
        A `keras.Model` from (batch, time, leads) to features
        (batch, frequency', slice', filters): both axes of the spectrogram
        divided by 2**(stages + 1), rounded up.

    Raises:
        OptionError: if an argument is out of range.

    Example:
        >>> build_resnet2d().count_params()
        11184640
    """
    if arch != "resnet18_2d":
        raise OptionError(f"arch must be resnet18_2d. Received: arch={arch}")
    stages = len(STAGE_FILTERS) if stages is None else stages
    if not 1 <= stages <= len(STAGE_FILTERS):
        raise OptionError(f"stages must be between 1 and {len(STAGE_FILTERS)}. Received: stages={stages}")
    if leads < 1:
        raise OptionError(f"a model needs at least one lead. Received: leads={leads}")
    settings = spectrogram or SpectrogramSettings()
    inputs = keras.Input((None, leads), name="signal")
    image = Spectrogram(hop=settings.hop, bins=settings.bins, name="spectrogram")(inputs)
    return keras.Model(inputs, _Builder(seed, batch_norm).features(image, stages), name=name)

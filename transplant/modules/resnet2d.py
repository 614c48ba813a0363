"""The 2-D ResNet-18 of the reports, for spectrograms.

As in `transplant.modules.resnet1d` every layer has an explicit name, by which
weights files match. All layers but the spectrogram itself are Keras' own,
unless padding awareness is asked for.
"""

import keras

from transplant.errors import OptionError
from transplant.modules.batch_norm import make_batch_norm
from transplant.modules.padding import ClearPadding, NoMasks, padding_masks
from transplant.modules.resnet1d import STAGE_FILTERS, add_head, layer_seed
from transplant.modules.spectrogram import Spectrogram
from transplant.signals.spectrogram import SpectrogramSettings

BLOCKS_OF_A_STAGE = 2


class _Builder:
    """Joins the named layers of one network."""

    def __init__(self, seed, batch_norm, masks, prefix="", hop=1):
        self._seed = seed
        self._batch_norm = batch_norm
        self._masks = masks
        self._prefix = prefix
        self._hop = hop

    def conv_bn(self, x, filters, kernel_size, strides, conv_name, bn_name, columns, dtype=None):
        """Join a convolution, whose outputs have so many columns of the image per position, and its batch norm."""
        conv_name = f"{self._prefix}{conv_name}"
        x = keras.layers.Conv2D(
            filters,
            kernel_size,
            strides=strides,
            padding="same",
            kernel_initializer=keras.initializers.HeNormal(seed=layer_seed(self._seed, conv_name)),
            dtype=dtype,
            name=conv_name,
        )(x)
        mask = self._masks.at(columns * self._hop)
        batch_norm = make_batch_norm(self._batch_norm, mask is not None, dtype=dtype, name=f"{self._prefix}{bn_name}")
        return batch_norm(x) if mask is None else batch_norm(x, valid=mask)

    def relu(self, x, name):
        return keras.layers.ReLU(name=f"{self._prefix}{name}")(x)

    def stem(self, x):
        # In float32 under any policy: magnitudes grow with the window, so that an artefact of 100 standard deviations
        # would leave float16's range here. Batch normalisation brings them back.
        x = self.conv_bn(x, 64, 7, 2, "stem_conv", "stem_bn", columns=2, dtype="float32")
        return keras.layers.MaxPooling2D(2, padding="same", name=f"{self._prefix}stem_pool")(self.relu(x, "stem_relu"))

    def block(self, x, name, filters, strides, columns):
        shortcut = x
        if strides > 1:
            shortcut = self.conv_bn(x, filters, 1, strides, f"{name}_shortcut_conv", f"{name}_shortcut_bn", columns)
        x = self.conv_bn(x, filters, 3, strides, f"{name}_conv1", f"{name}_bn1", columns)
        x = self.relu(x, f"{name}_relu1")
        x = self.conv_bn(x, filters, 3, 1, f"{name}_conv2", f"{name}_bn2", columns)
        x = keras.layers.Add(name=f"{self._prefix}{name}_add")([x, shortcut])
        return self.relu(x, f"{name}_relu")

    def features(self, x, stages):
        x = self.stem(x)
        columns = 4
        for stage in range(stages):
            for block in range(BLOCKS_OF_A_STAGE):
                strides = 2 if block == 0 and stage > 0 else 1
                columns *= strides
                x = self.block(x, f"stage{stage + 1}_block{block + 1}", STAGE_FILTERS[stage], strides, columns)
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
    x = _Builder(seed, "stock", NoMasks(inputs)).features(inputs, len(STAGE_FILTERS))
    return keras.Model(inputs, add_head(x, num_classes, seed), name=name)


def build_resnet2d(
    arch="resnet18_2d",
    stages=None,
    leads=1,
    seed=None,
    batch_norm="stock",
    spectrogram=None,
    name="backbone",
    padding_aware=False,
    prefix="",
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
        padding_aware: give a record the same outputs however many zeros stand before it, see
            `transplant.modules.padding`: columns are counted from the record's end, and one
            belongs to the record if a sample does between its centre and the next one's.
            Defaults to False.
        prefix: of the names of all layers but the input. Defaults to none.

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
    masks = padding_masks(inputs, settings.hop * 2 ** (stages + 1), padding_aware, prefix)
    image = Spectrogram(hop=settings.hop, bins=settings.bins, name=f"{prefix}spectrogram")(masks.signal)
    if padding_aware:
        # The window of a column before the record reaches into it.
        image = ClearPadding(dtype="float32", name=f"{prefix}cleared")(image, valid=masks.at(settings.hop))
    builder = _Builder(seed, batch_norm, masks, prefix, settings.hop)
    return keras.Model(inputs, builder.features(image, stages), name=name)

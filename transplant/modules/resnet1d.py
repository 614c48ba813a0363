"""The 1-D ResNet of Weimann and Conrad (2021): ResNet-18, -34 and -50 for signals.

Everything is stock Keras layers joined by the functional API (unless
another `batch_norm` or padding awareness is asked for), so that a saved
`.keras` file loads in any process without code of ours, and every layer has an
explicit name, because weights files match by name.
"""

import zlib

import keras

from transplant.errors import OptionError
from transplant.modules.batch_norm import make_batch_norm
from transplant.modules.padding import ClearPadding, MeanOverValid, padding_masks

STAGE_FILTERS = (64, 128, 256, 512)
BOTTLENECK_EXPANSION = 4

_DEPTHS = {
    "resnet18": {"blocks": (2, 2, 2, 2), "bottleneck": False},
    "resnet34": {"blocks": (3, 4, 6, 3), "bottleneck": False},
    "resnet50": {"blocks": (3, 4, 6, 3), "bottleneck": True},
}


def layer_seed(seed, layer_name):
    """Return the initialiser seed of one layer, or None where `seed` is None.

    It depends on the layer's name alone, so a layer starts from the same
    weights whatever stands beside it: another head, fewer stages.
    """
    return None if seed is None else zlib.crc32(f"{seed}/{layer_name}".encode())


class _Builder:
    """Joins the named layers of one network."""

    def __init__(self, seed, batch_norm, masks, prefix):
        self._seed = seed
        self._batch_norm = batch_norm
        self._masks = masks
        self._prefix = prefix

    def conv_bn(self, x, filters, kernel_size, strides, conv_name, bn_name, samples):
        conv_name = f"{self._prefix}{conv_name}"
        x = keras.layers.Conv1D(
            filters,
            kernel_size,
            strides=strides,
            padding="same",
            use_bias=False,
            kernel_initializer=keras.initializers.VarianceScaling(seed=layer_seed(self._seed, conv_name)),
            name=conv_name,
        )(x)
        mask = self._masks.at(samples)
        batch_norm = make_batch_norm(
            self._batch_norm, mask is not None, momentum=0.9, epsilon=1e-5, name=f"{self._prefix}{bn_name}"
        )
        return batch_norm(x) if mask is None else batch_norm(x, valid=mask)

    def relu(self, x, name):
        return keras.layers.ReLU(name=f"{self._prefix}{name}")(x)

    def stem(self, x):
        x = self.relu(self.conv_bn(x, 64, 7, 2, "stem_conv", "stem_bn", samples=2), "stem_relu")
        # Nothing is below the padding's 0 after a ReLU, so that it is to the maximum what "same" padding is.
        x = keras.layers.MaxPooling1D(3, 2, padding="same", name=f"{self._prefix}stem_pool")(x)
        mask = self._masks.at(4)
        # The last window of the padding reaches the record's first position.
        return x if mask is None else ClearPadding(name=f"{self._prefix}stem_cleared")(x, valid=mask)

    def block(self, x, name, filters, kernel_size, strides, bottleneck, samples):
        """Join a block whose outputs have so many samples per position."""
        if bottleneck:
            convolutions = ((filters, 1, 1), (filters, kernel_size, strides), (filters * BOTTLENECK_EXPANSION, 1, 1))
        else:
            convolutions = ((filters, kernel_size, strides), (filters, kernel_size, 1))
        channels_out = convolutions[-1][0]
        shortcut = x
        if strides > 1 or x.shape[-1] != channels_out:
            shortcut = self.conv_bn(
                x, channels_out, 1, strides, f"{name}_shortcut_conv", f"{name}_shortcut_bn", samples
            )
        samples //= strides
        for number, (channels, kernel, step) in enumerate(convolutions, start=1):
            samples *= step
            x = self.conv_bn(x, channels, kernel, step, f"{name}_conv{number}", f"{name}_bn{number}", samples)
            if number < len(convolutions):
                x = self.relu(x, f"{name}_relu{number}")
        x = keras.layers.Add(name=f"{self._prefix}{name}_add")([x, shortcut])
        return self.relu(x, f"{name}_relu")


def ResNet(
    num_outputs=None,
    blocks=(2, 2, 2, 2),
    kernel_size=(7, 5, 5, 3),
    include_top=False,
    leads=1,
    stages=None,
    bottleneck=False,
    seed=None,
    batch_norm="stock",
    name="resnet1d",
    padding_aware=False,
    prefix="",
):
    """Build a post-activation 1-D ResNet as a functional model.

    Stem: convolution (kernel 7, stride 2, 64), batch norm, ReLU, max pooling 3/2.
    Then stages of 64, 128, 256 and 512 filters; the first block of every stage
    but the first halves the time axis. A block is conv-BN-ReLU-conv-BN (with
    `bottleneck`, 1x1 - kernel - 1x1 with four times the filters), the sum with
    its input, ReLU; the input passes a 1x1 convolution with batch norm only
    where its shape changes.

    The name is a class's because the reports' notebooks call it as one.

    Args:
        num_outputs: outputs of the head; needed with `include_top`.
        blocks: residual blocks of each stage.
        kernel_size: kernel of each stage's blocks.
        include_top: add global average pooling and a Dense layer named "head".
            Its outputs are logits (the public code applied a softmax here).
        leads: input channels. Defaults to 1.
        stages: build only the first so many stages. Defaults to all of `blocks`.
        bottleneck: three-convolution blocks, as in ResNet-50.
        seed: of the initial weights. Defaults to Keras' global random state.
        batch_norm: kind of batch normalisation, as in `make_batch_norm`. Defaults to "stock".
        name: name of the model.
        padding_aware: give a record the same outputs however many zeros stand before it,
            see `transplant.modules.padding`. Defaults to False.
        prefix: of the names of all layers but the input and the head. Defaults to none.

    Returns:
        A `keras.Model` from (batch, time, leads) to features
        (batch, ceil(time / 2**(stages + 1)), filters), or to logits
        (batch, num_outputs) with `include_top`.

    Raises:
        OptionError: if the arguments contradict each other.

    Source: Weimann and Conrad, "Transfer learning for ECG classification",
    Scientific Reports 11:5251 (2021), and their public code.

    Example:
        >>> features = ResNet(num_outputs=None, blocks=(2, 2, 2, 2), include_top=False)
        >>> features.count_params()
        4492480
    """
    if not 1 <= len(blocks) <= len(STAGE_FILTERS) or len(kernel_size) != len(blocks):
        raise OptionError(
            "a 1-D ResNet has one to four stages, each with a block count and a kernel size. "
            f"Received: blocks={tuple(blocks)}, kernel_size={tuple(kernel_size)}"
        )
    stages = len(blocks) if stages is None else stages
    if not 1 <= stages <= len(blocks):
        raise OptionError(f"stages must be between 1 and {len(blocks)}. Received: stages={stages}")
    if leads < 1:
        raise OptionError(f"a model needs at least one lead. Received: leads={leads}")
    if include_top and not num_outputs:
        raise OptionError(f"include_top=True needs num_outputs. Received: num_outputs={num_outputs}")

    inputs = keras.Input((None, leads), name="signal")
    masks = padding_masks(inputs, 2 ** (stages + 1), padding_aware, prefix)
    builder = _Builder(seed, batch_norm, masks, prefix)
    x = builder.stem(masks.signal)
    samples = 4  # per position
    for stage in range(stages):
        for block in range(blocks[stage]):
            strides = 2 if block == 0 and stage > 0 else 1
            samples *= strides
            x = builder.block(
                x,
                name=f"stage{stage + 1}_block{block + 1}",
                filters=STAGE_FILTERS[stage],
                kernel_size=kernel_size[stage],
                strides=strides,
                bottleneck=bottleneck,
                samples=samples,
            )
    if include_top:
        x = add_head(x, num_outputs, seed, masks.at(samples))
    return keras.Model(inputs, x, name=name)


def pool_features(features, mask=None, name="pool"):
    """Append the mean over all positions, in float32: a float16 sum over a long time axis overflows.

    Args:
        features: symbolic tensor (batch, time, channels) or (batch, frequency, slice, channels);
            the mean is over all axes in between. Features (batch, channels) are returned as they are.
        mask: symbolic boolean (batch, time) or (batch, slice), of which positions belong to
            the record. Defaults to all.
        name: of the layer. Defaults to "pool".

    Returns:
        Symbolic tensor (batch, channels), float32.
    """
    if len(features.shape) == 2:
        return features
    if mask is not None:
        return MeanOverValid(name=name)(features, valid=mask)
    pooling = {3: keras.layers.GlobalAveragePooling1D, 4: keras.layers.GlobalAveragePooling2D}[len(features.shape)]
    return pooling(dtype="float32", name=name)(features)


def add_head(features, n_outputs, seed=None, mask=None, dropout=0.0):
    """Append global average pooling ("pool"), dropout ("head_dropout") and a linear layer ("head").

    All compute in float32 whatever the global dtype policy is: losses need
    full-precision logits.

    Args:
        features: symbolic tensor as `pool_features` takes it.
        n_outputs: number of logits.
        seed: of the initial kernel and of the dropout. Defaults to Keras' global random state.
        mask: as `pool_features` takes it. Defaults to none.
        dropout: share of the pooled features that is dropped in training, below 1. Defaults
            to 0: no such layer.

    Returns:
        Symbolic logits (batch, n_outputs), float32.

    Raises:
        OptionError: if `dropout` is out of range.
    """
    if not 0 <= dropout < 1:
        raise OptionError(f"a share of features from 0 to below 1 is dropped. Received: dropout={dropout}")
    x = pool_features(features, mask)
    if dropout:
        x = keras.layers.Dropout(dropout, seed=layer_seed(seed, "head_dropout"), dtype="float32", name="head_dropout")(
            x
        )
    return keras.layers.Dense(
        n_outputs,
        kernel_initializer=keras.initializers.GlorotUniform(seed=layer_seed(seed, "head")),
        dtype="float32",
        name="head",
    )(x)


def build_resnet1d(
    arch="resnet18",
    stages=None,
    leads=1,
    seed=None,
    batch_norm="stock",
    name="backbone",
    padding_aware=False,
    prefix="",
):
    """Build a backbone of the published depth with kernels 7, 5, 5, 3.

    Args:
        arch: "resnet18", "resnet34" or "resnet50". Defaults to "resnet18".
        stages: first so many stages. Defaults to all four.
        leads: input channels. Defaults to 1.
        seed: of the initial weights. Defaults to Keras' global random state.
        batch_norm: as in `ResNet`. Defaults to "stock".
        name: name of the model. Defaults to "backbone", under which transfer looks for it.
        padding_aware, prefix: as in `ResNet`. Default to False and none.

    Returns:
        A `keras.Model` from (batch, time, leads) to (batch, time', channels).

    Raises:
        OptionError: if `arch` is not one of the three.
    """
    if arch not in _DEPTHS:
        raise OptionError(f"arch must be one of {', '.join(_DEPTHS)}. Received: arch={arch}")
    return ResNet(
        stages=stages,
        leads=leads,
        seed=seed,
        batch_norm=batch_norm,
        name=name,
        padding_aware=padding_aware,
        prefix=prefix,
        **_DEPTHS[arch],
    )

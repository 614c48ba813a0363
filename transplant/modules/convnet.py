"""ConvNet: the network on which dataset distillation is compared, of images and of signals."""

import keras

from transplant.errors import OptionError
from transplant.modules.exact_normalization import ExactInstanceNormalization
from transplant.modules.mlp import flatten
from transplant.modules.resnet1d import layer_seed

WIDTH, KERNEL, POOL = 128, 3, 2
DEPTHS = {"convnet1": 1, "convnet2": 2, "convnet3": 3}
_MNIST_SHAPE = (28, 28, 1)
_MNIST_PADDING = 2  # on each side besides that of "same", so that 28 becomes 32 and halves evenly


def build_convnet(arch, input_shape, seed=None, width=WIDTH, name="backbone"):
    """Build the layers before the head of a ConvNet.

    One, two or three times a convolution of 3 ("same"), instance normalisation with a factor and an offset of each
    channel, ReLU, and the mean of blocks of 2; then the flattened result. Images of 28 x 28 x 1 are
    padded to 32 x 32 first, as in the public code. Its normalisation has the right second derivatives
    on TensorFlow, so that gradients can be matched through it; over maps of a few pixels, as three
    levels leave of an image of 8 x 8, they are noise, and a network with fewer levels is the one to match.

    Args:
        arch: "convnet1", "convnet2" or "convnet3".
        input_shape: shape of one record, (time, channels) or (height, width, channels), each side
            at least 2, 4 or 8.
        seed: of the initial weights. Defaults to Keras' global random state.
        width: filters of each convolution. Defaults to 128.
        name: name of the model. Defaults to "backbone".

    Returns:
        A `keras.Model` from (batch, *input_shape) to (batch, features).

    Raises:
        OptionError: if there is no such network.

    Source: Zhao et al., "Dataset condensation with gradient matching" (2021); the one-dimensional form is ours.

    Example:
        >>> build_convnet("convnet3", (28, 28, 1)).output_shape
        (None, 2048)
    """
    if arch not in DEPTHS:
        raise OptionError(f"arch is {', '.join(DEPTHS)}. Received: arch={arch}")
    is_image = len(input_shape) == 3
    convolution, pooling = (
        (keras.layers.Conv2D, keras.layers.AveragePooling2D)
        if is_image
        else (keras.layers.Conv1D, keras.layers.AveragePooling1D)
    )
    x = inputs = keras.Input(input_shape, name="signal")
    if tuple(input_shape) == _MNIST_SHAPE:
        x = keras.layers.ZeroPadding2D(_MNIST_PADDING, name="padding")(x)
    for number in range(1, DEPTHS[arch] + 1):
        conv_name = f"stage1_conv{number}"
        # As PyTorch draws them: uniform, to 1 / sqrt(fan in).
        initializer = keras.initializers.VarianceScaling(
            1 / 3, "fan_in", "uniform", seed=layer_seed(seed, conv_name)
        )
        x = convolution(width, KERNEL, padding="same", kernel_initializer=initializer, name=conv_name)(x)
        x = ExactInstanceNormalization(name=f"stage1_norm{number}")(x)
        x = keras.layers.ReLU(name=f"relu{number}")(x)
        x = pooling(POOL, name=f"pool{number}")(x)
    return keras.Model(inputs, flatten()(x), name=name)

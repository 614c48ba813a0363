"""LeNet-5 for small images."""

import keras

from transplant.errors import OptionError
from transplant.modules.mlp import dense, flatten, full_precision
from transplant.modules.resnet1d import layer_seed

FILTERS, KERNEL, POOL, UNITS = (6, 16), 5, 2, (120, 84)


def build_lenet(arch, input_shape, seed=None, name="backbone"):
    """Build the layers before the head of LeNet-5 with ReLU.

    Convolutions of 6 ("same") and 16 filters ("valid"), kernel 5, each with the maximum of blocks
    of 2 and ReLU; then dense 120 and 84 with ReLU.

    Args:
        arch: "lenet".
        input_shape: (height, width, channels), each side at least 12.
        seed: of the initial weights (Glorot). Defaults to Keras' global random state.
        name: name of the model. Defaults to "backbone".

    Returns:
        A `keras.Model` from (batch, height, width, channels) to (batch, 84).

    Raises:
        OptionError: if there is no such network.

    Source: LeCun et al., "Gradient-based learning applied to document recognition" (1998), in the form
    of Wang et al., "Dataset distillation" (2018).

    Example:
        >>> build_lenet("lenet", (28, 28, 1)).count_params()
        60856
    """
    if arch != "lenet":
        raise OptionError(f"arch must be lenet. Received: arch={arch}")
    x = inputs = keras.Input(input_shape, name="signal")
    for number, (filters, padding) in enumerate(zip(FILTERS, ("same", "valid")), start=1):
        conv_name = f"stage1_conv{number}"
        initializer = keras.initializers.GlorotNormal(seed=layer_seed(seed, conv_name))
        x = keras.layers.Conv2D(filters, KERNEL, padding=padding, kernel_initializer=initializer, name=conv_name)(x)
        # Twice differentiable as long as XLA does not compile it; see `BlockMaxPooling`. A maximum and ReLU
        # commute, gradients too, and a quarter of the values is left to ReLU.
        x = keras.layers.MaxPooling2D(POOL, name=f"pool{number}")(x)
        x = keras.layers.ReLU(name=f"relu{number}")(x)
    x = flatten()(x)
    for number, width in enumerate(UNITS, start=1):
        dtype = full_precision() if number == len(UNITS) else None
        x = dense(width, "relu", seed, f"stage1_dense{number}", dtype)(x)
    return keras.Model(inputs, x, name=name)

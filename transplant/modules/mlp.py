"""Dense networks on the flattened record, and the linear model, which is the record itself.

All layers are Keras' own, and those with weights are named as the first stage
of a backbone, because that is what learns slower, or later, than the head.
"""

import keras

from transplant.errors import OptionError
from transplant.modules.resnet1d import layer_seed

_HIDDEN = {
    "logistic": ((), None),
    "mlp-16": ((16,), "sigmoid"),
    "mlp-deep": ((256,) * 4, "relu"),
    "mlp-512": ((512,) * 2, "relu"),
    "mlp3": ((128, 64), "relu"),
}


def dense(units, activation, seed, name, dtype=None):
    """Return a dense layer whose initial kernel depends on the seed and its name alone.

    Args:
        units: number of outputs.
        activation: its name, or None.
        seed: of the network. Defaults to Keras' global random state where it is None.
        name: of the layer.
        dtype: Defaults to the global dtype policy.
    """
    initializer = keras.initializers.GlorotUniform(seed=layer_seed(seed, name))
    return keras.layers.Dense(units, activation, kernel_initializer=initializer, dtype=dtype, name=name)


def full_precision():
    """Return the dtype of variables, in which a network's last layers compute: float32 under a mixed policy too."""
    return keras.config.dtype_policy().variable_dtype


def flatten():
    """Return the layer that lays a record out as one vector, in the precision of the variables."""
    return keras.layers.Flatten(dtype=full_precision(), name="flatten")


def build_mlp(arch, input_shape, seed=None, name="backbone"):
    """Build the dense layers before the head of a plain classifier.

    | arch | hidden layers |
    |---|---|
    | logistic | none: with the head it is multinomial logistic regression |
    | mlp-16 | 16 sigmoid |
    | mlp-deep | 4 x 256 ReLU |
    | mlp-512 | 2 x 512 ReLU |
    | mlp3 | 128 and 64 ReLU, our choice: with the head 3 dense layers |

    Args:
        arch: a name of the table.
        input_shape: shape of one record, (time, channels) or (height, width, channels).
        seed: of the initial weights. Defaults to Keras' global random state.
        name: name of the model. Defaults to "backbone", under which transfer looks for it.

    Returns:
        A `keras.Model` from (batch, *input_shape) to (batch, features), float32 whatever the
        dtype policy is.

    Raises:
        OptionError: if there is no such network.

    Source: the networks of a course on EEG and medical images. `mlp3` follows an experiment log
    on mortality in intensive care that says "3 dense layers" and no sizes.

    Example:
        >>> build_mlp("mlp-16", (178, 1)).count_params()
        2864
    """
    if arch not in _HIDDEN:
        raise OptionError(f"arch must be one of {', '.join(_HIDDEN)}. Received: arch={arch}")
    units, activation = _HIDDEN[arch]
    inputs = keras.Input(input_shape, name="signal")
    x = flatten()(inputs)
    for number, width in enumerate(units, start=1):
        dtype = full_precision() if number == len(units) else None
        x = dense(width, activation, seed, f"stage1_dense{number}", dtype)(x)
    return keras.Model(inputs, x, name=name)

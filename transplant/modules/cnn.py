"""Small 1-D convolutional networks: two convolutions, each with pooling, and dense layers.

All layers are Keras' own, and those with weights are named as the first stage
of a backbone, because that is what learns slower, or later, than the head.
"""

import dataclasses

import keras

from transplant.errors import OptionError
from transplant.modules.mlp import dense, flatten, full_precision
from transplant.modules.resnet1d import layer_seed

KERNEL = 5
POOL = 2


@dataclasses.dataclass(frozen=True)
class _Layout:
    filters: tuple
    pooling: str
    units: tuple
    dropout: float = 0.0


_LAYOUTS = {
    "cnn": _Layout((6, 16), "max", (128,)),
    "cnn-dropout": _Layout((6, 16), "max", (128, 64), 0.2),
    # Of the mean there are second derivatives under XLA too, which distillation takes; of the maximum there are none.
    "cnn1d": _Layout((64, 64), "mean", (64,)),
}
_POOLINGS = {"max": keras.layers.MaxPooling1D, "mean": keras.layers.AveragePooling1D}


def build_cnn(arch, input_shape, seed=None, name="backbone"):
    """Build the layers before the head of a small convolutional classifier.

    A convolution has a kernel of 5 and no padding ("valid"), then come ReLU and pooling
    over 2. The flattened result goes through dense layers with ReLU.

    | arch | convolutions | pooling | dense | dropout |
    |---|---|---|---|---|
    | cnn | 6, 16 | maximum | 128 | |
    | cnn-dropout | 6, 16 | maximum | 128, 64 | .2 after each pooling and each dense layer |
    | cnn1d | 64, 64 | mean | 64 | |

    Args:
        arch: a name of the table.
        input_shape: shape of one record, (time, channels), of at least 16 steps.
        seed: of the initial weights and of dropout. Defaults to Keras' global random state.
        name: name of the model. Defaults to "backbone", under which transfer looks for it.

    Returns:
        A `keras.Model` from (batch, time, channels) to (batch, features), float32 whatever the
        dtype policy is.

    Raises:
        OptionError: if there is no such network.

    Source: `cnn` and `cnn-dropout` are a course's, on EEG. `cnn1d` follows an experiment log on
    mortality in intensive care that says "2 convolutions and 2 dense layers", the head one of
    them, and no sizes; they are our choice.

    Example:
        >>> build_cnn("cnn", (178, 1)).count_params()
        84628
    """
    if arch not in _LAYOUTS:
        raise OptionError(f"arch must be one of {', '.join(_LAYOUTS)}. Received: arch={arch}")
    layout = _LAYOUTS[arch]

    def dropped(x, layer_name, dtype=None):
        if not layout.dropout:
            return x
        return keras.layers.Dropout(layout.dropout, seed=layer_seed(seed, layer_name), dtype=dtype, name=layer_name)(x)

    x = inputs = keras.Input(input_shape, name="signal")
    for number, filters in enumerate(layout.filters, start=1):
        conv_name = f"stage1_conv{number}"
        initializer = keras.initializers.GlorotUniform(seed=layer_seed(seed, conv_name))
        x = keras.layers.Conv1D(filters, KERNEL, activation="relu", kernel_initializer=initializer, name=conv_name)(x)
        x = _POOLINGS[layout.pooling](POOL, name=f"pool{number}")(x)
        x = dropped(x, f"conv{number}_dropout")
    x = flatten()(x)
    for number, width in enumerate(layout.units, start=1):
        dtype = full_precision() if number == len(layout.units) else None
        x = dense(width, "relu", seed, f"stage1_dense{number}", dtype)(x)
        x = dropped(x, f"dense{number}_dropout", dtype)
    return keras.Model(inputs, x, name=name)

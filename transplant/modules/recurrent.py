"""Small recurrent networks: on signals, on sequences of visits, and on intensive-care series.

All layers are Keras' own, and those with weights are named as the first stage
of a backbone, because that is what learns slower, or later, than the head.
They compute in float32 whatever the dtype policy is: errors of half precision
add up over the steps, half-precision zeros would be taken for padding, and the
networks are small.

The networks for visits and intensive care leave padding out of account: a step
that is exactly 0 in all channels changes no state, so a record gives the same
outputs however many such steps stand before it. A step of zeros within a
record, such as a visit without a code, is passed over too.

None of them runs on cuDNN: its kernels have no second derivatives, which
distillation takes, and refuse padding on the left. A GRU with one bias has no
such kernel. Of an LSTM Keras keeps no such choice in a `.keras` file, so that
LSTMs are `keras.layers.RNN` of an `LSTMCell`, which never asks for one.
"""

import dataclasses

import keras

from transplant.errors import OptionError
from transplant.modules.mlp import dense, full_precision
from transplant.modules.resnet1d import layer_seed


@dataclasses.dataclass(frozen=True)
class _Layout:
    """Layers in their order: dense on each step, recurrent, dense on the last state."""

    cell: str
    units: tuple
    is_masked: bool = False
    tanh_units: int = 0
    relu_units: int = 0
    first_is_bidirectional: bool = False
    dropout: float = 0.0


_LAYOUTS = {
    "gru": _Layout("gru", (16,)),
    "gru-deep": _Layout("gru", (32, 32), relu_units=16),
    "visit-gru": _Layout("gru", (16,), is_masked=True, tanh_units=32),
    "visit-lstm": _Layout("lstm", (16, 16), is_masked=True, tanh_units=64, relu_units=8),
    "lstm-icu": _Layout("lstm", (16, 16), is_masked=True, first_is_bidirectional=True, dropout=0.3),
}


def build_recurrent(arch, input_shape, seed=None, name="backbone"):
    """Build the layers before the head of a small recurrent classifier.

    | arch | each step | recurrent | last state | padding |
    |---|---|---|---|---|
    | gru | | GRU 16 | | seen |
    | gru-deep | | 2 x GRU 32 | dense 16 ReLU | seen |
    | visit-gru | dense 32 tanh | GRU 16 | | masked |
    | visit-lstm | dense 64 tanh | 2 x LSTM 16 | dense 8 ReLU | masked |
    | lstm-icu | | bidirectional LSTM of 8 each way, LSTM 16 | dropout .3 | masked |

    A GRU has one bias (`reset_after=False`). Both LSTMs of `lstm-icu` also drop .3 of their
    inputs in training, the same channels at every step; none drops recurrent values.

    Args:
        arch: a name of the table.
        input_shape: shape of one record, (time, channels); with time None the model takes
            records of any length.
        seed: of the initial weights and of dropout. Defaults to Keras' global random state.
        name: name of the model. Defaults to "backbone", under which transfer looks for it.

    Returns:
        A `keras.Model` from (batch, time, channels) to float32 (batch, features).

    Raises:
        OptionError: if there is no such network.

    Source: `gru` and `gru-deep` are a course's, on EEG, `visit-gru` and `visit-lstm` on MIMIC-III
    admissions; the tanh of the latter's first layer, which it does not name, is the former's.
    `lstm-icu`: Harutyunyan et al., "Multitask learning and benchmarking with clinical time series
    data", Scientific Data 6:96 (2019), and their public code, with a gate function (sigmoid) and
    initial weights of today's Keras.

    Example:
        >>> build_recurrent("gru", (178, 1)).count_params()
        864
    """
    if arch not in _LAYOUTS:
        raise OptionError(f"arch must be one of {', '.join(_LAYOUTS)}. Received: arch={arch}")
    layout = _LAYOUTS[arch]
    x = inputs = keras.Input(input_shape, name="signal")
    if layout.is_masked:
        x = keras.layers.Masking(dtype=full_precision(), name="masking")(x)
    if layout.tanh_units:
        x = dense(layout.tanh_units, "tanh", seed, "stage1_steps", full_precision())(x)
    for number, units in enumerate(layout.units, start=1):
        layer_name, is_last = f"stage1_{layout.cell}{number}", number == len(layout.units)
        if layout.cell == "gru":
            x = _gru(units, layer_name, seed, return_sequences=not is_last)(x)
        elif layout.first_is_bidirectional and number == 1:
            x = bidirectional_lstm(units // 2, layer_name, seed, layout.dropout)(x)
        else:
            x = _lstm(units, layer_name, layer_name, seed, layout.dropout, return_sequences=not is_last)(x)
    if layout.relu_units:
        x = dense(layout.relu_units, "relu", seed, "stage1_dense1", full_precision())(x)
    if layout.dropout:
        dropout_seed = layer_seed(seed, "state_dropout")
        x = keras.layers.Dropout(layout.dropout, seed=dropout_seed, dtype=full_precision(), name="state_dropout")(x)
    return keras.Model(inputs, x, name=name)


def _initializers(seed, layer_name):
    """Return Keras' default initialisers with seeds, as arguments of a layer or cell."""
    return {
        "kernel_initializer": keras.initializers.GlorotUniform(seed=layer_seed(seed, f"{layer_name}/kernel")),
        "recurrent_initializer": keras.initializers.Orthogonal(seed=layer_seed(seed, f"{layer_name}/recurrent_kernel")),
        "seed": layer_seed(seed, f"{layer_name}/dropout"),
    }


def _gru(units, name, seed, return_sequences):
    return keras.layers.GRU(
        units,
        reset_after=False,
        return_sequences=return_sequences,
        dtype=full_precision(),
        name=name,
        **_initializers(seed, name),
    )


def _lstm(units, name, seed_name, seed, dropout, return_sequences, go_backwards=False, unroll=False):
    cell = keras.layers.LSTMCell(
        units, dropout=dropout, dtype=full_precision(), name="lstm_cell", **_initializers(seed, seed_name)
    )
    return keras.layers.RNN(
        cell,
        return_sequences=return_sequences,
        go_backwards=go_backwards,
        unroll=unroll,
        dtype=full_precision(),
        name=name,
    )


def bidirectional_lstm(units, name, seed, dropout=0.0, unroll=False):
    """Return an LSTM in both directions that returns every step, (batch, steps, 2 units).

    Args:
        units: of each direction.
        name: of the layer.
        seed: of the initial weights and of dropout; None for Keras' global random state.
        dropout: of the inputs in training, the same channels at every step. Defaults to none.
        unroll: whether the steps stand side by side in the graph, which is faster for a few. Defaults to False.
    """
    # Made from one layer, both directions would start from the same weights, because they would have one seed.
    forward, backward = (
        _lstm(units, direction, f"{name}/{direction}", seed, dropout, True, direction == "backward_lstm", unroll)
        for direction in ("forward_lstm", "backward_lstm")
    )
    return keras.layers.Bidirectional(forward, backward_layer=backward, dtype=full_precision(), name=name)

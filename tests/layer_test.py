"""The test that every layer of the package goes through."""

import json

import keras
import numpy as np
import tensorflow as tf
from fresh_process import check_files_in_a_fresh_process


def run_layer_test(make_layer, inputs, output_shape, folder, half_precision_output=True):
    """Check what is asked of every layer.

    Its configuration is JSON and makes the same layer again; declared, symbolic
    and computed shapes are the same, with unknown axes too; outputs have the
    policy's dtype; gradients of the inputs are numbers; a `.keras` file gives
    the same outputs in a process that imports the package and nothing of it.

    Args:
        make_layer: function of no arguments that returns a new layer.
        inputs: float32 array (batch, ...) for it.
        output_shape: shape of its outputs, batch included.
        folder: an empty folder for files.
        half_precision_output: whether outputs are in half precision under a
            mixed policy; False for a layer that always computes in float32.
    """
    layer = make_layer()
    expected = _call(layer, inputs)
    assert expected.shape == output_shape

    config = layer.get_config()
    assert json.loads(json.dumps(config)) == config
    again = keras.saving.deserialize_keras_object(
        json.loads(json.dumps(keras.saving.serialize_keras_object(layer))), safe_mode=True
    )
    assert type(again) is type(layer) and again.get_config() == config
    if not again.built:
        again.build(inputs.shape)
    again.set_weights(layer.get_weights())
    assert np.array_equal(_call(again, inputs), expected)

    assert tuple(layer.compute_output_shape(inputs.shape)) == output_shape
    symbol = layer(keras.Input(inputs.shape[1:], batch_size=inputs.shape[0]))
    assert (tuple(symbol.shape), symbol.dtype) == (output_shape, layer.compute_dtype)
    unknown = layer(keras.Input((*(None for _ in inputs.shape[1:-1]), inputs.shape[-1])))
    assert len(unknown.shape) == len(output_shape)
    assert all(size in (None, known) for size, known in zip(unknown.shape, output_shape))

    _check_policies(make_layer, inputs, output_shape, half_precision_output)
    _check_gradient(layer, inputs)
    _check_file(make_layer, inputs, folder)


def _call(layer, inputs):
    return keras.ops.convert_to_numpy(layer(inputs, **_inference(layer)))


def _inference(layer):
    return {"training": False} if layer._call_has_training_arg else {}


def _check_policies(make_layer, inputs, output_shape, half_precision_output):
    before = keras.config.dtype_policy()
    try:
        for half in ("float16", "bfloat16"):
            keras.config.set_dtype_policy(f"mixed_{half}")
            layer = make_layer()
            outputs = layer(inputs, **_inference(layer))
            assert keras.backend.standardize_dtype(outputs.dtype) == (half if half_precision_output else "float32")
            assert layer(keras.Input(inputs.shape[1:])).dtype == outputs.dtype
            assert outputs.shape == output_shape
            assert np.isfinite(keras.ops.convert_to_numpy(keras.ops.cast(outputs, "float32"))).all()
            assert {keras.backend.standardize_dtype(v.dtype) for v in layer.trainable_variables} <= {"float32"}
    finally:
        keras.config.set_dtype_policy(before)


def _check_gradient(layer, inputs):
    x = tf.constant(inputs)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(tf.square(layer(x, **_inference(layer))))
    gradient = tape.gradient(total, x).numpy()
    assert np.isfinite(gradient).all() and gradient.any()


def _check_file(make_layer, inputs, folder):
    symbol = keras.Input(inputs.shape[1:])
    model = keras.Model(symbol, make_layer()(symbol))
    expected = keras.ops.convert_to_numpy(model(inputs, training=False))
    model.save(folder / "layer.keras")
    check_files_in_a_fresh_process({"layer": expected}, inputs, folder)

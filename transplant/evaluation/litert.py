"""A model as LiteRT (TensorFlow Lite) has it on small devices: how large it is there, and what it says."""

import warnings

import keras
import tensorflow as tf

from transplant.errors import OptionError
from transplant.native_silence import native_silence


def litert_model(model, int8=False):
    """Convert a model to LiteRT, for one record at a time.

    Its variables become constants. LiteRT's own operations are enough: a recurrent layer that is not unrolled is a
    loop there, whose sizes must be known, so that a batch of any size could not be converted.

    Args:
        model: `keras.Model` of one input of known size.
        int8: whether weights of 1,024 numbers or more are kept as whole numbers of 8 bits, with a factor
            (dynamic-range quantisation). Defaults to False: float32, as the model has them.

    Returns:
        bytes of a .tflite file, whose signature takes the input and gives the outputs by their names in the model.

    Raises:
        OptionError: if the model has several inputs, or one of unknown size, or computes in half precision.
    """
    others = {layer.compute_dtype for layer in model.layers} - {"float32"}
    if others:
        # The converter itself refuses, on a hundred lines.
        raise OptionError(
            f"a model of float32 is needed. Received: {', '.join(sorted(others))} too; build it as float32"
        )
    serve = tf.function(
        lambda **named: dict(zip(model.output_names, keras.tree.flatten(model(*named.values(), training=False))))
    )
    spec = input_spec(model)
    # A Keras model alone does not show the converter its variables: they would be left out of the file.
    module = tf.Module()
    module.variables_of_model = [variable.value for variable in model.variables]
    with native_silence():
        function = serve.get_concrete_function(**{spec.name: spec})
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function], module)
        if int8:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        return converter.convert()


def input_spec(model):
    """Return the `tf.TensorSpec` of one record of a model.

    Args:
        model: `keras.Model`.

    Raises:
        OptionError: if the model has several inputs, or one of unknown size.
    """
    shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    if len(shapes) != 1 or None in shapes[0]:
        raise OptionError(
            f"a model of one input of known size is needed. Received: {model.name}, which takes "
            f"{', '.join(map(str, shapes))}; build it for a length"
        )
    return tf.TensorSpec((1, *shapes[0]), model.inputs[0].dtype, name=model.inputs[0].name)


def open_litert(content):
    """Return a `tf.lite.Interpreter` of one thread, ready to run.

    Args:
        content: bytes of a .tflite file.
    """
    with warnings.catch_warnings(), native_silence():
        # TensorFlow tells of its successor, another package, which this one does without.
        warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated")
        interpreter = tf.lite.Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
    return interpreter

"""What TensorFlow's profiler counts in a model: an independent count of multiply-adds."""

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2


def profiled_operations(model, input_shape):
    """Return dict kernel -> floating-point operations of one input, as the profiler counts them.

    A convolution and a matrix product are two operations a multiply-add there, their bias another
    operation. What stands inside a loop, as recurrent layers do, it does not see.

    Args:
        model: `keras.Model` of one input.
        input_shape: sizes of the input without the batch.
    """
    signature = tf.TensorSpec((1, *input_shape), model.inputs[0].dtype)
    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(signature)
    graph = convert_variables_to_constants_v2(function).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder(tf.compat.v1.profiler.ProfileOptionBuilder.float_operation())
    node = tf.compat.v1.profiler.profile(graph, cmd="op", options=options.with_empty_output().build())
    counts = {}
    while node.children:
        node = node.children[0]
        counts[node.name] = node.float_ops
    return counts

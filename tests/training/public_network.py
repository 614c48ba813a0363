"""The public code's residual network as a graph of attributes with its names, and its forward pass in `tf.nn`."""

import numpy as np
import tensorflow as tf

KERNELS = (7, 5, 5, 3)


class Node(tf.Module):
    """An object whose attributes a checkpoint follows, as it follows those of a Keras model."""

    def __init__(self, **attributes):
        super().__init__()
        for name, value in attributes.items():
            setattr(self, name, value)


def _conv(rng, size, inputs, filters):
    return Node(kernel=tf.Variable(rng.normal(size=(size, inputs, filters)) / np.sqrt(size * inputs), dtype=tf.float32))


def _batch_norm(rng, channels):
    positive = ("gamma", "moving_variance")
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    return Node(
        **{n: tf.Variable(rng.uniform(0.5 if n in positive else -0.5, 1.5, channels), dtype=tf.float32) for n in names}
    )


def dense(rng, inputs, units):
    return Node(
        kernel=tf.Variable(rng.normal(size=(inputs, units)) * 0.1, dtype=tf.float32),
        bias=tf.Variable(rng.normal(size=units), dtype=tf.float32),
    )


def _block(rng, inputs, filters, size, strides, bottleneck):
    if bottleneck:
        shapes = ((1, inputs, filters), (size, filters, filters), (1, filters, 4 * filters))
    else:
        shapes = ((size, inputs, filters), (size, filters, filters))
    outputs = shapes[-1][2]
    block = Node()
    for number, shape in enumerate(shapes, start=1):
        setattr(block, f"conv{number}", _conv(rng, *shape))
        setattr(block, f"bn{number}", _batch_norm(rng, shape[2]))
    if strides > 1 or inputs != outputs:
        block.proj_conv = _conv(rng, 1, inputs, outputs)
        block.proj_bn = _batch_norm(rng, outputs)
    return block, outputs


def network(depths, bottleneck=False, leads=1, seed=0):
    """Return the network and its number of channels."""
    rng = np.random.default_rng(seed)
    blocks, channels = [], 64
    for stage, depth in enumerate(depths):
        for number in range(depth):
            strides = 2 if number == 0 and stage > 0 else 1
            block, channels = _block(rng, channels, 64 * 2**stage, KERNELS[stage], strides, bottleneck)
            blocks.append(block)
    return Node(conv1=_conv(rng, 7, leads, 64), bn1=_batch_norm(rng, 64), blocks=blocks), channels


def forward(net, x):
    """Return the features (batch, time', channels) in inference, straight from the published description."""

    def conv_bn(x, conv, bn, strides):
        y = tf.nn.conv1d(x, conv.kernel, strides, "SAME")
        return (y - bn.moving_mean) / tf.sqrt(bn.moving_variance + 1e-5) * bn.gamma + bn.beta

    x = tf.nn.max_pool1d(tf.nn.relu(conv_bn(x, net.conv1, net.bn1, 2)), 3, 2, "SAME")
    filters = 64
    for block in net.blocks:
        # A block of more filters than the one before opens a stage, and is strided.
        strides = 2 if block.conv1.kernel.shape[2] > filters else 1
        filters = block.conv1.kernel.shape[2]
        shortcut = conv_bn(x, block.proj_conv, block.proj_bn, strides) if hasattr(block, "proj_conv") else x
        if hasattr(block, "conv3"):
            x = tf.nn.relu(conv_bn(x, block.conv1, block.bn1, 1))
            x = tf.nn.relu(conv_bn(x, block.conv2, block.bn2, strides))
            x = conv_bn(x, block.conv3, block.bn3, 1)
        else:
            x = tf.nn.relu(conv_bn(x, block.conv1, block.bn1, strides))
            x = conv_bn(x, block.conv2, block.bn2, 1)
        x = tf.nn.relu(x + shortcut)
    return x.numpy()


def save(root, prefix):
    """Write a checkpoint as `model.save_weights(prefix)` of TensorFlow 2 does."""
    tf.train.Checkpoint(root=root).write(str(prefix))


def read_all(prefix):
    """Return every array of a checkpoint by its name."""
    reader = tf.train.load_checkpoint(str(prefix))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def write_all(arrays, prefix):
    """Write arrays by name as a checkpoint."""
    names = sorted(arrays)
    tensors = [tf.convert_to_tensor(arrays[name]) for name in names]
    tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=names, shape_and_slices=[""] * len(names), tensors=tensors)

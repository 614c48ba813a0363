"""Cross-entropy whose mixed second derivative in labels is right."""

import tensorflow as tf


def cross_entropy(targets, logits):
    """Return the mean cross-entropy of label probabilities and logits.

    `tf.nn.softmax_cross_entropy_with_logits`, which Keras' losses call, gives the derivative in the logits as
    an output of its kernel, and the derivative of that output in the labels is left out: what is learned
    about soft labels through a network's gradient would be exactly nothing, without a sign of it.

    Args:
        targets: (examples, classes), rows that add up to 1.
        logits: (examples, classes).

    Returns:
        Scalar tensor, nats.
    """
    return -tf.reduce_mean(tf.reduce_sum(targets * tf.nn.log_softmax(logits), axis=1))

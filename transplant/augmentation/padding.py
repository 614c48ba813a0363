"""What left-padded batches ask of everything that changes them."""

import tensorflow as tf

# A record that begins with zeros looks shorter than it is to a network that finds the padding by them. This is a
# thousandth of the records' deviation: less than a step of a recorder's converter.
_NEARLY_ZERO = 1e-3


def before_record(lengths, time):
    """Return int32 (records, 1) and (1, time): where each record begins, and the positions to compare with it."""
    return (time - lengths)[:, None], tf.range(time)[None]


def pad(x, lengths):
    """Set the padding to 0, and see that no record begins with a 0 in every lead.

    Args:
        x: float32 (records, time, leads).
        lengths: int32 (records,).
    """
    begins, position = before_record(lengths, tf.shape(x)[1])
    silent_start = (position == begins)[..., None] & tf.reduce_all(x == 0, axis=-1, keepdims=True)
    return tf.where((position >= begins)[..., None], tf.where(silent_start, _NEARLY_ZERO, x), 0.0)


def move_right(x, samples):
    """Move each record to the right; what leaves at the end comes in again where the padding will be.

    Whole pieces are copied: taking samples one by one costs three times as much.

    Args:
        x: float32 (records, time, leads).
        samples: int32 (records,), 0 to time.
    """
    records, time, leads = tf.unstack(tf.shape(x))
    pieces = tf.reshape(tf.stack([time - samples, samples], axis=1), [-1])
    in_pieces = tf.RaggedTensor.from_row_lengths(tf.reshape(x, [-1, leads]), pieces, validate=False)
    swapped = tf.bitwise.bitwise_xor(tf.range(2 * records), 1)
    return tf.reshape(tf.gather(in_pieces, swapped).flat_values, tf.shape(x))


def valid_deviation(x, lengths):
    """Return float32 (records, 1, leads), each record's standard deviation without its padding."""
    begins, position = before_record(lengths, tf.shape(x)[1])
    valid = (position >= begins)[:, None]
    count = tf.cast(lengths, x.dtype)[:, None, None]
    lead_by_lead = tf.where(valid, tf.transpose(x, (0, 2, 1)), 0.0)
    mean = tf.reduce_sum(lead_by_lead, axis=-1, keepdims=True) / count
    squares = tf.where(valid, tf.math.squared_difference(lead_by_lead, mean), 0.0)
    return tf.transpose(tf.sqrt(tf.reduce_sum(squares, axis=-1, keepdims=True) / count), (0, 2, 1))

"""The helper that the reports' notebooks import to build a model's inputs."""

import keras


def _is_leaf(shape):
    if isinstance(shape, dict):
        return False
    if isinstance(shape, (list, tuple)):
        return all(size is None or isinstance(size, int) for size in shape)
    return True


def build_input_tensor_from_shape(shape, dtype=None, ignore_batch_dim=True):
    """Build the symbolic input, or the structure of inputs, of a data set's shapes.

    Args:
        shape: one shape (a `tf.TensorShape`, or a tuple or list of sizes and
            None), or a list, tuple or dict of shapes, nested at will.
        dtype: one dtype for all, or the same structure of dtypes. Defaults to
            Keras' float type.
        ignore_batch_dim: leave the first axis of every shape out, because it is
            the batch axis. Defaults to True.

    Returns:
        A `keras.Input`, or a list or dict of them in the structure of `shape`.

    Example:
        >>> x = build_input_tensor_from_shape((None, 2048, 1), dtype="float32")
        >>> x.shape
        (None, 2048, 1)
    """
    if _is_leaf(shape):
        sizes = tuple(shape)[1:] if ignore_batch_dim else tuple(shape)
        return keras.Input(sizes, dtype=getattr(dtype, "name", dtype))
    if isinstance(shape, dict):
        return {
            key: build_input_tensor_from_shape(part, dtype[key] if isinstance(dtype, dict) else dtype, ignore_batch_dim)
            for key, part in shape.items()
        }
    dtypes = dtype if isinstance(dtype, (list, tuple)) else [dtype] * len(shape)
    return [build_input_tensor_from_shape(part, kind, ignore_batch_dim) for part, kind in zip(shape, dtypes)]

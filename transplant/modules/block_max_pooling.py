"""The maximum of blocks, with second derivatives under XLA too."""

import keras


@keras.saving.register_keras_serializable("transplant.block_max_pooling")
class BlockMaxPooling(keras.layers.Layer):
    """Take the maximum of blocks that do not overlap, as max pooling with stride = size does.

    It is a reshape and a maximum over axes: the gradient of TensorFlow's pooling kernel has no gradient
    of its own under `jit_compile`. Where values of a block tie, they share the gradient. What is
    left at the end of an axis is dropped ("valid").

    Args:
        pool_size: length of a block's side. Defaults to 2.
        **kwargs: as `keras.layers.Layer`.

    Call arguments: inputs of shape (batch, time, channels) or (batch, height, width, channels), whose
        axes between the first and the last are known.

    Example:
        >>> BlockMaxPooling(2)(np.ones((2, 9, 8, 3), "float32")).shape
        TensorShape([2, 4, 4, 3])
    """

    def __init__(self, pool_size=2, **kwargs):
        super().__init__(**kwargs)
        self.pool_size = pool_size

    def call(self, inputs):
        """Take the maxima."""
        sizes = [size // self.pool_size for size in inputs.shape[1:-1]]
        kept = (slice(None), *(slice(size * self.pool_size) for size in sizes))
        blocks = [length for size in sizes for length in (size, self.pool_size)]
        x = keras.ops.reshape(inputs[kept], (-1, *blocks, inputs.shape[-1]))
        return keras.ops.max(x, axis=tuple(range(2, 2 + 2 * len(sizes), 2)))

    def compute_output_shape(self, input_shape):
        batch, *sizes, channels = input_shape
        return (batch, *(None if size is None else size // self.pool_size for size in sizes), channels)

    def get_config(self):
        return super().get_config() | {"pool_size": self.pool_size}

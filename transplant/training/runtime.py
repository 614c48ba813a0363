"""Seeds, precision and repeatability of a run."""

import contextlib

import keras


@contextlib.contextmanager
def precision(name):
    """Build models inside the block with a mixed-precision policy.

    Args:
        name: "float16", "bfloat16", or None for float32. Variables and logits
            stay float32; float16 scales the loss by itself.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(f"mixed_{name}" if name else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def seed_everything(seed):
    """Seed Python, NumPy and TensorFlow, for what is not given a seed of its own."""
    keras.utils.set_random_seed(seed)

"""Seeds, precision and repeatability of a run."""

import contextlib
import zlib

import keras
import numpy as np

from transplant.training.weights import is_random_state, named_variables


@contextlib.contextmanager
def precision(name):
    """Build models inside the block with a mixed-precision policy.

    Args:
        name: "float16", "bfloat16", or None for float32. Variables and logits
            stay float32; float16 scales the loss by itself, and the scale is
            among the optimizer's variables in a checkpoint.
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


def seed_random_states(model, seed, epoch):
    """Set the random states of a model's layers, such as dropout's, to what an epoch begins with.

    They depend on the seed, the epoch and the layer's name alone, and count the
    steps within the epoch from there. The devices of a strategy share them:
    row i of each device's part of a batch gets the same mask.

    Args:
        model: a built `keras.Model`.
        seed: of the run.
        epoch: from 0.
    """
    for key, variable in named_variables(model).items():
        if is_random_state(key):
            words = np.random.SeedSequence((seed, epoch, zlib.crc32(key.encode()))).generate_state(1)
            # 31 bits: the state is a signed integer in some versions of Keras.
            variable.assign(np.array([words[0] & 0x7FFFFFFF, 0], variable.dtype))

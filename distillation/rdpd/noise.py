"""Noise on the poor view, to see how a student bears worse sensors.

Command lines import this file for their help, so it imports nothing heavy.
"""

from transplant.errors import OptionError

NORMAL, UNIFORM = "normal", "uniform"
NOISES = {NORMAL: "of variance 1", UNIFORM: "from -1 to 1, as the paper's public code has it"}
_STREAM = {"train": 1, "validation": 2, "test": 3}
_NOISE = 7  # of the random streams of one seed


def add_noise(x, columns, amplitude, kind, seed, part):
    """Return standardised records with noise on some channels: x + amplitude * draw.

    The draws of a part depend on the seed alone, so that a larger amplitude is the same noise, louder.

    Args:
        x: float32 (records, time, channels).
        columns: channels that get it.
        amplitude: in standard deviations of the training records; 0 changes nothing.
        kind: "normal" or "uniform".
        seed: of the draws.
        part: "train", "validation" or "test".

    Raises:
        OptionError: if there is no such noise.

    Source: Hong et al. (2019), figure 4, whose random_normal(-1, 1) is no normal distribution.
    """
    import numpy as np

    if kind not in NOISES:
        raise OptionError(f"noise is {' or '.join(NOISES)}. Received: {kind}")
    if not amplitude or not columns:
        return x
    rng = np.random.default_rng((seed, _NOISE, _STREAM[part]))
    shape = (*x.shape[:2], len(columns))
    draws = rng.normal(size=shape) if kind == NORMAL else rng.uniform(-1, 1, shape)
    x = x.copy()
    x[..., columns] += (amplitude * draws).astype(x.dtype)
    return x

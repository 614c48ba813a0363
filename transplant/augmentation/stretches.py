"""Random stretches of one length, for training on parts of records; numpy alone."""

import numpy as np

from transplant.errors import OptionError


def draw_stretches(lengths, samples, rng):
    """Draw which stretch of each record is shown.

    A record that is longer than a stretch shows `samples` of its samples, any
    of its stretches as likely as another; a shorter one shows itself whole.

    Args:
        lengths: integers (records,), valid samples at the end of each record.
        samples: samples in a stretch.
        rng: `np.random.Generator`.

    Returns:
        int64 (records,), how many samples lie between the stretch and the record's end.

    Raises:
        OptionError: if a stretch has no samples.
    """
    if samples < 1:
        raise OptionError(f"a crop has one sample or more. Received: {samples}; give a number of samples")
    spare = np.maximum(np.asarray(lengths, np.int64) - samples, 0)
    return rng.integers(0, spare + 1)

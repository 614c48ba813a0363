"""How long the training step waits for the input stream."""

import time


class TimedBatches:
    """Iterates over batches and adds up the time until each is there.

    What counts is the time between the moment a batch is asked for and the
    moment it is handed over, the opening of the stream and its end included. On
    a GPU, finish a step (read its loss) before asking for the next batch, or
    computation counts as waiting.

    Args:
        batches: an iterable, e.g. a tf.data.Dataset.
        clock: gives seconds. Defaults to `time.perf_counter`.

    Attributes:
        waited_s: seconds so far.

    Example:
        >>> batches = TimedBatches(dataset)
        >>> for batch in batches: train(batch)
        >>> print(f"{batches.waited_s:.1f} s")
    """

    def __init__(self, batches, clock=time.perf_counter):
        self._batches = batches
        self._clock = clock
        self.waited_s = 0.0

    def __iter__(self):
        asked = self._clock()
        for batch in self._batches:
            self.waited_s += self._clock() - asked
            yield batch
            asked = self._clock()
        self.waited_s += self._clock() - asked

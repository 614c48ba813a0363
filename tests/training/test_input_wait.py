"""The time a step waits for its batch, by a clock that the test moves."""

from transplant.training.input_wait import TimedBatches


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_only_the_time_until_a_batch_is_there_counts():
    clock = Clock()

    def stream():
        clock.now += 4  # opening
        for seconds in (1, 0, 2):
            clock.now += seconds
            yield seconds
        clock.now += 8  # closing

    batches = TimedBatches(stream(), clock)
    seen = []
    for batch in batches:
        clock.now += 50  # training
        seen.append(batch)
    assert seen == [1, 0, 2]
    assert batches.waited_s == 4 + (1 + 0 + 2) + 8
    assert clock.now == 100 + 150 + 15


def test_an_empty_stream_is_waited_for_too():
    clock = Clock()

    def stream():
        clock.now += 3
        yield from ()

    batches = TimedBatches(stream(), clock)
    assert list(batches) == [] and batches.waited_s == 3

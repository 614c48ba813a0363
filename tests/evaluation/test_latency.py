"""Medians of calls by a clock that is made up, and that more work takes longer."""

import os

import keras
import numpy as np
import pytest

from transplant.evaluation import latency
from transplant.evaluation.litert import litert_model


class Clock:
    """Calls that take made-up seconds: by turns, after slow ones that warm up."""

    def __init__(self, *seconds):
        self.now, self.calls, self.seconds = 0.0, 0, seconds

    def perf_counter(self):
        return self.now

    def call(self):
        is_warm = self.calls >= latency.WARM_UP
        self.now += self.seconds[(self.calls - latency.WARM_UP) % len(self.seconds)] if is_warm else 60.0
        self.calls += 1


@pytest.mark.parametrize(
    ("seconds", "median", "calls"),
    [
        ((0.001, 0.002, 0.0015, 0.001), 1.25, 200),
        # The third passes half a second.
        ((0.2, 0.1, 0.3), 200.0, 3),
        ((0.9,), 900.0, 1),
    ],
)
def test_the_median_is_of_warm_calls_and_takes_half_a_second(seconds, median, calls, monkeypatch):
    clock = Clock(*seconds)
    monkeypatch.setattr(latency, "time", clock)
    assert latency.median_ms(clock.call) == pytest.approx(median)
    assert clock.calls == latency.WARM_UP + calls


def dense(units):
    inputs = keras.Input((units,), name="signal")
    return keras.Model(inputs, keras.layers.Dense(units)(inputs))


def test_more_work_takes_longer_and_leaves_the_model_alone():
    small, large = dense(2), dense(2000)
    before = large.get_weights()
    assert 0 < latency.latency_ms(small) < latency.latency_ms(large)
    assert 0 < latency.litert_latency_ms(litert_model(small)) < latency.litert_latency_ms(litert_model(large))
    for was, weight in zip(before, large.get_weights()):
        np.testing.assert_array_equal(was, weight)


def test_threads_are_those_set_or_as_many_as_processors(monkeypatch):
    place = "tensorflow.config.threading.get_intra_op_parallelism_threads"
    monkeypatch.setattr(place, lambda: 3)
    assert latency.processor_threads() == 3
    monkeypatch.setattr(place, lambda: 0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 5}, raising=False)
    assert latency.processor_threads() == 2

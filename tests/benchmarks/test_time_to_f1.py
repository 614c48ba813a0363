"""The benchmark's arithmetic on histories worked by hand."""

import importlib.util
import pathlib

import pandas as pd
import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "benchmarks" / "time_to_f1.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("time_to_f1", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tables(scores, seconds):
    epochs = range(1, len(scores) + 1)
    return pd.DataFrame({"epoch": epochs, "f1": scores}), pd.DataFrame({"epoch": epochs, "cpu_seconds": seconds})


def test_minutes_are_counted_to_the_first_epoch_that_reaches_the_mark(script):
    assert script.minutes_to(*tables([0.2, 0.5, 0.4, 0.6], [60, 30, 30, 60]), 0.5) == 1.5
    assert script.minutes_to(*tables([0.2, 0.5], [60, 30]), 0.51) is None


def test_medians_and_what_never_reaches_the_mark(script):
    paper, slow = tables([0.1, 0.5, 0.4], [60, 60, 60]), tables([0.1, 0.2, 0.3], [6, 6, 6])
    fast = tables([0.5, 0.6, 0.4], [60, 60, 60])
    found = script.summarize(
        [{"paper": paper, "best": fast}, {"paper": paper, "best": fast}, {"paper": paper, "best": slow}]
    )
    assert found["mark"] == [0.5] * 3 and found["cpu_minutes"]["best"] == [1.0, 1.0, None]
    assert found["reached"] == {"paper": 3, "best": 2} and found["best_over_paper"] == 0.5
    never = script.summarize([{"paper": paper, "best": slow}])
    assert never["median"]["best"] is None and never["best_over_paper"] is None

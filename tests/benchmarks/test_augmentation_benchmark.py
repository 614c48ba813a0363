"""The augmentation benchmark: its peer does the same to a record, and its output is a table and one line of JSON."""

import importlib.util
import json
import pathlib
import sys

import numpy as np
import pytest
import tensorflow as tf

from transplant.augmentation.augmentation import TRANSFORMS, Augmentation
from transplant.augmentation.crop import Crop
from transplant.augmentation.cutout import Cutout
from transplant.augmentation.mains import Mains
from transplant.augmentation.noise import Noise
from transplant.augmentation.resample import Resample
from transplant.augmentation.scale import Scale
from transplant.augmentation.shift import Shift
from transplant.augmentation.wander import Wander

SCRIPT = pathlib.Path(__file__).parents[2] / "benchmarks" / "augmentation.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("augmentation_benchmark", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["augmentation_benchmark"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["augmentation_benchmark"]


@pytest.fixture(scope="module")
def record():
    x = np.random.default_rng(0).normal(size=(2048, 1)).astype(np.float32)
    x[:48] = 0
    return x


def in_graph(record, augmentation):
    y, lengths = augmentation(tf.constant(record[None]), tf.constant([2000]), 250.0, 0, 0, 0)
    return y[0].numpy(), int(lengths[0])


@pytest.mark.parametrize(
    "transform",
    [Resample(1.0, (0.9, 0.9)), Shift(1.0, (0.5, 0.5)), Scale(1.0, (1.3, 1.3)), TRANSFORMS["flip"](1.0)],
    ids=lambda transform: transform.name,
)
def test_both_give_the_same_record_where_nothing_is_left_to_chance(script, record, transform):
    augmentation = Augmentation((transform,))
    peer = script.augment_record(record, 2000, augmentation, np.random.default_rng(0))
    ours, _ = in_graph(record, augmentation)
    np.testing.assert_allclose(peer, ours, atol=2e-3)


@pytest.mark.parametrize(
    "transform",
    [Noise(1.0, (15.0, 15.0)), Mains(1.0, (50.0,), (0.2, 0.2)), Wander(1.0), Cutout(1.0, (0.4, 0.4)), Crop(1.0)],
    ids=lambda transform: transform.name,
)
def test_both_change_a_record_as_much(script, record, transform):
    augmentation = Augmentation((transform,))
    results = (
        script.augment_record(record, 2000, augmentation, np.random.default_rng(0)),
        in_graph(record, augmentation)[0],
    )
    for result in results:
        assert result.shape == record.shape and result.dtype == np.float32 and not result[:48].any()
        if transform.name == "cutout":
            assert (result[48:] == 0).sum() == 100
        elif transform.name == "crop":
            assert 1200 <= np.count_nonzero(result) < 2000
    if transform.name in ("noise", "mains"):
        deviations = [(result - record)[48:].std() for result in results]
        assert deviations[0] == pytest.approx(deviations[1], rel=1e-3)


def test_the_peer_knows_every_transform(script):
    assert tuple(script.ONE_BY_ONE) == tuple(TRANSFORMS)


def test_summary_takes_medians_and_ratios(script):
    speeds = {
        "ours": [(90.0, 1.0), (300.0, 7.0), (100.0, 2.0)],
        "generator": [(5.0, 1.0), (4.0, 1.0), (1.0, 1.0)],
        "numpy": [(40.0, 1.0)] * 3,
    }
    values = script.summarize(speeds)
    assert values["records_per_cpu_second"] == {"ours": 100, "generator": 4, "numpy": 40}
    assert values["lowest_and_highest"]["ours"] == [90, 300]
    assert values["records_per_second"]["ours"] == 2
    assert (values["ours_over_generator"], values["ours_over_numpy"]) == (25.0, 2.5)


def test_a_run_ends_in_one_line_of_json(script, monkeypatch, capsys):
    monkeypatch.setattr(script, "QUICK", script.Size(repeats=1, at_least_s=0.001))
    assert script.main(["--quick", "--batch-size", "2", "--length", "512"]) == 0
    lines = capsys.readouterr().out.strip().split("\n")
    assert "numpy a record, from_generator" in "\n".join(lines[:-1])
    result = json.loads(lines[-1])
    assert (result["benchmark"], result["batch_size"], result["length"]) == ("augmentation", 2, 512)
    assert set(result["records_per_cpu_second"]) == {"ours", "generator", "numpy"}

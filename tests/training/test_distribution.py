"""Two devices against one, in a process of its own: logical devices are set before TensorFlow starts."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import transplant
from transplant.errors import OptionError
from transplant.training.distribution import check_batch_size, training_strategy

pytestmark = pytest.mark.slow

TESTS = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    paths = [TESTS, pathlib.Path(transplant.__file__).parents[1]]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "CUDA_VISIBLE_DEVICES": "",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    command = [sys.executable, TESTS / "training" / "two_devices.py", tmp_path_factory.mktemp("jobs")]
    done = subprocess.run(command, capture_output=True, check=False, env=environment, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_cpu_is_one_device_unless_more_are_asked_for(found):
    assert found["replicas"] == [1, 2] and found["same object"]


@pytest.mark.parametrize("rows", ["even", "odd"])
def test_two_devices_train_as_one(rows, found):
    one, two = found[rows]
    assert one["weights"].keys() == two["weights"].keys() and len(one["weights"]) >= 7
    for path, values in one["weights"].items():
        np.testing.assert_allclose(two["weights"][path], values, rtol=1e-4, atol=1e-6, err_msg=path)
    for name, value in one["values"].items():
        assert two["values"][name] == pytest.approx(value, rel=1e-4)


def test_two_devices_predict_as_one(found):
    one, two = found["even"]
    for predicted, expected in zip(two["predictions"], one["predictions"]):
        assert np.shape(expected) == (9, 3)
        np.testing.assert_allclose(predicted, expected, rtol=1e-4, atol=1e-6)


def test_gradients_are_clipped_after_they_are_added(found):
    np.testing.assert_allclose(np.array(found["clipped"]) * -1e6, [2.7, 3.6], rtol=1e-4)


def test_an_overflow_on_one_device_leaves_the_step_out_on_both(found):
    (moved, state), (stayed, halved) = found["finite"], found["overflow"]
    assert moved[0] < 0 and state["dynamic_scale"] == 2.0**15 and state["step_counter"] == 1
    assert stayed == [0.0, 0.0] and halved["dynamic_scale"] == 2.0**14 and halved["step_counter"] == 0


def test_a_run_with_an_average_goes_on_under_a_strategy(found):
    parts, whole = found["resumed"]
    assert len(whole["history"]) == 3
    for a, b in zip(parts["history"], whole["history"]):
        assert a == pytest.approx(b, rel=1e-4)
    np.testing.assert_allclose(parts["conv"], whole["conv"], rtol=1e-4, atol=1e-6)


def test_what_does_not_fit_the_devices_is_refused(found):
    assert "at most 2, the CPUs that there are. Received: 3" in found["refused"][0]
    assert "--batch-size 5 for 2 devices" in found["refused"][1]


def test_more_devices_than_there_are_are_refused_here_too():
    with pytest.raises(OptionError, match="--devices must be at most"):
        training_strategy(64)
    check_batch_size(training_strategy(1), 7)

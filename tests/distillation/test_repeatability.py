"""A distillation through networks side by side is the same, bit by bit, in every process."""

import subprocess
import sys

import numpy as np
import pytest

from transplant.datasets.labelled_set import LabelledSet

OPTIONS = ["--method", "vanilla", "--arch", "lenet", "--networks", "8", "--ipc", "10", "--init", "random"]
OPTIONS += ["--distill-steps", "1", "--distill-epochs", "1", "--real-batch", "1024", "--iterations", "4"]


def images(n, seed, first):
    rng = np.random.default_rng(seed)
    names = [f"image{number}" for number in range(first, first + n)]
    return LabelledSet(
        x=rng.integers(256, size=(n, 28, 28, 1)).astype(np.uint8), lengths=np.full(n, 28), y=np.arange(n) % 10,
        classes=[str(digit) for digit in range(10)], record_ids=names, group_ids=names, sampling_rate_hz=None,
        leads=("grey",), dataset="made", label_version="made", unit="grey level",
    )  # fmt: skip


@pytest.mark.slow
def test_three_processes_distil_the_same(tmp_path):
    images(1200, 0, 0).save(tmp_path / "train.npz")
    images(100, 1, 1200).save(tmp_path / "test.npz")
    command = [sys.executable, "-m", "distillation.condensation.trainer", *OPTIONS]
    command += ["--train", str(tmp_path / "train.npz"), "--test", str(tmp_path / "test.npz")]
    found = []
    for job in "abc":
        subprocess.run([*command, "--job-dir", str(tmp_path / job)], check=True, capture_output=True)
        with np.load(tmp_path / job / "distilled.npz") as file:
            found.append(file["x"])
    assert np.ptp(found[0]) > 0
    assert all(np.array_equal(found[0], other) for other in found[1:])

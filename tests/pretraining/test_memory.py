"""A stream's own memory does not grow with the number of patients."""

import subprocess
import sys

import pytest

from pretraining.preparation import prepare_store
from pretraining.sources import SyntheticSource

PROGRAM = """
import sys
from transplant.training.quiet_start import start_tensorflow
start_tensorflow()
from pretraining.streams import frame_dataset
from pretraining.store import Store
from transplant.tasks.task import default_options, get_task
store = Store.open(sys.argv[1])
normalization = store.normalization(store.patients)
# 200 batches of 64 frames, 20 a patient: 640 visits, more than two passes over 300 patients.
task = get_task("beat")
dataset = frame_dataset(store, store.patients, task, default_options(task, 2048), normalization, 64, 20, 0, 200)
for _ in dataset:
    pass
print(next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("RssAnon")))
"""

EPOCHS = """
import sys
from transplant.training.quiet_start import start_tensorflow
start_tensorflow()
from pretraining.store import Store
from pretraining.streams import frame_dataset
from transplant.tasks.task import default_options, get_task
store = Store.open(sys.argv[1])
normalization = store.normalization(store.patients)
task = get_task("beat")
for epoch in range(int(sys.argv[2])):
    for _ in frame_dataset(
        store, store.patients, task, default_options(task, 2048), normalization, 256, 20, 0, 8, first_step=epoch * 8
    ):
        pass
print(next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("RssAnon")))
"""


def anonymous_mib(store, program=PROGRAM, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", program, str(store), *arguments], capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[-1]) / 1024


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/status")
def test_anonymous_memory_from_3_to_300_patients(tmp_path):
    for patients in (3, 300):
        prepare_store(SyntheticSource(patients, 600.0, 1), tmp_path / str(patients), log=lambda line: None)
    few, many = anonymous_mib(tmp_path / "3"), anonymous_mib(tmp_path / "300")
    print(f"anonymous memory: {few:.0f} MiB with 3 patients, {many:.0f} MiB with 300")
    assert many - few < 100


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/status")
def test_epochs_leave_no_memory_behind(small_store):
    """A batch has 2 MiB and a stream five of them at a time: 60 streams that kept theirs would hold 600 MiB."""
    assert anonymous_mib(small_store, EPOCHS, "64") - anonymous_mib(small_store, EPOCHS, "4") < 100

"""A run that was ended and goes on ends with the same bits, with everything that keeps state switched on."""

import json
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
from small_run import EPOCHS, build_model, compile_classifier, run
from test_resume import KILLERS, PREAMBLE, assert_same_job

import finetuning.trainer
from finetuning.data import synthetic_set
from transplant.errors import JobError
from transplant.training.optimization import OptimizerSettings, build_optimizer
from transplant.training.runtime import precision

pytestmark = pytest.mark.slow

COMFORTS = {
    "dropout": OptimizerSettings(),
    "average": OptimizerSettings(0.05, ema=0.8),
    "everything": OptimizerSettings(0.05, "cosine", 4, 0.1, 0.01, 0.8),
}


@pytest.mark.parametrize("name", COMFORTS)
def test_ended_twice_and_resumed_is_bit_equal(name, tmp_path):
    run(tmp_path / "whole", COMFORTS[name])
    for stop_after in (1, 2):
        run(tmp_path / "ended", COMFORTS[name], stop_after=stop_after)
        assert len(list((tmp_path / "ended").glob("epoch_*"))) == stop_after
    run(tmp_path / "ended", COMFORTS[name])
    assert_same_job(tmp_path / "ended", tmp_path / "whole")


def test_dropout_falls_anew_in_every_epoch_and_with_every_seed(tmp_path):
    """Else a resumed epoch could only agree because nothing depends on the mask."""
    run(tmp_path)
    states = {}
    for epoch in range(1, EPOCHS + 1):
        with np.load(tmp_path / f"epoch_{epoch:02d}" / "weights.npz", allow_pickle=False) as arrays:
            states[epoch] = tuple(arrays["dropout/random_state"])
    assert len({seed for seed, _ in states.values()}) == EPOCHS
    # Counted from 0 in each: three steps.
    assert {steps for _, steps in states.values()} == {3}


def scaled_model(scale, growth_steps):
    with precision("float16"):
        model = build_model(dropout=0.4)
        inner = build_optimizer(OptimizerSettings(0.05), EPOCHS * 3)
        compile_classifier(model, keras.optimizers.LossScaleOptimizer(inner, scale, growth_steps))
    return model


def scale_and_counter(job, epoch):
    with np.load(job / f"epoch_{epoch:02d}" / "optimizer.npz", allow_pickle=False) as arrays:
        keys = {key.rsplit("/", 1)[-1]: key for key in arrays.files}
        return float(arrays[keys["dynamic_scale"]]), int(arrays[keys["step_counter"]])


def test_a_growing_loss_scale_goes_on_where_it_was(tmp_path):
    run(tmp_path / "whole", model=scaled_model(4.0, 4))
    run(tmp_path / "ended", model=scaled_model(4.0, 4), stop_after=2)
    # Doubled after steps 4 and 8; six steps are done after epoch 2, nine after epoch 3.
    assert scale_and_counter(tmp_path / "ended", 2) == (8.0, 2)
    run(tmp_path / "ended", model=scaled_model(4.0, 4))
    assert scale_and_counter(tmp_path / "ended", 3) == (16.0, 1)
    assert_same_job(tmp_path / "ended", tmp_path / "whole")


def test_a_shrinking_loss_scale_goes_on_where_it_was(tmp_path):
    run(tmp_path / "whole", model=scaled_model(2.0**60, 100))
    run(tmp_path / "ended", model=scaled_model(2.0**60, 100), stop_after=2)
    run(tmp_path / "ended", model=scaled_model(2.0**60, 100))
    # float16 ends at 2**16: no gradient was finite, every step was left out and halved the scale.
    assert scale_and_counter(tmp_path / "ended", 3) == (2.0**51, 0)
    assert_same_job(tmp_path / "ended", tmp_path / "whole")
    with np.load(tmp_path / "ended" / "epoch_03" / "weights.npz", allow_pickle=False) as arrays:
        assert np.array_equal(arrays["conv/kernel"], build_model().get_layer("conv").kernel.numpy())


def test_bfloat16_has_no_scale_and_resumes(tmp_path):
    def model():
        with precision("bfloat16"):
            return compile_classifier(build_model(dropout=0.4), build_optimizer(OptimizerSettings(0.05), EPOCHS * 3))

    run(tmp_path / "whole", model=model())
    run(tmp_path / "ended", model=model(), stop_after=1)
    run(tmp_path / "ended", model=model())
    with np.load(tmp_path / "ended" / "epoch_03" / "optimizer.npz", allow_pickle=False) as arrays:
        assert arrays.files and not any("scale" in key for key in arrays.files)
    assert_same_job(tmp_path / "ended", tmp_path / "whole")


def test_a_checkpoint_without_its_raw_weights_is_named(tmp_path):
    settings = COMFORTS["average"]
    run(tmp_path, settings, stop_after=2)
    (tmp_path / "epoch_02" / "raw_weights.npz").unlink()
    with pytest.raises(JobError, match="epoch_02: damaged checkpoint"):
        run(tmp_path, settings)


ALL_FLAGS = [
    *("--stages", "1", "--epochs", "4", "--batch-size", "8", "--val-size", "0.25", "--mixed-precision", "float16"),
    *("--schedule", "cosine", "--warmup-steps", "2", "--weight-decay", "0.01", "--clip-norm", "1", "--ema", "0.9"),
    "--tensorboard",
]


@pytest.fixture
def short_set(tmp_path):
    """A labelled set of 32 records of half a second: a processor takes its time over float16."""
    synthetic_set(7, 32, length=128).save(tmp_path / "set.npz")
    return tmp_path / "set.npz"


# Where within the epoch it is killed makes no difference to what it goes on from: test_resume.py has those moments.
def test_killed_with_every_flag_and_resumed_is_bit_equal(short_set, tmp_path):
    arguments = [*ALL_FLAGS, "--train", str(short_set)]
    assert finetuning.trainer.main([*arguments, "--job-dir", str(tmp_path / "whole")]) == 0
    killed = [*arguments, "--job-dir", str(tmp_path / "killed")]
    program = f"{PREAMBLE}{KILLERS['inside an epoch']}\nimport finetuning.trainer\nfinetuning.trainer.main({killed!r})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]
    assert finetuning.trainer.main([*killed, "--resume"]) == 0
    assert_same_job(tmp_path / "killed", tmp_path / "whole")
    metrics = [json.loads((tmp_path / job / "metrics.json").read_text()) for job in ("killed", "whole")]
    assert metrics[0] == metrics[1]

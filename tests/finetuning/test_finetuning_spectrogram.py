"""Fine-tuning the network that takes a spectrogram: options, weights, the saved model."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from backbone_file import write_backbone

from finetuning import trainer
from transplant.datasets.labelled_set import LabelledSet
from transplant.signals.spectrogram import SpectrogramSettings
from transplant.training.weights import read_weights
from transplant.utils import read_predictions

pytestmark = pytest.mark.slow

SMALL = ["--stages", "1", "--batch-size", "16", "--val-size", "0.25", "--epochs", "1"]
DRAFT = ["--arch", "resnet18_2d", "--spectrogram", "draft", "--bins", "32"]


def run(train, job, *options):
    return trainer.main([*SMALL, "--train", str(train), "--job-dir", str(job), *options])


@pytest.fixture(scope="module")
def finished(small_set, tmp_path_factory):
    job = tmp_path_factory.mktemp("finetuning") / "job"
    assert run(small_set, job, *DRAFT) == 0
    return job


def test_the_job_says_which_spectrogram_its_model_sees(finished):
    description = read_weights(finished / "best_weights.npz").description
    assert description.architecture == "resnet18_2d"
    assert description.spectrogram == {"preset": "draft", "window": 256, "hop": 64, "bins": 32}
    assert SpectrogramSettings.from_dict(description.spectrogram) == SpectrogramSettings("draft", 32)


LOAD_ELSEWHERE = """
import sys
import transplant
import keras, numpy as np
model = keras.saving.load_model(sys.argv[1])
layer = model.get_layer("backbone").get_layer("spectrogram")
assert (layer.hop, layer.bins) == (64, 32)
np.save(sys.argv[3], model.predict(np.load(sys.argv[2]), verbose=0))
"""


def test_the_saved_model_predicts_in_a_fresh_process_what_was_reported(finished, small_set, tmp_path):
    data = LabelledSet.load(small_set)
    predictions = read_predictions(finished / "val_predictions.csv")
    rows = [data.record_ids.tolist().index(name) for name in predictions["record_names"]]
    normalization = read_weights(finished / "best_weights.npz").description.normalization
    np.save(tmp_path / "x.npy", data.select(rows).standardized(normalization))
    arguments = [str(path) for path in (finished / "best_model.keras", tmp_path / "x.npy", tmp_path / "logits.npy")]
    done = subprocess.run(
        [sys.executable, "-c", LOAD_ELSEWHERE, *arguments], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    logits = np.load(tmp_path / "logits.npy")
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, predictions["y_prob"], atol=1e-5)


def test_a_pretrained_backbone_of_the_same_spectrogram_is_where_it_begins(finished, small_set, tmp_path, capsys):
    weights = write_backbone(tmp_path / "w.npz", "resnet18_2d", spectrogram=SpectrogramSettings("draft", 32))
    assert run(small_set, tmp_path / "job", *DRAFT, "--weights-file", weights) == 0
    output = capsys.readouterr().out
    assert "loaded 30 of 30 backbone tensors" in output
    assert "spectrogram: draft (window 256, hop 64, 32 bins)" in output
    losses = [pd.read_csv(job / "history.csv")["loss"][0] for job in (finished, tmp_path / "job")]
    assert losses[0] != losses[1]


@pytest.mark.parametrize(
    ("arch", "settings", "said"),
    [
        ("resnet18", None, "architecture resnet18, this run resnet18_2d"),
        ("resnet18_2d", SpectrogramSettings("final", 32), "'hop': 32"),
        ("resnet18_2d", SpectrogramSettings("draft"), "'bins': 64"),
    ],
)
def test_a_backbone_of_another_input_is_refused(arch, settings, said, small_set, tmp_path, capsys):
    weights = write_backbone(tmp_path / "w.npz", arch, spectrogram=settings)
    assert run(small_set, tmp_path / "job", *DRAFT, "--weights-file", weights) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("error: ") and said in line and "w.npz" in line


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--spectrogram", "draft"], "spectrogram=draft"),
        (["--bins", "64"], "bins=64"),
        (["--arch", "resnet18_2d", "--bins", "129"], "bins=129"),
    ],
)
def test_a_spectrogram_that_the_network_cannot_have_is_one_line(options, said, small_set, tmp_path, capsys):
    assert run(small_set, tmp_path / "job", *options) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and said in lines[0]
    assert not (tmp_path / "job").exists()

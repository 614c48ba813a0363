"""The cells of the reports' notebooks, as they stand there, on small files in the torrent's layout."""

import itertools

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from icentia_files import make_patient, write_unzipped, write_zipped

from pretraining import datasets
from transplant.datasets.icentia11k_files import Icentia11kFiles
from transplant.tasks.annotations import AnnotationAxis, SegmentAnnotations
from transplant.tasks.task import get_task

WRITERS = {"zipped": write_zipped, "unzipped": write_unzipped}


@pytest.fixture(scope="module")
def layouts(tmp_path_factory):
    """The same two patients in a folder of each layout, by its name."""
    folders = {name: tmp_path_factory.mktemp(name) for name in WRITERS}
    for number in range(2):
        patient = make_patient(number, segments=2, samples=24_000)
        for name, write in WRITERS.items():
            write(folders[name], number, *patient)
    return folders


@pytest.fixture(params=WRITERS)
def DB(request, layouts):
    return layouts[request.param]


def axis_of(record):
    return AnnotationAxis(
        [
            SegmentAnnotations(
                len(record.signal), record.beat_positions, record.beat_classes, record.rhythm_starts,
                record.rhythm_ends, record.rhythm_classes, record.rhythm_known_until,
            )
        ],
        250,
    )  # fmt: skip


def test_the_cell_that_looks_at_frames(DB):
    generator = datasets.beat_generator(
        DB, patient_ids=[0], frame_size=4096, normalize=True, unzipped=True, samples_per_patient=1
    )
    files = Icentia11kFiles(DB)
    records = [files.read(key) for key in files.patients()["0"]]
    for frame, label in itertools.islice(generator, 8):
        assert frame.shape == (4096, 1) and frame.dtype == np.float32
        assert datasets.icentia11k.ds_beat_names[label] in ("undefined", "normal", "pac", "aberrated", "pvc")
        # Found again in the files, in mV standardised by the paper's constants, with the label it has there.
        found = []
        for record in records:
            standard = (record.signal[:, 0] - 0.0018) / 1.3711
            starts = np.flatnonzero(np.abs(standard[:-4095] - frame[0, 0]) < 1e-5)
            found += [(record, s) for s in starts if np.allclose(standard[s : s + 4096], frame[:, 0], atol=1e-5)]
        ((record, start),) = found
        assert label == get_task("beat").label_frames(axis_of(record), np.array([start]), 4096)[0]


def test_the_cell_that_builds_and_trains(layouts):
    from transplant.modules.resnet1d import ResNet
    from transplant.modules.utils import build_input_tensor_from_shape

    train_data = datasets.beat_dataset(
        db_dir=layouts["unzipped"], patient_ids=[0], frame_size=2048, unzipped=True, samples_per_patient=2048
    )
    assert train_data.element_spec == (tf.TensorSpec((2048, 1), tf.float32), tf.TensorSpec((), tf.int32))
    train_data = train_data.batch(4)
    feature_extractor = keras.Sequential(
        [
            ResNet(num_outputs=None, blocks=(2, 2, 2, 2), kernel_size=(7, 5, 5, 3), include_top=False),
            keras.layers.GlobalAveragePooling1D(),
        ]
    )
    model = keras.Sequential([feature_extractor, keras.layers.Dense(5)])
    inputs = build_input_tensor_from_shape(
        tf.compat.v1.data.get_output_shapes(train_data)[0], dtype=tf.float32, ignore_batch_dim=True
    )
    model(inputs)
    assert f"# model parameters: {model.count_params():,d}" == "# model parameters: 4,495,045"
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == 4_485_445
    model.compile(
        keras.optimizers.Adam(), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    history = model.fit(train_data.take(1), verbose=0)
    assert np.isfinite(history.history["loss"][0])


def test_the_cell_of_the_spectrograms(layouts):
    from transplant.datasets.icentia11k_spectrogram import spectrogram_preprocessor
    from transplant.modules.resnet2d import ResNet18_2D

    frame, _ = next(iter(datasets.beat_generator(layouts["zipped"], patient_ids=[0], frame_size=4096)))
    assert spectrogram_preprocessor(frame, frame_size=4096).shape == (128, 128, 1)
    small = spectrogram_preprocessor(frame, frame_size=4096, preset="draft")
    model = ResNet18_2D(num_classes=5)
    model.build((None, 64, 64, 1))
    assert (model.count_params(), sum(int(np.prod(w.shape)) for w in model.trainable_weights)) == (
        11_187_205,
        11_177_605,
    )
    assert model.predict(small[None], verbose=0).shape == (1, 5)


@pytest.mark.parametrize("name", ["rhythm", "heart_rate"])
def test_the_other_tasks_have_the_same_door(DB, name):
    dataset = getattr(datasets, f"{name}_dataset")(DB, [0, 1], frame_size=1000, samples_per_patient=2, seed=1)
    frames, labels = next(iter(dataset.batch(16)))
    assert frames.shape == (16, 1000, 1) and labels.shape == (16,)
    frame, label = next(iter(getattr(datasets, f"{name}_generator")(DB, [0, 1], frame_size=1000, seed=1)))
    assert frame.shape == (1000, 1) and isinstance(label, int)


def test_predictive_coding_has_it_too(DB):
    dataset = datasets.cpc_dataset(DB, [0, 1], frame_size=500, context_size=4, ns=2, positive_offset=1)
    inputs, label = next(iter(dataset))
    assert inputs["context"].shape == (4, 500, 1) and inputs["samples"].shape == (3, 500, 1) and int(label) < 3


def test_the_cells_that_read_what_a_job_left(tmp_path, small_set):
    from finetuning import trainer
    from transplant.utils import read_predictions

    job = tmp_path / "job"
    options = ["--train", str(small_set), "--val-size", "0.25", "--arch", "logistic"]
    assert trainer.main([*options, "--epochs", "2", "--job-dir", str(job)]) == 0
    history = pd.read_csv(job / "history.csv")
    assert history[["epoch", "f1"]].shape == (2, 2)
    predictions = read_predictions(job / "val_predictions.csv")
    assert {"y_true", "y_prob", "classes"} <= predictions.keys()

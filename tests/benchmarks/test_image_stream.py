"""The image benchmark: what it compares does the same, and its output is tables and one line of JSON."""

import importlib.util
import json
import pathlib
import sys

import keras
import numpy as np
import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "benchmarks" / "image_stream.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("image_stream", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["image_stream"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["image_stream"]


@pytest.fixture(scope="module")
def made(script, tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    script.make_images(folder, 6)
    return folder


def test_made_images_are_listed_by_class_and_name(script, made):
    files, labels = script.list_images(made)
    assert [file.parent.name for file in files[::6]] == list(script.CLASSES)
    assert labels == [label for label in range(6) for _ in range(6)]
    assert [file.name for file in files[:2]] == ["000000.jpeg", "000001.jpeg"]


def test_all_ways_decode_all_images(script, made):
    files, _ = script.list_images(made)
    np.testing.assert_array_equal(script.decode_ours(files)[..., 0], script.decode_pillow(files))
    assert script.decode_keras(made) == len(files) == 36


def test_the_model_is_a_logistic_regression_and_both_ways_train_it(script, made):
    files, labels = script.list_images(made)
    model = script.build_logistic(6)
    assert model.count_params() == 64 * 64 * 6 + 6
    weights, bias = (np.asarray(weight) for weight in model.get_weights())
    images = script.decode_ours(files[:2])
    expected = images.reshape(2, -1) / 255 @ weights + bias
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model(images)), expected, atol=1e-4)
    work = script.epochs(script.decode_ours(files), np.array(labels, np.int32))
    first = work["ours"]()["loss"]
    for _ in range(5):
        last = work["ours"]()["loss"]
    assert last < first
    history = work["fit"]().history["loss"][0]
    assert history == pytest.approx(first, rel=0.2)


def test_summary_takes_medians_ratios_and_the_epoch(script):
    values = script.summarize({"ours": [(2100.0, 1.0), (9000.0, 7.0), (2000.0, 2.0)], "fit": [(700.0, 3.0)] * 3})
    assert values["images_per_cpu_second"] == {"ours": 2100, "fit": 700}
    assert values["ours_over_fit"] == 3.0
    assert script.epoch_seconds(values) == {"ours": 20.0, "fit": 60.0}


@pytest.mark.parametrize("with_source", [False, True])
def test_a_run_ends_in_one_line_of_json(script, made, monkeypatch, capsys, with_source):
    monkeypatch.setattr(script, "QUICK", script.Size(repeats=1, at_least_s=0.001, made=4, epoch=16))
    assert script.main(["--quick", *(["--source", str(made)] if with_source else [])]) == 0
    *table, last = capsys.readouterr().out.strip().split("\n")
    result = json.loads(last)
    assert (result["benchmark"], result["made"], result["images"]) == (
        "image_stream",
        not with_source,
        36 if with_source else 24,
    )
    assert set(result["decoding"]["images_per_cpu_second"]) == {"ours", "keras", "pillow"}
    assert set(result["training"]["images_per_cpu_second"]) == {"ours", "fit"}
    assert any("image_dataset_from_directory" in line and "x" in line for line in table)
    assert any(line.startswith("an epoch of 42,000 images: ours ") for line in table)


def test_a_folder_without_images_is_one_line(script, tmp_path, capsys):
    assert script.main(["--quick", "--source", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}: a folder of class folders of JPEG is needed")

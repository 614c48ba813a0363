"""The weights file: what goes in comes out, and nothing else gets in."""

import dataclasses
import json
import zipfile

import keras
import numpy as np
import pytest

from transplant.errors import WeightsError
from transplant.modules.classifier import build_classifier
from transplant.signals.normalization import Normalization
from transplant.training.description import ModelDescription, collect_versions
from transplant.training.weights import assign_weights, named_variables, read_weights, save_weights


@pytest.fixture
def description():
    return ModelDescription(
        architecture="resnet18",
        stages=1,
        leads=("II",),
        sampling_rate_hz=250.0,
        unit="mV",
        normalization=Normalization("zscore", "train", (0.1,), (0.7,)),
        input_length=2048,
        task="beat",
        classes=("undefined", "normal", "pac", "aberrated", "pvc"),
        data={"name": "synthetic", "fingerprint": "ab12", "label_version": None},
        seed=2024,
    )


def small_classifier(seed):
    return build_classifier("resnet18", 5, stages=1, seed=seed)


def with_random_moments(model, seed=0):
    rng = np.random.default_rng(seed)
    for variable in model.non_trainable_variables:
        variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return model


def test_a_description_survives_json(description):
    again = ModelDescription.from_json(description.to_json())
    assert again == description
    assert again.normalization == Normalization("zscore", "train", (0.1,), (0.7,))
    assert json.loads(description.to_json())["leads"] == ["II"]


def test_versions_are_those_of_the_loaded_libraries():
    versions = collect_versions()
    assert sorted(versions) == ["keras", "numpy", "python", "tensorflow", "transplant"]
    assert versions["keras"] == keras.__version__
    assert versions["numpy"] == np.__version__


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "another"}, "Received: 'another'"),
        ({"filter_hz": 40}, "filter_hz"),
        ({"unit": None}, "unit"),
    ],
)
def test_a_description_with_wrong_fields_is_refused(description, change, message):
    values = description.to_dict() | change
    values = {key: value for key, value in values.items() if value is not None or key in ("data", "spectrogram")}
    with pytest.raises(WeightsError, match=message):
        ModelDescription.from_dict(values, "w.npz")


def test_weights_and_moments_come_back(tmp_path, description):
    path = tmp_path / "w.npz"
    saved, other = with_random_moments(small_classifier(1)), small_classifier(2)
    save_weights(path, saved, description)
    weights = read_weights(path)
    assert weights.description == description
    assert weights.path == path
    assert weights.arrays["stem_conv/kernel"].shape == (7, 1, 64)
    assert {"stem_bn/gamma", "stem_bn/beta", "stem_bn/moving_mean", "stem_bn/moving_variance", "head/bias"} < set(
        weights.arrays
    )
    assert len(weights.arrays) == len(saved.variables) == 5 * 5 + 2
    assign_weights(other, weights)
    for a, b in zip(saved.variables, other.variables):
        assert np.array_equal(a.numpy(), b.numpy())


def test_the_optimizer_and_metrics_are_no_part_of_the_file(tmp_path, description):
    model = small_classifier(0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    model.train_on_batch(np.zeros((2, 64, 1), np.float32), np.zeros(2, np.int32))
    save_weights(tmp_path / "w.npz", model, description)
    assert len(read_weights(tmp_path / "w.npz").arrays) == 27


def test_a_file_is_plain_npz_without_pickles(tmp_path, description):
    save_weights(tmp_path / "w.npz", small_classifier(0), description)
    with np.load(tmp_path / "w.npz", allow_pickle=False) as archive:
        assert json.loads(str(archive["description"]))["task"] == "beat"
        assert {archive[key].dtype.kind for key in archive.files} == {"f", "U"}


def dropout_model():
    inputs = keras.Input((8,))
    x = keras.layers.Dropout(0.5, seed=7, name="drop_a")(inputs)
    x = keras.layers.Dropout(0.5, seed=8, name="drop_b")(x)
    return keras.Model(inputs, keras.layers.Dense(2, name="head")(x), name="dropped")


def test_dropout_goes_on_where_it_stopped(tmp_path, description):
    x = np.ones((4, 8), np.float32)
    model = dropout_model()
    model(x, training=True)
    save_weights(tmp_path / "w.npz", model, description)
    expected = [model(x, training=True).numpy() for _ in range(3)]
    weights = read_weights(tmp_path / "w.npz")
    assert {"drop_a/random_state", "drop_b/random_state"} < set(weights.arrays)
    resumed = dropout_model()
    assign_weights(resumed, weights)
    assert np.array_equal([resumed(x, training=True).numpy() for _ in range(3)], expected)


def test_composite_layers_keep_their_inner_names():
    inputs = keras.Input((5, 4))
    x = keras.layers.MultiHeadAttention(2, 2, name="attention")(inputs, inputs)
    inner = keras.Model(inputs, x, name="inner")
    model = keras.Sequential([keras.Input((5, 4)), inner, keras.layers.LSTM(3, name="lstm")])
    assert set(named_variables(model)) == {
        *(
            f"attention/{part}/{kind}"
            for part in ("query", "key", "value", "attention_output")
            for kind in ("kernel", "bias")
        ),
        *(f"lstm/lstm_cell/{kind}" for kind in ("kernel", "recurrent_kernel", "bias")),
        "lstm/random_state",
    }


def test_two_layers_of_one_name_are_refused(tmp_path, description):
    backbones = []
    for name in ("left", "right"):
        inputs = keras.Input((3,))
        backbones.append(keras.Model(inputs, keras.layers.Dense(3, name="dense")(inputs), name=name))
    inputs = keras.Input((3,))
    model = keras.Model(inputs, backbones[1](backbones[0](inputs)))
    with pytest.raises(WeightsError, match="dense/kernel twice"):
        save_weights(tmp_path / "w.npz", model, description)
    assert list(tmp_path.iterdir()) == []


def test_a_model_used_twice_is_saved_once():
    inputs = keras.Input((3,))
    shared = keras.Model(inputs, keras.layers.Dense(3, name="dense")(inputs), name="shared")
    inputs = keras.Input((3,))
    assert list(named_variables(keras.Model(inputs, shared(shared(inputs))))) == ["dense/kernel", "dense/bias"]


class Offset(keras.Model):
    """Owns a variable that no layer owns."""

    def __init__(self):
        super().__init__()
        self.offset = self.add_weight(shape=(1,), name="offset")

    def call(self, x):
        return x + self.offset


def test_a_variable_outside_of_all_layers_is_refused():
    with pytest.raises(WeightsError, match="offset"):
        named_variables(Offset())


def test_bfloat16_weights_are_kept_exactly(tmp_path, description):
    def build():
        inputs = keras.Input((3,))
        return keras.Model(inputs, keras.layers.Dense(2, name="dense", dtype="bfloat16")(inputs))

    model, other = build(), build()
    save_weights(tmp_path / "w.npz", model, description)
    weights = read_weights(tmp_path / "w.npz")
    assert weights.arrays["dense/kernel"].dtype == np.float32
    assign_weights(other, weights)
    x = np.ones((1, 3), np.float32)
    assert np.array_equal(keras.ops.cast(other(x), "float32").numpy(), keras.ops.cast(model(x), "float32").numpy())


def test_assignment_is_strict_and_changes_nothing_when_it_fails(tmp_path, description):
    path = tmp_path / "w.npz"
    model = small_classifier(1)
    before = [variable.numpy() for variable in model.variables]
    save_weights(path, small_classifier(2), description)
    weights = read_weights(path)

    def refused(arrays, message):
        with pytest.raises(WeightsError, match=message):
            assign_weights(model, dataclasses.replace(weights, arrays=arrays))

    arrays = weights.arrays
    refused({key: a for key, a in arrays.items() if key != "stem_bn/moving_mean"}, "missing stem_bn/moving_mean")
    refused(arrays | {"extra/kernel": np.zeros(3)}, "not in the model extra/kernel")
    refused(arrays | {"head/bias": np.zeros(4, np.float32)}, r"head/bias \(4,\), the model \(5,\)")
    for variable, value in zip(model.variables, before):
        assert np.array_equal(variable.numpy(), value)


def test_files_that_are_no_weights_files_are_refused_by_name(tmp_path, description):
    good = tmp_path / "good.npz"
    save_weights(good, small_classifier(0), description)
    content = good.read_bytes()

    def refused(name, message):
        with pytest.raises(WeightsError, match=message) as caught:
            read_weights(tmp_path / name)
        assert name in str(caught.value)

    refused("absent.npz", "no such weights file")
    (tmp_path / "half.npz").write_bytes(content[: len(content) // 2])
    refused("half.npz", "cut short")
    (tmp_path / "empty.npz").write_bytes(b"")
    refused("empty.npz", "0 bytes")
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 0xFF
    (tmp_path / "flipped.npz").write_bytes(bytes(flipped))
    refused("flipped.npz", "damaged")
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    refused("other.npz", "holds a description")
    np.savez(tmp_path / "text.npz", description=np.asarray("not json"))
    refused("text.npz", "not JSON")
    np.savez(tmp_path / "list.npz", description=np.asarray("[]"))
    refused("list.npz", "JSON object")
    np.savez(tmp_path / "objects.npz", x=np.asarray([{}], dtype=object))
    refused("objects.npz", "never loaded")
    with zipfile.ZipFile(tmp_path / "foreign.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    refused("foreign.npz", "description")


def test_a_weights_file_must_be_called_npz(tmp_path, description):
    with pytest.raises(WeightsError, match=r"must end in \.npz"):
        save_weights(tmp_path / "w.h5", small_classifier(0), description)
    assert list(tmp_path.iterdir()) == []

"""The plain networks: sizes worked by hand, outputs against NumPy, padding, what is refused, files and transfer."""


import keras
import numpy as np
import pytest
from fresh_process import check_files_in_a_fresh_process

from transplant.errors import OptionError, WeightsError
from transplant.modules import registry
from transplant.modules.classifier import build_classifier
from transplant.modules.cnn import build_cnn
from transplant.modules.mlp import build_mlp
from transplant.modules.recurrent import build_recurrent
from transplant.signals.normalization import Normalization
from transplant.training.backbone_rates import BackboneRates, backbone_depth
from transplant.training.description import ModelDescription
from transplant.training.losses import classifier_loss
from transplant.training.transfer import transfer_backbone
from transplant.training.weights import assign_weights, is_random_state, named_variables, read_weights, save_weights

PLAIN = [name for name, entry in registry.ARCHITECTURES.items() if entry.is_plain and entry.is_network]
MASKED = [name for name in PLAIN if registry.get_architecture(name).masks_padding]
SEIZURE, ICU, VISITS, IMAGE = (178, 1), (48, 76), (10, 50), (64, 64, 1)
SMALL = (20, 3)


def small(arch):
    """A small shape that an architecture takes."""
    return SMALL if 2 in registry.get_architecture(arch).input_ranks else (12, 12, 3)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def outputs(model, x):
    return keras.ops.convert_to_numpy(model(x, training=False))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.fixture
def dtype_policy():
    before = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize(
    ("arch", "shape", "n_classes", "layers", "total"),
    [
        ("logistic", IMAGE, 6, [4096 * 6 + 6], 24_582),
        ("mlp-16", SEIZURE, 5, [178 * 16 + 16, 16 * 5 + 5], 2_949),
        ("mlp-deep", SEIZURE, 5, [178 * 256 + 256, *[256 * 256 + 256] * 3, 256 * 5 + 5], 244_485),
        ("mlp-512", IMAGE, 6, [4096 * 512 + 512, 512 * 512 + 512, 512 * 6 + 6], 2_363_398),
        ("mlp3", ICU, 2, [48 * 76 * 128 + 128, 128 * 64 + 64, 64 * 2 + 2], 475_458),
        # 178 - 4 = 174, halved 87; 87 - 4 = 83, halved 41; 41 x 16 = 656.
        ("cnn", SEIZURE, 5, [5 * 6 + 6, 5 * 6 * 16 + 16, 656 * 128 + 128, 128 * 5 + 5], 85_273),
        (
            "cnn-dropout",
            SEIZURE,
            5,
            [5 * 6 + 6, 5 * 6 * 16 + 16, 656 * 128 + 128, 128 * 64 + 64, 64 * 5 + 5],
            93_209,
        ),
        # 48 - 4 = 44, halved 22; 22 - 4 = 18, halved 9; 9 x 64 = 576.
        ("cnn1d", ICU, 2, [5 * 76 * 64 + 64, 5 * 64 * 64 + 64, 576 * 64 + 64, 64 * 2 + 2], 81_986),
        # 64 halved 32; 32 - 4 = 28, halved 14; 14 x 14 x 16 = 3136.
        (
            "lenet",
            IMAGE,
            6,
            [25 * 6 + 6, 25 * 6 * 16 + 16, 3136 * 120 + 120, 120 * 84 + 84, 84 * 6 + 6],
            389_686,
        ),
        # 64 halved once is 32, twice 16.
        ("convnet1", IMAGE, 6, [9 * 128 + 128, 256, 131_072 * 6 + 6], 787_974),
        ("convnet2", IMAGE, 6, [9 * 128 + 128, 256, 9 * 128 * 128 + 128, 256, 32_768 * 6 + 6], 345_990),
        # A kernel of 9, and a factor and an offset a filter; 64 halved three times is 8.
        (
            "convnet3",
            IMAGE,
            6,
            [9 * 128 + 128, 256, 9 * 128 * 128 + 128, 256, 9 * 128 * 128 + 128, 256, 8192 * 6 + 6],
            346_374,
        ),
        ("gru", SEIZURE, 5, [3 * (16 * 1 + 16 * 16 + 16), 16 * 5 + 5], 949),
        (
            "gru-deep",
            SEIZURE,
            5,
            [3 * (32 * 1 + 32 * 32 + 32), 3 * (32 * 32 + 32 * 32 + 32), 32 * 16 + 16, 16 * 5 + 5],
            10_117,
        ),
        ("visit-gru", VISITS, 2, [50 * 32 + 32, 3 * (16 * 32 + 16 * 16 + 16), 16 * 2 + 2], 4_018),
        (
            "visit-lstm",
            VISITS,
            2,
            [50 * 64 + 64, 4 * (16 * 64 + 16 * 16 + 16), 4 * (16 * 16 + 16 * 16 + 16), 16 * 8 + 8, 8 * 2 + 2],
            10_714,
        ),
        ("lstm-icu", ICU, 2, [2 * 4 * (8 * 76 + 8 * 8 + 8), 4 * (16 * 16 + 16 * 16 + 16), 16 * 2 + 2], 7_586),
    ],
)
def test_parameter_counts_worked_by_hand(arch, shape, n_classes, layers, total):
    model = build_classifier(arch, n_classes, input_shape=shape)
    counts = [layer.count_params() for layer in (*model.get_layer("backbone").layers, model.get_layer("head"))]
    assert [count for count in counts if count] == layers
    assert model.count_params() == sum(layers) == total
    assert model.input_shape == (None, *shape) and model.output_shape == (None, n_classes)


def test_the_cases_above_are_all_plain_networks():
    assert PLAIN == [
        "logistic", "mlp-16", "mlp-deep", "mlp-512", "mlp3", "cnn", "cnn-dropout", "cnn1d",
        "lenet", "convnet1", "convnet2", "convnet3", "gru", "gru-deep", "visit-gru", "visit-lstm", "lstm-icu",
    ]  # fmt: skip
    assert {registry.get_architecture(name).stages for name in PLAIN} == {1}
    assert MASKED == ["visit-gru", "visit-lstm", "lstm-icu"]


@pytest.mark.parametrize("arch", PLAIN)
def test_a_classifier_is_a_named_backbone_and_a_head(arch):
    model = build_classifier(arch, 3, input_shape=small(arch), dropout=0.5)
    assert [layer.name for layer in model.layers] == ["signal", "backbone", "head_dropout", "head"]
    backbone = model.get_layer("backbone")
    assert len(backbone.output_shape) == 2
    names = [layer.name for layer in backbone.layers]
    assert len(set(names)) == len(names)


def test_logits_of_the_logistic_model_are_linear_in_the_record():
    model = build_classifier("logistic", 3, input_shape=(4, 5, 2), seed=1)
    x = draw(6, 4, 5, 2)
    kernel, bias = model.get_layer("head").get_weights()
    np.testing.assert_allclose(outputs(model, x), x.reshape(6, 40) @ kernel + bias, atol=1e-5)
    assert not model.get_layer("backbone").variables


def test_outputs_of_mlp_16_are_those_of_numpy():
    model = build_classifier("mlp-16", 5, input_shape=SEIZURE, seed=1)
    x = draw(3, *SEIZURE)
    (w1, b1), (w2, b2) = model.get_layer("backbone").get_weights(), model.get_layer("head").get_weights()
    np.testing.assert_allclose(outputs(model, x), sigmoid(x[:, :, 0] @ w1 + b1) @ w2 + b2, atol=1e-5)


def numpy_convolution(x, kernel, bias):
    """Return the convolution without padding, then ReLU."""
    steps = x.shape[1] - len(kernel) + 1
    return np.maximum(sum(x[:, k : k + steps] @ kernel[k] for k in range(len(kernel))) + bias, 0)


def pairs(x):
    """Return (batch, time // 2, 2, channels), an odd last step left out."""
    half = x.shape[1] // 2
    return x[:, : 2 * half].reshape(len(x), half, 2, -1)


@pytest.mark.parametrize(("arch", "pool"), [("cnn", np.max), ("cnn-dropout", np.max), ("cnn1d", np.mean)])
def test_outputs_of_the_convolutional_networks_are_those_of_numpy(arch, pool):
    model = build_classifier(arch, 5, input_shape=(41, 2), seed=1)
    x = signal = draw(3, 41, 2)
    weights = iter(model.get_layer("backbone").get_weights())
    for _ in range(2):
        x = pool(pairs(numpy_convolution(x, next(weights), next(weights))), axis=2)
    x = x.reshape(3, -1)
    for kernel in weights:
        x = np.maximum(x @ kernel + next(weights), 0)
    kernel, bias = model.get_layer("head").get_weights()
    np.testing.assert_allclose(outputs(model, signal), x @ kernel + bias, atol=1e-5)


def numpy_gru(x, kernel, recurrent, bias):
    """Return the state after every step of a GRU that resets before its matrix product."""
    n = len(recurrent)
    state, states = np.zeros((len(x), n)), []
    for t in range(x.shape[1]):
        from_input = x[:, t] @ kernel + bias
        update = sigmoid(from_input[:, :n] + state @ recurrent[:, :n])
        reset = sigmoid(from_input[:, n : 2 * n] + state @ recurrent[:, n : 2 * n])
        candidate = np.tanh(from_input[:, 2 * n :] + (reset * state) @ recurrent[:, 2 * n :])
        state = update * state + (1 - update) * candidate
        states.append(state)
    return np.stack(states, axis=1)


def numpy_lstm(x, kernel, recurrent, bias):
    """Return the output after every step of an LSTM."""
    n = len(recurrent)
    output, memory, outputs_ = np.zeros((len(x), n)), np.zeros((len(x), n)), []
    for t in range(x.shape[1]):
        gates = x[:, t] @ kernel + output @ recurrent + bias
        enter, forget, leave = (sigmoid(gates[:, k * n : (k + 1) * n]) for k in (0, 1, 3))
        memory = forget * memory + enter * np.tanh(gates[:, 2 * n : 3 * n])
        output = leave * np.tanh(memory)
        outputs_.append(output)
    return np.stack(outputs_, axis=1)


def with_random_biases(model):
    """Return the model with biases that are not the initial 0 and 1, of which most could not be told apart."""
    for variable in model.trainable_variables:
        if len(variable.shape) == 1:
            variable.assign(draw(*variable.shape, seed=3))
    return model


def test_outputs_of_gru_are_those_of_numpy():
    model = with_random_biases(build_classifier("gru", 5, input_shape=(30, 1), seed=1))
    x = draw(3, 30, 1)
    states = numpy_gru(x, *model.get_layer("backbone").get_weights())
    kernel, bias = model.get_layer("head").get_weights()
    np.testing.assert_allclose(outputs(model, x), states[:, -1] @ kernel + bias, atol=1e-5)


def test_outputs_of_lstm_icu_are_those_of_numpy_on_the_record_without_its_padding():
    model = with_random_biases(build_classifier("lstm-icu", 2, input_shape=(12, 4), seed=1))
    record = draw(3, 9, 4)
    padded = np.concatenate([np.zeros((3, 3, 4), np.float32), record], axis=1)
    named = {key: v.numpy() for key, v in named_variables(model).items()}

    def weights(place):
        return [named[f"{place}/lstm_cell/{name}"] for name in ("kernel", "recurrent_kernel", "bias")]

    forth = numpy_lstm(record, *weights("stage1_lstm1/forward_lstm"))
    back = numpy_lstm(record[:, ::-1], *weights("stage1_lstm1/backward_lstm"))[:, ::-1]
    last = numpy_lstm(np.concatenate([forth, back], axis=2), *weights("stage1_lstm2"))[:, -1]
    np.testing.assert_allclose(outputs(model, padded), last @ named["head/kernel"] + named["head/bias"], atol=1e-5)


@pytest.mark.parametrize("arch", MASKED)
def test_zeros_before_a_record_change_nothing_where_padding_is_masked(arch):
    model = with_random_biases(build_classifier(arch, 2, input_shape=(None, 6), seed=1))
    records = [draw(length, 6, seed=length) for length in (1, 5, 11)]
    batch = np.zeros((4, 11, 6), np.float32)
    for row, record in zip(batch, records):
        row[-len(record) :] = record
    together = outputs(model, batch)
    for logits, record in zip(together, records):
        np.testing.assert_allclose(logits, outputs(model, record[None])[0], atol=1e-6)
    # A record of padding alone is what is left of the biases; a number all the same.
    assert np.isfinite(together[3]).all()
    assert len(np.unique(together[:, 0])) == 4


def test_a_network_without_masks_sees_the_padding():
    model = with_random_biases(build_classifier("gru", 2, input_shape=(None, 6), seed=1))
    record = draw(1, 5, 6)
    padded = np.concatenate([np.zeros((1, 6, 6), np.float32), record], axis=1)
    assert np.abs(outputs(model, padded) - outputs(model, record)).max() > 1e-3


@pytest.mark.parametrize("arch", PLAIN)
def test_initial_weights_depend_on_the_seed_alone(arch):
    one, again, other = (
        {k: v.numpy() for k, v in named_variables(build_classifier(arch, 3, input_shape=small(arch), seed=s)).items()}
        for s in (1, 1, 2)
    )
    assert all(np.array_equal(one[key], again[key]) for key in one)
    kernels = [key for key in one if key.endswith("kernel")]
    assert kernels and not any(np.array_equal(one[key], other[key]) for key in kernels)
    states = [key for key in one if is_random_state(key)]
    assert not any(np.array_equal(one[key], other[key]) for key in states)


def test_no_two_layers_of_a_network_start_alike():
    """Two cells of one size would, if their initialisers had one seed."""
    for arch in ("gru-deep", "lstm-icu"):
        named = named_variables(build_classifier(arch, 3, input_shape=(20, 32), seed=1))
        kernels = [v.numpy() for key, v in named.items() if key.endswith("kernel")]
        assert not any(
            a.shape == b.shape and np.array_equal(a, b) for i, a in enumerate(kernels) for b in kernels[:i]
        )


@pytest.mark.parametrize("arch", PLAIN)
def test_logits_and_weights_are_float32_under_mixed_precision(arch, dtype_policy):
    x = draw(2, *small(arch))
    expected = outputs(build_classifier(arch, 3, input_shape=small(arch), seed=1), x)
    dtype_policy("mixed_float16")
    model = build_classifier(arch, 3, input_shape=small(arch), seed=1)
    logits = model(x, training=False)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert keras.backend.standardize_dtype(model.get_layer("backbone")(x).dtype) == "float32"
    assert {keras.backend.standardize_dtype(v.dtype) for v in model.trainable_variables} == {"float32"}
    exact = arch in ("logistic", "mlp-16") or registry.get_architecture(arch).module.endswith("recurrent")
    np.testing.assert_allclose(logits.numpy(), expected, atol=1e-6 if exact else 1e-2)


def test_a_step_that_half_precision_takes_for_zero_is_no_padding(dtype_policy):
    record = draw(1, 6, 4)
    record[0, 0] = 1e-9
    dtype_policy("mixed_float16")
    model = with_random_biases(build_classifier("visit-gru", 2, input_shape=(None, 4), seed=1))
    # A GRU that took the silent step is not where one is that did not: its candidate state has a bias.
    assert np.abs(outputs(model, record) - outputs(model, record[:, 1:])).max() > 1e-4


@pytest.mark.parametrize("arch", PLAIN)
def test_one_step_of_training_moves_every_weight(arch):
    model = build_classifier(arch, 3, input_shape=small(arch), seed=1)
    before = [v.numpy() for v in model.trainable_variables]
    model.compile(keras.optimizers.SGD(0.1), classifier_loss(np.ones(3)))
    assert np.isfinite(model.train_on_batch(draw(12, *small(arch)), np.arange(12) % 3))
    for variable, old in zip(model.trainable_variables, before):
        assert not np.array_equal(variable.numpy(), old), variable.path


def test_dropout_drops_in_training_alone():
    for arch, n_layers in (("cnn-dropout", 4), ("lstm-icu", 1)):
        model = build_classifier(arch, 3, input_shape=SMALL, seed=1)
        layers = [layer for layer in model.get_layer("backbone").layers if isinstance(layer, keras.layers.Dropout)]
        assert len(layers) == n_layers
        assert {layer.rate for layer in layers} == {0.2 if arch == "cnn-dropout" else 0.3}
        x = draw(2, *SMALL)
        assert np.array_equal(outputs(model, x), outputs(model, x))
        first, second = model(x, training=True).numpy(), model(x, training=True).numpy()
        assert not np.array_equal(first, second)


def test_both_lstms_for_intensive_care_drop_inputs_and_no_recurrent_values():
    backbone = registry.build_backbone("lstm-icu", input_shape=ICU)
    first, second = backbone.get_layer("stage1_lstm1"), backbone.get_layer("stage1_lstm2")
    cells = [first.forward_layer.cell, first.backward_layer.cell, second.cell]
    assert [(cell.units, cell.dropout, cell.recurrent_dropout) for cell in cells] == [
        (8, 0.3, 0.0), (8, 0.3, 0.0), (16, 0.3, 0.0),
    ]  # fmt: skip
    assert [part.go_backwards for part in (first.forward_layer, first.backward_layer)] == [False, True]


@pytest.mark.parametrize(
    ("arch", "shape", "message"),
    [
        ("resnet18", IMAGE, r"resnet18 does not fit the records: it takes records of \(time, channels\)\. Received: "
         r"shape \(64, 64, 1\); choose one of logistic, mlp-16, mlp-deep, mlp-512, mlp3, lenet, "
         "convnet1, convnet2, convnet3$"),
        ("cnn", IMAGE, r"cnn does not fit .* takes records of \(time, channels\)"),
        ("gru", IMAGE, r"gru does not fit .* takes records of \(time, channels\)"),
        ("logistic-features", IMAGE, r"logistic-features does not fit .* takes records of \(time, channels\)"),
        ("cnn", (15, 1), r"at least 16 steps\. Received: shape \(15, 1\).*choose one of resnet18,.*gru"),
        ("cnn1d", (8, 76), r"at least 16 steps"),
        ("lenet", (28, 8, 1), r"at least 12 pixels on a side"),
        ("mlp-16", (None, 1), r"number of steps that is fixed\. Received: shape \(None, 1\)"),
        ("mlp-16", (178,), r"a network is built for records of .*Received: shape \(178,\)"),
        ("mlp-16", (0, 1), r"Received: shape \(0, 1\)"),
        ("gru", (None, None), r"Received: shape \(None, None\)"),
        ("vgg", SEIZURE, r"Received: vgg"),
    ],
)  # fmt: skip
def test_an_architecture_that_does_not_fit_is_refused_before_it_is_built(arch, shape, message, monkeypatch):
    monkeypatch.setattr("importlib.import_module", lambda name: pytest.fail(f"{name} was imported"))
    with pytest.raises(OptionError, match=message):
        registry.check_fit(arch, shape)
    if arch != "logistic-features":
        with pytest.raises(OptionError, match=message):
            build_classifier(arch, 2, input_shape=shape)


@pytest.mark.parametrize("arch", PLAIN)
def test_what_fits_is_built_with_the_fewest_steps(arch):
    entry = registry.get_architecture(arch)
    shape = (entry.fewest_steps, *small(arch)[1:])
    registry.check_fit(arch, shape)
    assert outputs(build_classifier(arch, 2, input_shape=shape), draw(1, *shape)).shape == (1, 2)
    fewest = {"cnn": 16, "cnn-dropout": 16, "cnn1d": 16, "lenet": 12, "convnet1": 2, "convnet2": 4, "convnet3": 8}
    assert entry.fewest_steps == fewest.get(arch, 1)


def test_sizes_of_numpy_are_sizes():
    shape = tuple(np.array(SMALL))
    registry.check_fit("mlp-16", shape)
    assert build_classifier("mlp-16", 2, input_shape=shape).input_shape == (None, 20, 3)


def test_a_resnet_takes_its_leads_from_the_shape():
    model = build_classifier("resnet18", 2, stages=1, input_shape=(100, 3))
    assert model.input_shape == (None, None, 3)


@pytest.mark.parametrize(
    ("arch", "arguments", "message"),
    [
        ("mlp-16", {"stages": 2}, r"mlp-16 has one stage\. Received: stages=2"),
        ("mlp-16", {"padding_aware": True}, r"mlp-16 has no padding-aware form\. Received: padding_aware=True"),
        ("lstm-icu", {"padding_aware": True}, r"lstm-icu masks the padding by itself\. Received: padding_aware=True"),
        ("gru", {"spectrogram": "draft"}, r"gru takes the raw signal, and only resnet18_2d"),
        ("gru", {"input_shape": None}, r"gru is built for the shape of its records.*choose one of resnet18, .*fusion$"),
        ("logistic-features", {}, r"logistic-features is scikit-learn's .* no network.*choose one of resnet18, .*gru"),
    ],
)
def test_options_that_a_plain_network_does_not_have_are_refused(arch, arguments, message):
    with pytest.raises(OptionError, match=message):
        build_classifier(arch, 2, **({"input_shape": SMALL} | arguments))


def test_one_stage_and_a_kind_of_batch_norm_say_nothing_of_a_plain_network():
    model = build_classifier("gru", 2, input_shape=SMALL, seed=1, stages=1, batch_norm="fused")
    expected = build_classifier("gru", 2, input_shape=SMALL, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), expected.get_weights()))


@pytest.mark.parametrize("build", [build_mlp, build_cnn, build_recurrent])
def test_a_builder_refuses_the_names_of_others(build):
    with pytest.raises(OptionError, match="Received: arch=resnet18"):
        build("resnet18", SMALL)


def test_a_keras_file_gives_the_same_outputs_in_a_fresh_process(tmp_path):
    x = draw(2, *SMALL)
    x[0, :7] = 0
    expected = {}
    for arch in ("logistic", "mlp-16", "cnn-dropout", "gru-deep", "visit-gru", "lstm-icu"):
        model = with_random_biases(build_classifier(arch, 4, input_shape=SMALL, seed=5, dropout=0.1))
        expected[arch] = outputs(model, x)
        model.save(tmp_path / f"{arch}.keras")
    check_files_in_a_fresh_process(expected, x, tmp_path, needs_package=False)


def describe(arch, n_classes, shape=SMALL):
    leads = tuple(f"lead{i}" for i in range(shape[-1]))
    normalization = Normalization("zscore", "train", (0.0,) * len(leads), (1.0,) * len(leads))
    classes = tuple(f"class{i}" for i in range(n_classes))
    return ModelDescription(arch, 1, leads, 173.61, "uV", normalization, shape[0], "finetuning", classes, {})


@pytest.mark.parametrize(
    ("arch", "keys"),
    [
        (
            "gru-deep",
            ["stage1_gru1/gru_cell/kernel", "stage1_gru1/gru_cell/recurrent_kernel", "stage1_gru1/gru_cell/bias",
             "stage1_gru2/gru_cell/kernel", "stage1_gru2/gru_cell/recurrent_kernel", "stage1_gru2/gru_cell/bias",
             "stage1_dense1/kernel", "stage1_dense1/bias", "head/kernel", "head/bias"],
        ),
        (
            "lstm-icu",
            [f"stage1_lstm1/{way}_lstm/lstm_cell/{name}" for way in ("forward", "backward")
             for name in ("kernel", "recurrent_kernel", "bias")]
            + [f"stage1_lstm2/lstm_cell/{name}" for name in ("kernel", "recurrent_kernel", "bias")]
            + ["head/kernel", "head/bias"],
        ),
    ],
)  # fmt: skip
def test_weights_of_recurrent_networks_come_back(arch, keys, tmp_path):
    saved, other = (build_classifier(arch, 3, input_shape=SMALL, seed=seed) for seed in (1, 2))
    save_weights(tmp_path / "w.npz", saved, describe(arch, 3))
    weights = read_weights(tmp_path / "w.npz")
    assert [key for key in weights.arrays if not is_random_state(key)] == keys
    assign_weights(other, weights)
    x = draw(2, *SMALL)
    assert np.array_equal(outputs(other, x), outputs(saved, x))
    # A model that was read from a file has other paths, and the same names.
    other.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert list(named_variables(loaded)) == list(named_variables(saved))
    assign_weights(loaded, weights)
    for key, variable in named_variables(loaded).items():
        assert np.array_equal(variable.numpy(), weights.arrays[key]), key


@pytest.mark.parametrize("arch", ["mlp-deep", "cnn-dropout", "gru-deep", "lstm-icu"])
def test_a_backbone_is_transferred_under_another_head(arch, tmp_path):
    saved, other = (build_classifier(arch, n, input_shape=SMALL, seed=n) for n in (5, 2))
    save_weights(tmp_path / "w.npz", saved, describe(arch, 5))
    report = transfer_backbone(other, read_weights(tmp_path / "w.npz"), describe(arch, 2), log=lambda line: None)
    assert len(report.loaded) == len(saved.get_layer("backbone").trainable_variables)
    assert report.left == ("head/kernel", "head/bias")
    x = draw(2, *SMALL)
    assert np.array_equal(outputs(other.get_layer("backbone"), x), outputs(saved.get_layer("backbone"), x))


def test_weights_of_records_of_another_length_are_refused(tmp_path):
    save_weights(tmp_path / "w.npz", build_classifier("cnn", 2, input_shape=(20, 3)), describe("cnn", 2))
    longer = build_classifier("cnn", 2, input_shape=(40, 3))
    # 40 - 4 = 36, halved 18; 18 - 4 = 14, halved 7; of 20 steps 2 are left.
    with pytest.raises(WeightsError, match=r"stage1_dense1/kernel of shape \(112, 128\) \(the file's is \(32, 128\)\)"):
        transfer_backbone(longer, read_weights(tmp_path / "w.npz"), describe("cnn", 2, (40, 3)))


@pytest.mark.parametrize("arch", PLAIN)
def test_the_whole_plain_network_is_the_first_stage_of_a_slower_backbone(arch):
    model = build_classifier(arch, 3, input_shape=small(arch))
    inside = [v.path for v in model.get_layer("backbone").trainable_variables]
    assert {backbone_depth(path) for path in inside} <= {1}
    rates = BackboneRates(0.1, 50).rate_of(stages=1)
    assert {rates(path) for path in inside} <= {(0.1, 50)}
    assert rates("head/kernel") == (1.0, 0)
    assert inside or arch == "logistic"

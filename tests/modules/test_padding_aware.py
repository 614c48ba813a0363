"""A padding-aware network gives a record the same numbers however it is padded."""


import keras
import numpy as np
import pytest
import tensorflow as tf
from fresh_process import check_files_in_a_fresh_process

from transplant.modules.classifier import build_classifier
from transplant.training.runtime import precision
from transplant.training.weights import named_variables

# Two stages: the 1-D networks take 8 samples per position; the 2-D one, with a hop of 64, 512.
CASES = [("resnet18", None), ("resnet50", None), ("resnet18_2d", "draft"), ("fusion", "draft")]


def build(arch, spectrogram=None, seed=0, **arguments):
    """Return a model whose batch norms have moments, scales and offsets of their own."""
    arguments = {"stages": 2, "leads": 2, "padding_aware": True, "batch_norm": "fused"} | arguments
    model = build_classifier(arch, 3, seed=seed, spectrogram=spectrogram, **arguments)
    rng = np.random.default_rng(seed)
    for key, variable in sorted(named_variables(model).items()):
        if not key.endswith("kernel"):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return model


def records(*lengths, leads=2):
    rng = np.random.default_rng(1)
    return [rng.normal(size=(length, leads)).astype(np.float32) for length in lengths]


def padded(signals, length):
    x = np.zeros((len(signals), length, signals[0].shape[1]), np.float32)
    for row, signal in zip(x, signals):
        row[length - len(signal) :] = signal
    return x


def moments(model):
    return np.concatenate([v.numpy().ravel() for v in model.non_trainable_variables])


def step(model, x):
    """Return the training logits, the moving moments after them and the gradient of the stem's kernel; undo them."""
    before = model.get_weights()
    kernel = next(v for v in model.trainable_variables if v.path.endswith("stem_conv/kernel"))
    with tf.GradientTape() as tape:
        logits = model(x, training=True)
        loss = tf.reduce_sum(tf.square(logits))
    found = logits.numpy(), moments(model), tape.gradient(loss, kernel.value).numpy()
    model.set_weights(before)
    return found


def assert_same(got, expected):
    for one, other in zip(got, expected):
        # Logits are not divided by their scale: they agree to 1e-5 where they are of order 1.
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * max(1.0, np.abs(other).max()))


@pytest.mark.parametrize(("arch", "spectrogram"), CASES)
def test_padded_and_alone_give_the_same_logits_moments_and_gradients(arch, spectrogram):
    model = build(arch, spectrogram)
    (signal,) = records(1037)
    alone = signal[None]
    for length in (1500, 16384) if arch == "resnet18" else (2600,):
        x = padded([signal], length)
        assert_same([model(x, training=False).numpy()], [model(alone, training=False).numpy()])
        assert_same(step(model, x), step(model, alone))


@pytest.mark.parametrize("batch_norm", ["stock", "fused"])
def test_a_batch_of_several_lengths_is_the_same_at_any_padded_length(batch_norm):
    model = build("resnet18", batch_norm=batch_norm)
    signals = records(1, 300, 801, 997)
    expected = step(model, padded(signals, 997))
    for length in (1003, 2048):
        assert_same(step(model, padded(signals, length)), expected)
    for signal, logits in zip(signals, model(padded(signals, 1003), training=False).numpy()):
        assert_same([logits], [model(signal[None], training=False).numpy()[0]])


def test_every_offset_from_the_grid_of_strides_agrees():
    model = build("resnet18")
    for signal in records(*range(256, 264)):
        padded_logits, alone = (model(padded([signal], n), training=False).numpy() for n in (300, len(signal)))
        assert_same([padded_logits], [alone])


@pytest.mark.parametrize(("arch", "spectrogram", "length"), [("resnet18", None, 1000), ("resnet18_2d", "draft", 1024)])
def test_of_whole_strides_it_is_the_plain_network_on_the_record_alone(arch, spectrogram, length):
    model = build(arch, spectrogram)
    plain = build(arch, spectrogram, padding_aware=False)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), plain.get_weights()))
    signals = records(length, length)
    together, x = np.stack(signals), padded(signals, 2600)
    assert_same([model(x, training=False).numpy()], [plain(together, training=False).numpy()])
    assert_same(step(model, x), step(plain, together))
    # The plain network itself is not indifferent to padding.
    assert np.abs(plain(x, training=False).numpy() - plain(together, training=False).numpy()).max() > 0.01


@pytest.mark.parametrize(("arch", "spectrogram"), CASES)
def test_variables_and_their_number_are_those_of_the_plain_network(arch, spectrogram):
    model = build_classifier(arch, 3, stages=2, spectrogram=spectrogram, padding_aware=True)
    plain = build_classifier(arch, 3, stages=2, spectrogram=spectrogram)
    shapes = [{key: v.shape for key, v in named_variables(m).items()} for m in (model, plain)]
    assert shapes[0] == shapes[1]
    assert [v.name for v in model.trainable_variables] == [v.name for v in plain.trainable_variables]


def test_a_whole_classifier_has_the_published_number_of_parameters():
    assert build_classifier("resnet18", 4, padding_aware=True).count_params() == 4_494_532


@pytest.mark.parametrize(("arch", "spectrogram"), [("resnet18", None), ("fusion", "draft")])
def test_a_record_of_zeros_has_no_part_in_the_batch_and_gets_the_bias(arch, spectrogram):
    model = build(arch, spectrogram, stages=1)
    signals = records(600, 700)
    with_silence = padded([*signals, np.zeros((0, 2), np.float32)], 1024)
    logits, moved, gradient = step(model, with_silence)
    expected = step(model, padded(signals, 1024))
    assert_same([logits[:2], moved], expected[:2])
    np.testing.assert_allclose(logits[2], model.get_layer("head").bias.numpy(), rtol=1e-6)
    only = step(model, np.zeros((2, 1024, 2), np.float32))
    assert all(np.isfinite(part).all() for part in (gradient, *only))
    assert np.array_equal(only[1], moments(model))


def test_a_training_step_has_the_same_bits_every_time():
    model = build("resnet18", leads=1)
    x = padded(records(300, 1500, 2048, 777, leads=1), 2048)
    before = model.get_weights()

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(model(x, training=True)))
        return tape.gradient(loss, model.trainable_variables)

    runs = set()
    for _ in range(4):
        model.set_weights(before)
        runs.add(b"".join(part.numpy().tobytes() for part in gradients()) + moments(model).tobytes())
    assert len(runs) == 1


@pytest.mark.parametrize("policy", ["float16", "bfloat16"])
@pytest.mark.parametrize(("arch", "spectrogram"), [("resnet18", None), ("fusion", "draft")])
def test_half_precision_trains_on_finite_numbers(policy, arch, spectrogram):
    signals = records(600, 1000)
    exact = build(arch, spectrogram, stages=1)(padded(signals, 2048), training=False).numpy()
    with precision(policy):
        model = build(arch, spectrogram, stages=1)
        logits, moved, gradient = step(model, padded([*signals, np.zeros((0, 2), np.float32)], 2048))
        assert logits.dtype == np.float32
        assert all(np.isfinite(part).all() for part in (logits, moved, gradient))
        got = model(padded(signals, 2048), training=False).numpy()
    np.testing.assert_allclose(got, exact, atol=0.03 * np.abs(exact).max())


def test_half_precision_does_not_take_tiny_samples_for_padding():
    with precision("float16"):
        model = build("resnet18")
        tiny = np.full((1, 64, 2), 1e-9, np.float32)  # 0 in float16
        assert np.abs(model(tiny, training=False).numpy() - model.get_layer("head").bias.numpy()).max() > 0.1


def test_dropout_stands_before_the_head_and_is_seeded():
    model, again, other = (build_classifier("resnet18", 3, stages=1, seed=s, dropout=0.5) for s in (1, 1, 2))
    assert [layer.name for layer in model.layers] == ["signal", "backbone", "pool", "head_dropout", "head"]
    assert model.get_layer("head_dropout").compute_dtype == "float32"
    layers = [m.get_layer("head_dropout") for m in (model, again, other)]
    ones = np.ones((1, 4000), np.float32)
    dropped = [layer(ones, training=True).numpy() for layer in layers]
    assert np.array_equal(dropped[0], dropped[1]) and not np.array_equal(dropped[0], dropped[2])
    assert (dropped[0] == 0).mean() == pytest.approx(0.5, abs=0.05)


def test_a_keras_file_gives_the_same_outputs_in_a_fresh_process(tmp_path):
    x = padded(records(100, 555), 700)
    expected = {}
    for name, arch, spectrogram, policy in (
        ("raw", "resnet18", None, None),
        ("both", "fusion", "draft", "bfloat16"),
    ):
        with precision(policy):
            model = build(arch, spectrogram, stages=1, batch_norm="stock", dropout=0.2)
        expected[name] = model(x, training=False).numpy()
        model.save(tmp_path / f"{name}.keras")
    check_files_in_a_fresh_process(expected, x, tmp_path)


def test_the_default_network_has_keras_layers_alone():
    layers = build_classifier("resnet18", 3, stages=1).get_layer("backbone").layers
    assert all(type(layer).__module__.startswith("keras.") for layer in layers)
    norms = [layer for layer in layers if layer.name.endswith("bn")]
    assert {type(layer) for layer in norms} == {keras.layers.BatchNormalization}

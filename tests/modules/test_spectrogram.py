"""The spectrogram layer against scipy, against its definition, and by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from layer_test import run_layer_test
from scipy.signal import ShortTimeFFT, get_window, stft

from transplant.errors import OptionError
from transplant.modules.spectrogram import Spectrogram

HOPS = {"draft": {"hop": 64, "bins": 64}, "final": {"hop": 32, "bins": 128}}


def layer_of(signal, hop=32, bins=128):
    """Return (frequency, slice) of one lead."""
    return keras.ops.convert_to_numpy(Spectrogram(hop, bins)(np.asarray(signal, np.float32)[None, :, None]))[0, :, :, 0]


def by_definition(signal, hop, bins):
    """Sum window times signal times exp(-2 pi i k n / 256), one column and one bin after the other."""
    window, length = get_window("hann", 256), len(signal)
    columns = -(-length // hop)
    result = np.zeros((bins, columns))
    for column in range(columns):
        n = np.arange(256)
        at = column * hop - 128 + n
        inside = (at >= 0) & (at < length)
        for k in range(1, bins + 1):
            terms = signal[at[inside]] * window[inside] * np.exp(-2j * np.pi * k * n[inside] / 256)
            result[k - 1, column] = abs(terms.sum())
    return result


def test_the_layer_is_one(tmp_path):
    inputs = np.random.default_rng(0).normal(size=(2, 500, 3)).astype(np.float32)
    run_layer_test(lambda: Spectrogram(64, 40), inputs, (2, 40, 8, 3), tmp_path, half_precision_output=False)


@pytest.mark.parametrize("preset", sorted(HOPS))
@pytest.mark.parametrize("samples", [256, 999, 4095, 4096, 16384])
def test_it_is_scipys_within_a_millionth_of_the_maximum(preset, samples):
    hop, bins = HOPS[preset].values()
    signal = np.random.default_rng(samples).normal(0.5, 1.0, samples).astype(np.float32)
    peer = ShortTimeFFT(get_window("hann", 256), hop, fs=250.0)
    expected = np.abs(peer.stft(signal.astype(np.float64), p0=0, p1=-(-samples // hop), k_offset=0))[1 : bins + 1]
    got = layer_of(signal, hop, bins)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= 1e-6 * expected.max()


@pytest.mark.parametrize("preset", sorted(HOPS))
def test_the_older_function_of_scipy_gives_it_divided_by_the_windows_sum(preset):
    hop, bins = HOPS[preset].values()
    signal = np.random.default_rng(1).normal(size=4096)
    _, _, values = stft(signal, window="hann", nperseg=256, noverlap=256 - hop, boundary="zeros", padded=False)
    expected = 128 * np.abs(values)[1 : bins + 1, :-1]  # the window sums to 128; the column behind the end is dropped
    assert np.abs(layer_of(signal, hop, bins) - expected).max() <= 1e-6 * expected.max()


@pytest.mark.parametrize("samples", [1, 2, 31, 33, 127, 128, 255])
def test_it_is_its_definition_for_signals_shorter_than_the_window(samples):
    signal = np.random.default_rng(samples).normal(size=samples).astype(np.float32)
    expected = by_definition(signal, 32, 128)
    assert np.abs(layer_of(signal) - expected).max() <= 1e-6 * expected.max()


@pytest.mark.parametrize("k", [1, 10, 64, 126])
def test_a_sinusoid_of_a_bin_stands_in_its_row(k):
    got = layer_of(3.0 * np.sin(2 * np.pi * k * np.arange(1024) / 256))
    inner = got[:, 4:28]  # columns whose window lies inside the signal
    assert (inner.argmax(axis=0) == k - 1).all()
    # The window sums to 128 and the sinusoid is half a complex one: 3 * 128 / 2, and half of that beside it.
    np.testing.assert_allclose(inner[k - 1], 192, rtol=1e-5)
    np.testing.assert_allclose(inner[k], 96, rtol=1e-4)
    np.testing.assert_allclose(np.delete(inner, [k - 2, k - 1, k] if k > 1 else [0, 1], axis=0), 0, atol=1e-3)


def test_a_constant_leaks_into_the_first_row_only():
    inner = layer_of(np.full(1024, 2.0))[:, 4:28]
    np.testing.assert_allclose(inner[0], 2 * 64, rtol=1e-5)  # half of what stands at 0 Hz, 2 * 128
    np.testing.assert_allclose(inner[1:], 0, atol=1e-3)


def test_an_impulse_gives_the_window_at_its_distance_from_each_column():
    signal = np.zeros(512)
    signal[128] = 5.0
    got = layer_of(signal)
    # Hann at distance d from its middle: cos(pi d / 256) ** 2; column 4 stands on sample 128.
    expected = 5 * np.cos(np.pi * (128 - 32 * np.arange(16)) / 256) ** 2 * (np.abs(128 - 32 * np.arange(16)) < 128)
    np.testing.assert_allclose(got, np.tile(expected, (128, 1)), atol=1e-5)


def test_twice_the_signal_is_twice_the_magnitude():
    signal = np.random.default_rng(2).normal(size=700)
    np.testing.assert_allclose(layer_of(2 * signal), 2 * layer_of(signal), rtol=1e-5)


def test_fewer_bins_are_the_lower_ones_and_leads_do_not_mix():
    x = np.random.default_rng(3).normal(size=(2, 600, 2)).astype(np.float32)
    both = keras.ops.convert_to_numpy(Spectrogram(64, 64)(x))
    for lead in range(2):
        np.testing.assert_allclose(both[1, :, :, lead], layer_of(x[1, :, lead], 64, 128)[:64], rtol=1e-6, atol=1e-5)


def test_a_model_of_unknown_length_takes_any():
    inputs = keras.Input((None, 1))
    model = keras.Model(inputs, Spectrogram()(inputs))
    assert model.output_shape == (None, 128, None, 1)
    for samples in (40, 4096):
        signal = np.random.default_rng(samples).normal(size=(3, samples, 1)).astype(np.float32)
        outputs = model.predict(signal, verbose=0)
        assert np.array_equal(outputs[2, :, :, 0], layer_of(signal[2, :, 0]))


def test_known_sizes_are_known_in_a_graph():
    for time, columns in ((4096, 128), (None, None)):
        graph = tf.function(Spectrogram()).get_concrete_function(tf.TensorSpec((None, time, 2)))
        assert graph.output_shapes.as_list() == [None, 128, columns, 2]


def test_an_empty_batch_stays_empty():
    assert Spectrogram()(np.zeros((0, 100, 1), np.float32)).shape == (0, 128, 4, 1)


def test_integer_counts_are_taken_as_numbers():
    counts = np.random.default_rng(4).integers(-2000, 2000, 512).astype(np.int16)
    got = keras.ops.convert_to_numpy(Spectrogram()(counts[None, :, None]))[0, :, :, 0]
    assert np.array_equal(got, layer_of(counts))


def test_gradients_are_those_of_small_differences():
    layer = Spectrogram(hop=64, bins=16, dtype="float64")
    rng = np.random.default_rng(5)
    signal, weights = rng.normal(size=(1, 300, 1)), rng.normal(size=(1, 16, 5, 1))
    x = tf.constant(signal)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(layer(x) * weights)
    gradient = tape.gradient(total, x).numpy()
    for at in (0, 1, 77, 299):
        step = np.zeros_like(signal)
        step[0, at] = 1e-5
        difference = [float(tf.reduce_sum(layer(tf.constant(signal + sign * step)) * weights)) for sign in (1, -1)]
        assert gradient[0, at, 0] == pytest.approx((difference[0] - difference[1]) / 2e-5, rel=1e-5, abs=1e-7)


def test_silence_has_no_magnitude_and_a_gradient_that_is_a_number():
    x = tf.zeros((1, 600, 1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = Spectrogram()(x)
    assert float(tf.reduce_max(outputs)) < 1e-12
    assert not tape.gradient(outputs, x).numpy().any()


@pytest.mark.parametrize(
    "arguments", [{"hop": 0}, {"hop": 129}, {"bins": 0}, {"bins": 129}, {"dtype": "mixed_float16"}]
)
def test_arguments_out_of_range_are_refused(arguments):
    with pytest.raises(OptionError, match="Received"):
        Spectrogram(**arguments)

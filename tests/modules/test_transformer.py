"""The transformer's layers against a plain numpy transformer."""

import keras
import numpy as np
import pytest
from layer_test import run_layer_test

from transplant.errors import OptionError
from transplant.modules.transformer import ScaledPositions, SelfAttention, TransformerLayer


def randomised(layer, shape, seed=0):
    layer.build((None, *shape[1:]))
    rng = np.random.default_rng(seed)
    for variable in layer.variables:
        variable.assign(rng.normal(0.0, 0.5, variable.shape))
    return layer, rng.normal(size=shape).astype(np.float32)


def values(layer):
    """Return the layer's variables by their path inside it, in float64."""
    return {v.path.split("/", 1)[1]: v.numpy().astype(np.float64) for v in layer.variables}


def dense(x, w, name):
    return x @ w[f"{name}/kernel"] + w[f"{name}/bias"]


def attend(x, w, heads, prefix=""):
    """One head, one example, one position at a time."""
    query, key, value = (dense(x, w, prefix + name) for name in ("query", "key", "value"))
    batch, length, width = x.shape
    size = width // heads
    mixed = np.zeros_like(x)
    for b in range(batch):
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            for position in range(length):
                scores = [query[b, position, part] @ key[b, other, part] / np.sqrt(width) for other in range(length)]
                shares = np.exp(scores) / np.sum(np.exp(scores))
                mixed[b, position, part] = sum(share * value[b, i, part] for i, share in enumerate(shares))
    return dense(mixed, w, f"{prefix}output")


def norm(x, w, name):
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-3) * w[f"{name}/gamma"] + w[f"{name}/beta"]


def test_attention_is_that_of_plain_numpy():
    layer, x = randomised(SelfAttention(heads=4, name="a"), (2, 5, 12))
    np.testing.assert_allclose(layer(x).numpy(), attend(x, values(layer), heads=4), rtol=1e-5, atol=1e-5)


def test_a_layer_is_attention_then_hidden_layer_each_added_and_then_normalised():
    layer, x = randomised(TransformerLayer(heads=2, hidden=7, name="t"), (3, 4, 6))
    w = values(layer)
    half = norm(x + attend(x, w, 2, "attention/"), w, "attention_norm")
    expected = norm(half + dense(np.maximum(dense(half, w, "hidden"), 0), w, "output"), w, "output_norm")
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-4, atol=1e-5)


def test_positions_are_sines_and_cosines_of_falling_frequency():
    x = np.full((1, 3, 4), 10.0, np.float32)
    expected = [
        [np.sin(p), np.cos(p), np.sin(p / 100), np.cos(p / 100)] for p in range(3)
    ]  # 10000 to the power of 2 / 4 is 100
    np.testing.assert_allclose(ScaledPositions()(x).numpy()[0], 20.0 + np.array(expected), rtol=1e-6)


def test_parameters_of_the_published_layer():
    layer = TransformerLayer(heads=8, hidden=1024)
    layer.build((None, 9, 512))
    assert layer.count_params() == 4 * (512 * 512 + 512) + 512 * 1024 + 1024 + 1024 * 512 + 512 + 4 * 512


def test_the_seed_decides_every_kernel_and_no_two_are_alike():
    def kernels(seed):
        layer = TransformerLayer(heads=2, hidden=8, seed=seed)
        layer.build((None, 3, 8))
        return [v.numpy() for v in layer.variables if v.name == "kernel"]

    first, again, other = kernels(1), kernels(1), kernels(2)
    assert len(first) == 6
    assert all(np.array_equal(a, b) for a, b in zip(first, again))
    assert not any(np.array_equal(a, b) for a, b in zip(first, other))
    assert len({kernel.tobytes() for kernel in first}) == 6


def test_large_scores_stay_numbers_in_half_precision():
    layer = SelfAttention(heads=1, dtype="mixed_float16")
    layer.build((None, 2, 64))
    for projection in (layer.query, layer.key):
        projection.kernel.assign(np.eye(64) * 4)
    x = np.full((1, 2, 64), 25.0, np.float16)
    # 64 products of 100 * 100 are 640,000, and float16 ends at 65,504.
    outputs = keras.ops.convert_to_numpy(layer(x))
    assert outputs.dtype == np.float16 and np.isfinite(outputs).all()


@pytest.mark.parametrize("heads", [0, 3])
def test_heads_that_do_not_divide_the_width_are_refused(heads):
    with pytest.raises(OptionError, match=f"heads={heads}, width=8"):
        SelfAttention(heads)(np.zeros((1, 2, 8), np.float32))


def test_the_layer_contract(tmp_path):
    inputs = np.random.default_rng(0).normal(size=(2, 5, 8)).astype(np.float32)
    for make in (
        ScaledPositions,
        lambda: SelfAttention(heads=2, seed=1),
        lambda: TransformerLayer(heads=2, hidden=16, seed=1),
    ):
        run_layer_test(make, inputs, (2, 5, 8), tmp_path)

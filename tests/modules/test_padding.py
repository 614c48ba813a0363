"""Where a record begins, what its positions are after strides, and what is averaged."""

import keras
import numpy as np
import pytest
from layer_test import run_layer_test

from transplant.errors import OptionError
from transplant.modules.padding import AlignToEnd, ClearPadding, MeanOverValid, ValidPositions
from transplant.training.runtime import precision


def test_a_signal_is_extended_on_the_left_to_a_multiple(tmp_path):
    x = np.arange(1, 11, dtype=np.float32).reshape(1, 5, 2)
    run_layer_test(lambda: AlignToEnd(4), x, (1, 8, 2), tmp_path, half_precision_output=False)
    extended = AlignToEnd(4)(x).numpy()
    assert np.array_equal(extended[:, 3:], x) and not extended[:, :3].any()
    assert np.array_equal(AlignToEnd(5)(x), x) and np.array_equal(AlignToEnd(1)(x), x)


def valid(signals, stride, multiple):
    return ValidPositions(stride, multiple)(np.array(signals, np.float32)[..., None]).numpy().astype(int).tolist()


def test_padding_ends_at_the_first_sample_that_is_not_zero():
    signals = [[0, 0, 3, 0, 0, -1], [1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, np.nan], [0] * 6]
    assert valid(signals, 1, 1) == [[0, 0, 1, 1, 1, 1], [1] * 6, [0, 0, 0, 0, 0, 1], [0] * 6]


def test_one_lead_that_is_not_zero_is_enough():
    x = np.zeros((2, 4, 2), np.float32)
    x[0, 1, 1] = x[1, 3, 0] = 1e-9
    assert ValidPositions(1, 1)(x).numpy().astype(int).tolist() == [[0, 1, 1, 1], [0, 0, 0, 1]]


def test_a_position_belongs_to_the_record_if_any_of_its_samples_does():
    # Extended to 8 samples, so that the record of three is samples 5 to 7, and that of four 4 to 7.
    three, four = [0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1]
    assert valid([three, four], 2, 4) == [[0, 0, 1, 1], [0, 0, 1, 1]]
    assert valid([three, four], 4, 4) == [[0, 1], [0, 1]]
    assert valid([[0] * 6], 2, 4) == [[0, 0, 0, 0]]


@pytest.mark.parametrize("length", [1, 31, 32, 33, 100])
def test_a_record_has_as_many_positions_as_a_plain_network_gives_it(length):
    x = np.zeros((1, 107, 1), np.float32)
    x[0, -length:] = 1.0
    for stride in (1, 2, 8, 32):
        mask = ValidPositions(stride, 32)(x).numpy()
        assert mask.shape == (1, 128 // stride) == ValidPositions(stride, 32).compute_output_shape(x.shape)
        assert mask.sum() == -(-length // stride) and mask[0, -1]


def test_the_mask_is_boolean_and_sees_what_half_precision_does_not():
    x = np.zeros((1, 4, 1), np.float32)
    x[0, 1:] = 1e-9  # 0 in float16
    with precision("float16"):
        layer = ValidPositions(1, 1)
        assert layer(x).numpy().tolist() == [[False, True, True, True]]
        symbol = layer(keras.Input((None, 1)))
    assert (symbol.shape, symbol.dtype) == ((None, None), "bool")


def test_only_the_padding_is_cleared(tmp_path):
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    run_layer_test(ClearPadding, x, x.shape, tmp_path)
    mask = np.array([[False, True, True, True], [False, False, False, True]])
    cleared = ClearPadding()(x, valid=mask).numpy()
    for record, length in ((0, 3), (1, 1)):
        assert np.array_equal(cleared[record, :, -length:], x[record, :, -length:])
        assert not cleared[record, :, :-length].any()


@pytest.mark.parametrize("shape", [(3, 6, 4), (3, 5, 6, 4)])
def test_the_mean_is_over_the_positions_of_each_record(shape, tmp_path):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    middle = tuple(range(1, len(shape) - 1))
    np.testing.assert_allclose(MeanOverValid()(x).numpy(), x.mean(axis=middle), rtol=1e-5, atol=1e-6)
    mask = np.arange(6) >= np.array([[0], [4], [6]])
    got = MeanOverValid()(x, valid=mask).numpy()
    np.testing.assert_allclose(got[0], x[0].reshape(-1, 4).mean(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(got[1], x[1, ..., 4:, :].reshape(-1, 4).mean(axis=0), rtol=1e-5, atol=1e-6)
    assert got[2].tolist() == [0.0] * 4
    if len(shape) == 3:
        run_layer_test(MeanOverValid, x, (3, 4), tmp_path, half_precision_output=False)


def test_the_sum_of_half_precision_features_does_not_overflow():
    with precision("float16"):
        x = np.full((1, 4000, 1), 100.0, np.float16)
        assert float(MeanOverValid()(x, valid=np.ones((1, 4000), bool))[0, 0]) == 100.0


@pytest.mark.parametrize(("stride", "multiple"), [(0, 4), (3, 4), (8, 4), (1, 0)])
def test_strides_that_do_not_divide_are_refused(stride, multiple):
    with pytest.raises(OptionError, match=f"stride={stride}, multiple={multiple}"):
        ValidPositions(stride, multiple)


def test_a_multiple_of_no_samples_is_refused():
    with pytest.raises(OptionError, match="multiple=0"):
        AlignToEnd(0)

"""Hourly bins, imputation and masks against numbers worked by hand and a plain loop over events."""

import numpy as np
import pytest

from transplant.datasets.icu_tensor import IcuVariable, assemble, impute, last_values
from transplant.errors import DataError

NAN = np.nan
HEART_RATE = IcuVariable("HR", "1/min", 86, low=10, high=300)
REFILL = IcuVariable("Refill", "1", "fast", categories=("slow", "fast", "none"))


@pytest.mark.parametrize(
    "hour, expected",
    [
        (0.0, 0),
        (0.5, 0),
        (1.0, 0),  # the end of an hour belongs to it
        (1 + 1 / 60, 1),
        (2.0, 1),
        (47 + 1 / 60, 47),
        (48.0, 47),
        (48 + 1 / 60, None),
        (-1 / 60, None),
    ],
)
def test_the_bin_of_a_time(hour, expected):
    binned = last_values([0], [hour], [0], [5.0], n_stays=1, n_columns=1)
    assert binned.shape == (1, 48, 1) and binned.dtype == np.float32
    assert np.flatnonzero(~np.isnan(binned[0, :, 0])).tolist() == ([] if expected is None else [expected])


def test_the_later_row_wins_its_bin_and_nan_is_no_measurement():
    binned = last_values(
        stay=[0, 0, 0, 0, 1, 0],
        hour=[0.1, 0.9, 1.0, 1.5, 0.2, 1.8],
        column=[0, 0, 1, 1, 1, 1],
        value=[1, 2, 3, 4, 5, NAN],
        n_stays=2,
        n_columns=2,
        n_hours=3,
    )
    np.testing.assert_array_equal(binned[0], [[2, 3], [NAN, 4], [NAN, NAN]])
    np.testing.assert_array_equal(binned[1], [[NAN, 5], [NAN, NAN], [NAN, NAN]])


def test_bins_and_imputation_agree_with_a_loop_over_events():
    rng = np.random.default_rng(0)
    n, stays, columns, hours = 3000, 7, 4, 12
    stay, column = rng.integers(0, stays, n), rng.integers(0, columns, n)
    # Whole minutes, so that ends of hours and equal times occur; some lie outside.
    minute = rng.integers(-30, 60 * hours + 60, n)
    order = np.lexsort((minute, stay))
    stay, minute, column = stay[order], minute[order], column[order]
    value = rng.normal(size=n).astype(np.float32)
    expected = np.full((stays, hours, columns), NAN, np.float32)
    for s, m, c, v in zip(stay.tolist(), minute.tolist(), column.tolist(), value):
        if 0 <= m <= 60 * hours:
            expected[s, max(0, (m - 1) // 60), c] = v
    binned = last_values(stay, minute / 60, column, value, stays, columns, hours)
    np.testing.assert_array_equal(binned, expected)
    normals = [10.0, 20.0, 30.0, 40.0]
    filled = impute(binned, normals)
    for s in range(stays):
        for c in range(columns):
            last = normals[c]
            for h in range(hours):
                last = last if np.isnan(expected[s, h, c]) else expected[s, h, c]
                assert filled[s, h, c] == np.float32(last)
    np.testing.assert_array_equal(binned, expected)  # the argument is left as it was


def test_the_tensor_has_columns_one_hot_codes_and_masks():
    binned = np.array([[[NAN, NAN], [70, 0], [NAN, NAN], [90, 2]]], np.float32)
    x, names, indicators = assemble(binned, [HEART_RATE, REFILL])
    assert names == ("HR", "Refill->slow", "Refill->fast", "Refill->none", "mask->HR", "mask->Refill")
    assert indicators == names[1:]
    expected = [[86, 0, 1, 0, 0, 0], [70, 1, 0, 0, 1, 1], [70, 1, 0, 0, 0, 0], [90, 0, 0, 1, 1, 1]]
    np.testing.assert_array_equal(x, [expected])
    assert x.dtype == np.float32
    x, names, indicators = assemble(binned[..., ::-1], [REFILL, HEART_RATE], masks=False)
    assert names == ("Refill->slow", "Refill->fast", "Refill->none", "HR") and indicators == names[:3]
    np.testing.assert_array_equal(x[0], np.array(expected)[:, [1, 2, 3, 0]])


def test_plausible_values():
    np.testing.assert_array_equal(HEART_RATE.is_plausible([9.9, 10, 300, 301, NAN, np.inf]), [0, 1, 1, 0, 0, 0])
    np.testing.assert_array_equal(REFILL.is_plausible([-1, 0, 1.5, 2, 3, NAN]), [0, 1, 0, 1, 0, 0])
    assert IcuVariable("a", "1", 0).is_plausible([-1e9, 1e9]).all()


def test_a_normal_category_is_given_by_name_or_index():
    assert REFILL.normal_value == 1 and IcuVariable("Refill", "1", 2, REFILL.categories).normal_value == 2
    assert HEART_RATE.normal_value == 86 and HEART_RATE.columns == ("HR",)


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: IcuVariable("a", "1", "x", ("y", "z")), "a: the normal value is one of the categories"),
        (lambda: IcuVariable("a", "1", 0, ("y", "y")), "whose names differ"),
        (lambda: IcuVariable("a", "1", 5, low=6), "Received: 5, 6 to None"),
        (lambda: last_values([0, 0], [0.0], [0], [1.0], 1, 1), "one stay, hour, column and value each"),
        (lambda: last_values([1], [0.0], [0], [1.0], 1, 1), "a stay is 0 to 0. Received: 1 to 1"),
        (lambda: last_values([0], [0.0], [-1], [1.0], 1, 2), "a column is 0 to 1. Received: -1 to -1"),
        (lambda: impute(np.zeros((1, 2, 3), np.float32), [1, 2]), "one normal value a column, 3"),
        (lambda: impute(np.zeros((1, 2, 1), np.float32), [NAN]), "0 of them finite"),
        (lambda: assemble(np.zeros((1, 2, 1), np.float32), [HEART_RATE, REFILL]), "Received: 2 for shape"),
        (lambda: assemble(np.full((1, 2, 1), 3, np.float32), [REFILL]), "Refill: a value is the index .* 0 to 2"),
    ],
)
def test_what_does_not_fit_is_refused(make, text):
    with pytest.raises(DataError, match=text):
        make()

"""Columns of a record as channels: masks and one-hot codes of hourly tables, leads of signals."""

import numpy as np

from distillation.rdpd.value_channels import value_channels
from transplant.datasets.icu_tensor import IcuVariable, assemble


def test_columns_of_an_hourly_table():
    variables = [IcuVariable("HR", "1/min", 86.0), IcuVariable("eyes", "1", "none", ("none", "pain", "speech"))]
    binned = np.array([[[np.nan, 2], [70, np.nan], [np.nan, 1], [90, np.nan]]], np.float32)
    x, leads, _ = assemble(binned, variables)
    rate, eyes = value_channels(x[0], leads)
    assert (rate.name, rate.columns, rate.categories) == ("HR", ("HR",), ())
    np.testing.assert_array_equal(rate.values, [86, 70, 70, 90])
    np.testing.assert_array_equal(rate.measured, [False, True, False, True])
    assert (eyes.name, eyes.categories) == ("eyes", ("none", "pain", "speech"))
    np.testing.assert_array_equal(eyes.values, [2, 2, 1, 1])
    np.testing.assert_array_equal(eyes.measured, [True, False, True, False])
    assert [eyes.say(value) for value in (0, 2.0)] == ["none", "speech"]
    assert rate.say(70.123) == "70.1"


def test_leads_of_a_signal_say_nothing_of_when_they_were_measured():
    values = np.array([[np.nan, np.nan], [1.0, 2.0]])
    first, second = value_channels(values, ("II", "V1"))
    assert (first.name, second.name, first.measured) == ("II", "V1", None)
    np.testing.assert_array_equal(second.values, [np.nan, 2.0])


def test_padding_of_codes_is_no_category():
    values = np.array([[np.nan, np.nan], [0, 1]])
    (only,) = value_channels(values, ("eyes->open", "eyes->shut"))
    np.testing.assert_array_equal(only.values, [np.nan, 1])

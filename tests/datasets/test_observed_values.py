"""What was measured in sets with and without masks."""

import numpy as np
import pytest

from transplant.datasets.labelled_set import LabelledSet
from transplant.datasets.observed_values import observed_values
from transplant.errors import DataError


def labelled_set(x, leads, indicators=(), lengths=None):
    n = len(x)
    return LabelledSet(
        x=np.asarray(x, np.float32),
        lengths=[x.shape[1]] * n if lengths is None else lengths,
        y=np.arange(n) % 2,
        classes=("survived", "died"),
        record_ids=[str(i) for i in range(n)],
        group_ids=[str(i) for i in range(n)],
        sampling_rate_hz=1 / 3600,
        leads=leads,
        dataset="icu",
        label_version="test",
        unit="mixed",
        indicators=indicators,
    )


LEADS = ("HR", "GCS->3", "GCS->4", "GCS->5", "mask->HR", "mask->GCS")
X = np.array([[[86, 0, 0, 1, 0, 0], [70, 1, 0, 0, 1, 1], [71, 0, 1, 0, 1, 0]]])


def test_masked_sets_give_what_was_measured():
    values, observed, names = observed_values(labelled_set(X, LEADS, LEADS[1:]))
    assert names == ("HR", "GCS") and values.dtype == np.float32 and observed.dtype == bool
    np.testing.assert_array_equal(values[0], [[86, 2], [70, 0], [71, 1]])
    np.testing.assert_array_equal(observed[0], [[False, False], [True, True], [True, False]])


def test_sets_without_masks_give_all_valid_samples():
    x = X[..., :4].copy()
    x[0, 0] = 0
    values, observed, names = observed_values(labelled_set(x, LEADS[:4], LEADS[1:4], lengths=[2]))
    assert names == ("HR", "GCS")
    np.testing.assert_array_equal(observed[0], [[False, False], [True, True], [True, True]])
    np.testing.assert_array_equal(values[0, 1:], [[70, 0], [71, 1]])
    plain = labelled_set(np.ones((2, 3, 2)), ("I", "II"), lengths=[3, 3])
    assert observed_values(plain)[1].all() and observed_values(plain)[2] == ("I", "II")


def test_sets_without_variables_are_refused():
    with pytest.raises(DataError, match="a mask without them for GCS"):
        observed_values(labelled_set(X[..., [0, 4, 5]], ("HR", "mask->HR", "mask->GCS"), ("mask->HR", "mask->GCS")))
    with pytest.raises(DataError, match="no variable, only masks or other indicators"):
        observed_values(labelled_set(X[..., :1], ("flag",), ("flag",)))
    with pytest.raises(DataError, match="records, time, leads"):
        observed_values(labelled_set(np.ones((1, 4, 4, 1)), ("grey",), lengths=[4]))

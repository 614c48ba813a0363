"""scikit-learn's digits as a labelled set."""

import numpy as np
import pytest
import sklearn.datasets

from transplant.datasets.digits import read_digits
from transplant.errors import OptionError


def test_the_digits_are_those_of_scikit_learn():
    ticks = []
    whole = read_digits(on_record=lambda: ticks.append(1))
    data = whole.data
    flat, labels = sklearn.datasets.load_digits(return_X_y=True)
    assert whole.published_test is None and len(ticks) == 1
    assert data.x.shape == (1797, 8, 8, 1) and data.x.dtype == np.uint8
    np.testing.assert_array_equal(data.x.reshape(1797, 64), flat)
    np.testing.assert_array_equal(data.y, labels)
    # The counts that the UCI repository gives for its test part.
    assert list(data.counts().values()) == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert data.classes == tuple("0123456789") and data.lengths.tolist() == [8] * 1797
    assert (data.record_ids[0], data.record_ids[-1]) == ("digit-0000", "digit-1796")
    assert data.group_ids.tolist() == data.record_ids.tolist()
    assert (data.sampling_rate_hz, data.unit, data.leads) == (None, "grey level", ("grey",))


def test_a_source_is_refused():
    with pytest.raises(OptionError, match=r"part of scikit-learn. Received: source D; leave it out"):
        read_digits("D")

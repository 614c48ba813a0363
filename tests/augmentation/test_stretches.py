"""Random stretches of one length."""

import numpy as np
import pytest

from transplant.augmentation.stretches import draw_stretches
from transplant.errors import OptionError


def test_every_stretch_of_a_record_is_as_likely():
    dropped = draw_stretches(np.full(6000, 13), 10, np.random.default_rng(0))
    counts = np.bincount(dropped)
    assert len(counts) == 4 and counts.min() > 1350


def test_a_short_record_is_whole():
    assert not draw_stretches([1, 9, 10], 10, np.random.default_rng(0)).any()


def test_a_crop_of_nothing_is_refused():
    with pytest.raises(OptionError, match="Received: 0"):
        draw_stretches([5], 0, np.random.default_rng(0))

"""Patients that are opened together."""

import pytest

from transplant.training.working_sets import patients_visited, set_bounds


def test_sets_are_of_like_size():
    assert set_bounds(33, 16).tolist() == [0, 11, 22, 33]
    assert set_bounds(4, 16).tolist() == [0, 4]


@pytest.mark.parametrize(
    ("windows", "visited"), [(1, 11), (2750, 11), (2751, 22), (5500, 22), (5501, 33), (8250, 33), (81_920, 33)]
)
def test_a_set_is_seen_whole_from_its_first_window(windows, visited):
    # 33 patients in three sets of 11, 250 windows of each in a pass.
    assert patients_visited(windows, 33, 16, 250) == visited

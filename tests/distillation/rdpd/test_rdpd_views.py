"""Poor views by name, widths of students, and the settings of data sets."""

import argparse

import numpy as np
import pytest

from distillation.rdpd.settings import student_size, teacher_size, temperature_of
from distillation.rdpd.sizes import SETTINGS, student_width
from distillation.rdpd.views import poor_columns, poor_view, rich_rows, value_columns
from transplant.datasets.labelled_set import LabelledSet
from transplant.errors import OptionError
from transplant.modules.segment_rnn import SegmentRnnSize

TABLE = ("HR", "pH", "GCS->1", "GCS->2", "mask->HR", "mask->pH", "mask->GCS")


@pytest.mark.parametrize(
    ("leads", "names", "expected"),
    [
        (("II", "V1", "V5"), "V5", [2]),
        (("II", "V1", "V5"), "V5, II", [0, 2]),
        (TABLE, "HR", [0, 4]),
        (TABLE, "GCS,pH", [1, 2, 3, 5, 6]),
        (TABLE, "GCS->2", [3]),
    ],
)
def test_a_name_stands_for_its_channel_and_what_belongs_to_it(leads, names, expected):
    assert poor_columns(leads, names) == expected


@pytest.mark.parametrize(
    ("names", "message"),
    [("aVR", "Received: aVR"), (" ,", "Received: none"), ("II,V1", "all 2"), ("II,II", "Received: II, II")],
)
def test_a_poor_view_is_a_part_of_the_rich_one(names, message):
    with pytest.raises(OptionError, match=message):
        poor_columns(("II", "V1"), names)


def test_the_view_has_the_columns_alone():
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    found = poor_view(x, [1, 3])
    assert found.tolist() == x[:, :, [1, 3]].tolist() and found.flags["C_CONTIGUOUS"]


def test_widths_of_a_student():
    assert student_width("ratio", 64, 32, 52, 17) == (21, 10)
    assert student_width("ratio", 64, 32, 100, 1) == (2, 2)
    assert student_width("release", 64, 32, 15, 1) == (16, 8)
    assert student_width("same", 64, 32, 15, 1) == (64, 32)
    with pytest.raises(OptionError, match="ratio, release, same"):
        student_width("half", 64, 32, 15, 1)


class _Data:
    def __init__(self, dataset, length, rate):
        self.dataset, self.length, self.sampling_rate_hz = dataset, length, rate


def options(**given):
    names = ("segment", "filters", "kernel", "stride", "hidden", "convolutions", "student_filters", "student_hidden")
    values = dict.fromkeys(names) | {"student_widths": "ratio", "temperature": None} | given
    return argparse.Namespace(**values)


def test_sizes_are_the_published_ones_of_the_data_set_below_what_is_given():
    published = {
        "pamap2": (256, 50.0, SegmentRnnSize(64, 64, 8, 4, 32)),
        "ptbdb": (2000, 200.0, SegmentRnnSize(500, 64, 32, 8, 32, 2)),
        "mimic3_vitals": (48, 1 / 3600, SegmentRnnSize(12, 64, 4, 2, 32)),
    }
    for name, (length, rate, expected) in published.items():
        assert teacher_size(options(), _Data(name, length, rate)) == expected
    data = _Data("ptbdb", 2000, 200.0)
    found = teacher_size(options(segment=250, filters=32, convolutions=1), data)
    assert found == SegmentRnnSize(250, 32, 32, 8, 32, 1)
    assert student_size(options(student_hidden=5), found, 15, 3) == SegmentRnnSize(250, 6, 32, 8, 5, 1)
    assert [temperature_of(options(), _Data(name, 1, 1)) for name in SETTINGS] == [5, 5, 2.5, 2.5, 5]
    assert temperature_of(options(temperature=3.0), data) == 3
    with pytest.raises(OptionError, match="2000 samples and segments of 300"):
        teacher_size(options(segment=300), data)


def test_values_are_neither_masks_nor_codes():
    assert value_columns(TABLE) == [0, 1] and value_columns(("II", "V1")) == [0, 1]


def test_some_patients_have_all_channels():
    patients, records = [f"p{number // 3}" for number in range(60)], [f"r{number}" for number in range(60)]
    x, y = np.zeros((60, 4, 2), np.float32), np.arange(60) // 3 % 2
    data = LabelledSet(x, [4] * 60, y, ("N", "A"), records, patients, 1.0, ("II", "V1"), "made", "1")
    found = rich_rows(data, "group", 0.3, 1)
    assert len(found) == 18 and (np.diff(found) > 0).all()
    assert len(set(data.group_ids[found])) == 6, "patients are whole"
    assert np.bincount(data.y[found]).tolist() == [9, 9], "classes in proportion"
    assert found.tolist() == rich_rows(data, "group", 0.3, 1).tolist() != rich_rows(data, "group", 0.3, 2).tolist()
    assert rich_rows(data, "group", 1.0, 1).tolist() == list(range(60))

"""The distilled file: what it keeps, what it refuses, and the table in the source's units."""

import dataclasses

import numpy as np
import pytest

from distillation.condensation.distilled_set import DistilledSet
from distillation.condensation.icu_table import to_table, write_table
from transplant.errors import DataError, OptionError
from transplant.signals.normalization import Normalization

LEADS = ("HR", "eye->1", "eye->2", "vent->yes", "mask->HR")


def distilled(**changes):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 6, 5)).astype(np.float32)
    x[..., 1:] = rng.uniform(size=(4, 6, 4))  # indicators
    values = {
        "x": x,
        "y": [0, 1, 0, 1],
        "targets": np.eye(2)[[0, 1, 0, 1]],
        "rates": [0.1, 0.2, 0.3, 0.4],
        "step": [0, 0, 1, 1],
        "classes": ("survived", "died"),
        "leads": LEADS,
        "indicators": LEADS[1:],
        "unit": "mixed",
        "sampling_rate_hz": 1 / 3600,
        "normalization": Normalization("zscore", "train", (80.0, 0, 0, 0, 0), (10.0, 1, 1, 1, 1)),
        "provenance": {"method": "vanilla"},
    }
    return DistilledSet(**(values | changes))


def test_a_file_gives_back_what_was_saved(tmp_path):
    saved = distilled()
    saved.save(tmp_path / "distilled.npz")
    for path in (tmp_path, tmp_path / "distilled.npz"):
        loaded = DistilledSet.load(path)
        for field in dataclasses.fields(DistilledSet):
            one, other = getattr(saved, field.name), getattr(loaded, field.name)
            assert np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other, field.name
    assert loaded.is_ordered and not distilled(rates=[]).is_ordered


def test_values_are_in_the_unit_of_the_source():
    found = distilled()
    np.testing.assert_allclose(found.values()[..., 0], 80 + 10 * found.x[..., 0], rtol=1e-5)
    assert np.array_equal(found.values()[..., 1:], found.x[..., 1:])


def test_one_line_makes_a_dataset():
    found = distilled()
    ((x, targets),) = list(found.dataset())
    assert sorted(x.numpy().sum(axis=(1, 2))) == pytest.approx(sorted(found.x.sum(axis=(1, 2))), rel=1e-5)
    assert targets.shape == (4, 2)
    assert [len(x) for x, _ in found.dataset(batch_size=3)] == [3, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": [0, 1]}, "one row of y an example"),
        ({"targets": np.ones((4, 3))}, "one row of targets an example"),
        ({"y": [0, 1, 2, 1]}, "labels are 0 to 1"),
        ({"leads": ("HR",), "indicators": ()}, "1 names of channels"),
        ({"x": np.full((4, 6, 5), np.nan)}, "x of a distilled set must be numbers"),
        ({"rates": [0.1, 0.2, 0.3]}, "3 rates for 2 steps"),
        ({"targets": np.eye(2)[[0, 1, 0, 1]] * 2 - 0.5}, "targets are probabilities"),
        ({"targets": np.full((4, 2), 0.4)}, "targets are probabilities"),
        ({"step": [0, 0, -1, 1]}, "steps count from 0"),
        ({"provenance": None}, "provenance is a dict"),
        ({"x": np.full((4, 6, 5), 1.5)}, "indicators have values from 0 to 1. Received: 1.5 to 1.5"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, message):
    with pytest.raises(DataError, match=message):
        distilled(**changes)


def test_files_that_are_none(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        DistilledSet.load(tmp_path / "none.npz")
    distilled().save(tmp_path / "whole.npz")
    whole = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut\.npz: .* make it again"):
        DistilledSet.load(tmp_path / "cut.npz")
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(DataError, match=r"no y, targets, rates, step, metadata in it"):
        DistilledSet.load(tmp_path / "other.npz")


def test_a_table_has_the_columns_and_units_of_the_source(tmp_path):
    found = distilled()
    table = to_table(found)
    assert list(table.columns) == ["example", "hour", "label", "HR", "eye", "vent", "mask->HR"]
    assert len(table) == 24 and table["label"].tolist()[:7] == ["survived"] * 6 + ["died"]
    row = table.iloc[13]
    values = found.x[2, 1]
    assert (row["example"], row["hour"]) == (2, 1)
    assert row["HR"] == pytest.approx(80 + 10 * values[0], rel=1e-5)
    assert row["eye"] == ("1" if values[1] >= values[2] else "2")
    assert row["vent"] == ("yes" if values[3] > 0.5 else "") and row["mask->HR"] == int(values[4] > 0.5)
    write_table(found, tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text().startswith("example,hour,label,HR,eye,vent,mask->HR\n0,0,survived,")


def test_learned_labels_stand_in_the_table():
    targets = [[0.9, 0.1], [0.4, 0.6], [0.5, 0.5], [0.2, 0.8]]
    table = to_table(distilled(targets=targets))
    assert list(table.columns)[-2:] == ["probability of survived", "probability of died"]
    assert table["probability of died"].tolist() == pytest.approx(np.repeat([0.1, 0.6, 0.5, 0.8], 6))


def test_images_have_no_table():
    images = distilled(
        x=np.zeros((4, 6, 5, 1)), leads=("grey",), indicators=(), normalization=Normalization.none(1), rates=[]
    )
    with pytest.raises(OptionError, match="a table has columns"):
        to_table(images)

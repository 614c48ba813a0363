"""PAMAP2's files, made in their exact form: windows, activities, gaps, and files that are not as they should be."""

import numpy as np
import pytest

from transplant.datasets.pamap2 import CLASSES, LEADS, read_pamap2
from transplant.errors import DataError


def rows(codes, seed=0):
    """Return rows of a file at 100 Hz: (activity, seconds) pairs; channels are sines of their own."""
    activity = np.concatenate([np.full(round(100 * seconds), code) for code, seconds in codes])
    time = np.arange(len(activity)) / 100
    phase = np.random.default_rng(seed).uniform(0, 6, 51)
    units = np.sin(time[:, None] * np.linspace(0.5, 3, 51) + phase)
    heart = np.where(np.arange(len(time)) % 11 == 0, 80 + time, np.nan)
    return np.column_stack([time, activity, heart, units])


def write(folder, subject, table):
    folder.mkdir(exist_ok=True)
    lines = [" ".join("NaN" if np.isnan(v) else f"{v:.10g}" for v in row) for row in table]
    (folder / f"subject{subject}.dat").write_text("\n".join(lines) + "\n")


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "Protocol", 101, rows([(0, 1), (1, 7.2), (0, 1), (4, 6.2)]))
    write(tmp_path / "Protocol", 102, rows([(24, 5.12), (2, 5), (17, 9)], seed=1))
    return tmp_path


def test_windows_are_of_one_activity_every_second(folder):
    whole = read_pamap2(folder)
    data = whole.data
    assert data.x.shape == (3 + 2 + 1 + 4, 256, 52) and data.sampling_rate_hz == 50 and data.leads == LEADS
    found = [(name, CLASSES[label]) for name, label in zip(data.group_ids, data.y)]
    expected = [("101", "lying")] * 3 + [("101", "walking")] * 2 + [("102", "rope jumping")] + [("102", "ironing")] * 4
    assert found == expected and len(set(data.record_ids.tolist())) == len(data)
    assert whole.published_test.tolist() == [True] * 5 + [False] * 5
    assert "0.00% of the values" in data.notes[0]


def test_values_are_those_of_the_file_at_half_the_rate(folder):
    data = read_pamap2(folder).data
    table = rows([(0, 1), (1, 7.2), (0, 1), (4, 6.2)])
    # Away from the ends of a stretch, where the filter sees what stands beyond them.
    second = data.x[1]
    expected = table[100 + 100 : 100 + 100 + 512 : 2, 3:]
    np.testing.assert_allclose(second[20:-20, 1:], expected[20:-20], atol=0.01)
    # The heart rate stands until the next one: steps of .11 at every 11th sample.
    np.testing.assert_allclose(second[20:-20, 0], 80 + table[200:712:2, 0][20:-20], atol=0.15)


def test_lost_samples_are_bridged_and_counted(folder):
    table = rows([(1, 8)])
    table[200:230, 5] = np.nan
    table[:5, 3:] = np.nan
    write(folder / "Protocol", 103, table)
    data = read_pamap2(folder / "Protocol").data
    x = data.x[data.group_ids == "103"]
    assert np.isfinite(x).all() and len(x) == 3
    np.testing.assert_allclose(x[0][103:112, LEADS.index("hand-accel16g-y")], table[199, 5], atol=0.05)
    lost = 30 + 5 * 51
    assert f"{lost / (51 * (1540 + 1912 + 800)):.2%} of the values" in data.notes[0]


def test_a_channel_that_no_value_is_known_of_yet_takes_the_next(folder):
    table = rows([(1, 6)])
    table[:400, 2] = np.nan  # four seconds without a heart rate
    write(folder / "Protocol", 103, table)
    x = read_pamap2(folder).data
    heart = x.x[x.group_ids == "103"][0][:, 0]
    np.testing.assert_allclose(heart[10:190], np.nanmin(table[:, 2]), atol=0.01)  # past the filter's edge


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t[:, :53], "Received: 53 columns"),
        (lambda t: np.where(np.arange(54) == 1, 99.0, t), "line 1: an activity is one of"),
        (lambda t: np.where(np.arange(54) == 2, np.nan, t), "a heart rate is needed. Received: none in 600 rows"),
        (lambda t: np.where(np.arange(54) == 20, np.nan, t), "no value of chest-temperature"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_name(spoil, message, folder):
    write(folder / "Protocol", 109, spoil(rows([(1, 6)])))
    with pytest.raises(DataError, match=r"subject109\.dat") as raised:
        read_pamap2(folder)
    assert message in str(raised.value)
    skipped = []
    assert len(read_pamap2(folder, skipped=skipped).data) == 10
    assert [entry.name for entry in skipped] == ["subject109.dat"]


def test_a_file_of_words_and_a_folder_without_files(folder, tmp_path):
    (folder / "Protocol" / "subject108.dat").write_text("no numbers here\n")
    with pytest.raises(DataError, match=r"subject108\.dat: rows of 54 numbers"):
        read_pamap2(folder)
    with pytest.raises(DataError, match=r"subject101\.dat to subject109\.dat are needed"):
        read_pamap2(tmp_path / "nothing")

"""The table of EEG seconds: rows, recordings, and every way in which the table can be wrong."""

import os
import pathlib

import numpy as np
import pytest

from transplant.datasets.seizure import CLASSES, read_seizure
from transplant.errors import DataError

DATA = os.environ.get("TRANSPLANT_DATA")
HEADER = ["", *(f"X{i}" for i in range(1, 179)), "y"]
# Recording, chunk, label: two rows of one recording, one of another, and one of a name with no number.
ROWS = [("V1.791", 21, 4), ("V1.924", 15, 1), ("V1.791", 3, 4), ("V1", 1, 5)]


def samples(row):
    return [row * 1000 + i - 89 for i in range(178)]


def lines(rows=ROWS, header=HEADER):
    table = [header] + [[f"X{chunk}.{name}", *samples(i), label] for i, (name, chunk, label) in enumerate(rows)]
    return [[str(cell) for cell in line] for line in table]


def write(folder, table, name="data.csv"):
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text("".join(",".join(line) + "\n" for line in table))
    return file


def write_row_source(folder, entries, header="row,bonn_file,chunk_1_to_23"):
    (folder / "row_source.csv").write_text("\n".join([header, *entries]) + "\n")


def test_rows_become_seconds_of_named_recordings(tmp_path):
    ticks = []
    whole = read_seizure(write(tmp_path, lines()), on_record=lambda: ticks.append(1))
    data = whole.data
    assert whole.published_test is None and len(ticks) == 4
    assert data.x.shape == (4, 178, 1) and data.x.dtype == np.float32
    np.testing.assert_array_equal(data.x[2, :, 0], np.arange(2000 - 89, 2000 + 89))
    assert data.y.tolist() == [3, 0, 3, 4] and data.classes == CLASSES
    assert data.classes[0] == "seizure" and data.classes[4] == "eyes open"
    assert data.record_ids.tolist() == ["V1.791-21", "V1.924-15", "V1.791-3", "V1-1"]
    assert data.group_ids.tolist() == ["V1.791", "V1.924", "V1.791", "V1"]
    assert (data.sampling_rate_hz, data.unit, data.leads) == (173.61, "uV", ("EEG",))
    assert data.lengths.tolist() == [178] * 4
    assert "recordings that do not have 23 rows: V1, V1.791, V1.924" in data.notes


def test_recordings_of_23_rows_are_not_remarked_on(tmp_path):
    rows = [("V1.5", chunk, 2) for chunk in range(1, 24)]
    (note,) = read_seizure(write(tmp_path, lines(rows))).data.notes
    assert note.startswith("1 recordings, told by the first column; whose they are is not published")


def test_a_recording_with_two_labels_is_remarked_on(tmp_path):
    rows = [("V1.5", 1, 2), ("V1.5", 2, 3), ("V1.6", 1, 2)]
    assert "recordings whose rows have different labels: V1.5" in read_seizure(write(tmp_path, lines(rows))).data.notes


@pytest.mark.parametrize("name", ["data.csv", "Epileptic Seizure Recognition.csv", "other.csv"])
def test_a_folder_is_searched_for_its_table(tmp_path, name):
    write(tmp_path, lines(), name)
    assert len(read_seizure(tmp_path).data) == 4


def test_row_source_names_the_recordings_in_any_order(tmp_path):
    write(tmp_path, lines())
    write_row_source(tmp_path, ["3,Z001,1", "0,O080,21", "2,O080,3", "1,S093,15"])
    data = read_seizure(tmp_path).data
    assert data.record_ids.tolist() == ["O080-21", "S093-15", "O080-3", "Z001-1"]
    assert data.group_ids.tolist() == ["O080", "S093", "O080", "Z001"]


def test_a_table_without_names_needs_row_source(tmp_path):
    write(tmp_path, [line[1:] for line in lines()])
    with pytest.raises(DataError, match=r"data\.csv: the first column names each row's recording.*no row_source\.csv"):
        read_seizure(tmp_path)
    write_row_source(tmp_path, ["0,O080,21", "1,S093,15", "2,O080,3", "3,Z001,1"], "row,bonn_file,chunk")
    assert read_seizure(tmp_path).data.group_ids.tolist() == ["O080", "S093", "O080", "Z001"]


def test_names_and_row_source_that_disagree_are_refused(tmp_path):
    write(tmp_path, lines())
    write_row_source(tmp_path, ["0,O080,21", "1,S093,15", "2,O081,3", "3,Z001,1"])
    with pytest.raises(DataError, match="Received: 3 and 4 names in 4 pairs"):
        read_seizure(tmp_path)


@pytest.mark.parametrize(
    "entries, header",
    [
        (["0,O080,21", "1,S093,15"], "row,bonn_file,chunk"),
        (["0,O080,21", "1,S093,15", "2,O080,3", "2,Z001,1"], "row,bonn_file,chunk"),
        (["0,O080,21", "1,S093,15", "2,,3", "3,Z001,1"], "row,bonn_file,chunk"),
        (["0,O080,21", "1,S093,15", "2,O080,3", "3,Z001,1"], "row,file,chunk"),
        (["0,O080,21", "1,S093,15", "2,O080,3", "3,Z001,1"], "row,bonn_file,part"),
    ],
)
def test_row_source_must_name_every_row_once(tmp_path, entries, header):
    write(tmp_path, lines())
    write_row_source(tmp_path, entries, header)
    with pytest.raises(DataError, match=r"row_source\.csv: a CSV of row, bonn_file, chunk for the 4 rows"):
        read_seizure(tmp_path)


@pytest.mark.parametrize(
    "row, column, cell, message",
    [
        (1, 5, "abc", "line 2: a sample is a number. Received: 'abc' in column X5"),
        (2, 178, "", "line 3: a sample is a number. Received: an empty cell in column X178"),
        (3, 1, "inf", "line 4: a sample is a number. Received: 'inf' in column X1"),
        (3, 1, "1e39", "line 4: a sample is a number. Received: '1e"),  # more than float32 holds
        (4, 179, "6", "line 5: a label is 1 to 5. Received: '6' in column y"),
        (4, 179, "0", "line 5: a label is 1 to 5. Received: '0' in column y"),
        (4, 179, "1.5", "line 5: a label is 1 to 5. Received: '1.5' in column y"),
        (4, 179, "", "line 5: a label is 1 to 5. Received: an empty cell in column y"),
    ],
)
def test_a_bad_cell_is_named_by_its_line_or_its_row_left_out(tmp_path, row, column, cell, message):
    table = lines()
    table[row][column] = cell
    file = write(tmp_path, table)
    with pytest.raises(DataError) as error:
        read_seizure(file)
    assert str(error.value).startswith(f"{file}: {message}")
    skipped = []
    data = read_seizure(file, skipped=skipped).data
    assert [entry.name for entry in skipped] == [f"line {row + 1}"] and message in skipped[0].reason
    kept = [i for i in range(4) if i != row - 1]
    np.testing.assert_array_equal(data.x[:, :, 0], [samples(i) for i in kept])
    assert data.y.tolist() == [ROWS[i][2] - 1 for i in kept]
    assert data.group_ids.tolist() == [ROWS[i][0] for i in kept]


def test_blank_lines_do_not_shift_the_line_that_is_named(tmp_path):
    table = lines()
    table[2][7] = "x"
    text = ["", *(",".join(line) for line in table[2:]), ""]
    file = tmp_path / "data.csv"
    file.write_text("\n".join([",".join(table[0]), ",".join(table[1]), *text]) + "\n")
    with pytest.raises(DataError, match="line 4: a sample is a number"):
        read_seizure(file)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda table: [line[:100] + line[101:-1] for line in table], "180 columns. Received: 178, the last"),
        (lambda table: [[*line, "7"] for line in table], "180 columns. Received: 181, the last one '7'"),
        (lambda table: [table[0], [*table[1], "7"], *table[2:]], "Expected 180 fields in line 2, saw 181|longer than"),
        (lambda table: [table[0], *([*line, "7"] for line in table[1:])], "lines longer than the header"),
        (lambda table: table[1:], "180 columns. Received: 180, the last one '4"),
        (lambda table: table[:1], "rows are needed. Received: a header only"),
        (lambda table: [], "No columns to parse"),
        (lambda table: [*table, table[1]], "Received: V1.791-21 more than once, as the first column says"),
        (lambda table: [table[0], ["7", *table[1][1:]], *table[2:]], "Received: '7' and no row_source.csv"),
    ],
)
def test_another_table_is_refused(tmp_path, change, message):
    file = write(tmp_path, change(lines()))
    with pytest.raises(DataError, match=message) as error:
        read_seizure(file)
    assert str(error.value).startswith(f"{file}: ")


def test_a_table_with_no_usable_row_is_refused(tmp_path):
    file = write(tmp_path, lines([("V1.5", 1, 9)]))
    with pytest.raises(DataError, match=r"rows are needed. Received: none that can be used"):
        read_seizure(file, skipped=[])


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "data.csv").write_bytes(b"\xff\xfe\x00\x01" * 50)
    with pytest.raises(DataError, match=r"data\.csv: a CSV of 178 samples"):
        read_seizure(tmp_path)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(DataError, match="no such file; get UCI's data set 388"):
        read_seizure(tmp_path / "nowhere")
    write_row_source(tmp_path, [])
    with pytest.raises(DataError, match=r"or one CSV is needed. Received: none"):
        read_seizure(tmp_path)
    for name in ("a.csv", "b.csv"):
        write(tmp_path, lines(), name)
    with pytest.raises(DataError, match=r"Received: a\.csv, b\.csv; name the file"):
        read_seizure(tmp_path)


@pytest.mark.skipif(DATA is None, reason="TRANSPLANT_DATA is not set")
def test_the_real_table_has_500_recordings_of_23_seconds():
    folder = pathlib.Path(DATA) / "uci_epileptic_seizure"
    data = read_seizure(folder).data
    assert set(data.counts().values()) == {2300} and data.x.shape == (11500, 178, 1)
    groups, counts = np.unique(data.group_ids, return_counts=True)
    assert len(groups) == 500 and set(counts.tolist()) == {23}
    # Bonn's sets: S seizures, F at the tumour, N away from it, O eyes closed, Z eyes open.
    assert "".join("SFNOZ"[label] for label in data.y) == "".join(name[0] for name in data.group_ids)
    # The chunks of a recording follow each other: the last sample of one is near the first of the next.
    order = np.lexsort(([int(name.split("-")[1]) for name in data.record_ids], data.group_ids))
    x = data.x[order, :, 0].reshape(500, 23, 178)
    steps = np.abs(x[:, 1:, 0] - x[:, :-1, -1])
    assert np.median(steps) < 1.5 * np.median(np.abs(np.diff(x)))
    assert np.median(steps) < 0.2 * np.median(np.abs(x[1:, 1:, 0] - x[:-1, :-1, -1]))

"""The challenge's files: small stays worked by hand, and the real ones where TRANSPLANT_DATA is set."""

import csv

import numpy as np
import pytest

from transplant.datasets.icu_tensor import impute
from transplant.datasets.physionet2012 import LOS_CLASSES, read_physionet2012
from transplant.datasets.physionet2012_variables import FIRST_CATEGORY, STATICS, VARIABLES, choose_variables
from transplant.errors import DataError, OptionError

ADMISSION = {"Age": 54, "Gender": 0, "Height": -1, "ICUType": 4, "Weight": -1}
OUTCOME_HEADER = "RecordID,SAPS-I,SOFA,Length_of_stay,Survival,In-hospital_death"


def write_stay(folder, name, rows=(), admission=(), line_end="\n"):
    """Write a stay as distributed: the descriptors at 00:00, then rows (time, parameter, value)."""
    folder.mkdir(parents=True, exist_ok=True)
    first = {"RecordID": name} | ADMISSION | dict(admission)
    lines = ["Time,Parameter,Value"] + [f"00:00,{key},{value}" for key, value in first.items()]
    lines += [",".join(map(str, row)) for row in rows]
    (folder / f"{name}.txt").write_text(line_end.join(lines) + line_end)


def write_outcomes(file, outcomes):
    """Write {name: (days, died)} as distributed."""
    rows = [f"{name},{6},{1},{days},-1,{died}" for name, (days, died) in outcomes.items()]
    file.write_text("\n".join([OUTCOME_HEADER, *rows]) + "\n")


ROWS = [
    ("00:07", "HR", 73),
    ("00:07", "GCS", 15),
    ("01:00", "HR", 77),
    ("01:01", "HR", 60),
    ("01:59", "HR", 64),
    ("03:30", "GCS", 3),
    ("03:30", "Temp", -17.8),
    ("05:10", "pH", 735),
    ("05:20", "Weight", 0),
    ("06:00", "MechVent", 1),
    ("07:00", "AST", "1.213e+04"),
    ("48:00", "Weight", 80.6),
]


@pytest.fixture
def folder(tmp_path):
    write_stay(tmp_path / "set-a", 132539, ROWS)
    write_stay(tmp_path / "set-a", 132540, [("10:00", "HR", 90)], {"Gender": 1, "Height": 175.3, "Weight": 76})
    write_stay(tmp_path / "set-a", 140501, admission={"Gender": -1, "ICUType": 3})
    write_outcomes(tmp_path / "Outcomes-a.txt", {132539: (5, 0), 132540: (14, 1), 140501: (-1, 0)})
    return tmp_path


def column(data, name):
    return data.x[..., data.leads.index(name)]


def runs(*pairs):
    """Return 48 hours of (value, hours) pairs."""
    return np.concatenate([np.full(hours, value, np.float32) for value, hours in pairs])


def test_a_stay_worked_by_hand(folder):
    read = []
    whole = read_physionet2012(folder, on_record=lambda: read.append(1))
    data = whole.data
    assert len(read) == 3 and whole.published_test is None
    assert data.x.shape == (3, 48, 37 + 2 + 4 + 13 + 2 + 41) and data.sampling_rate_hz == 1 / 3600
    assert data.classes == ("survived", "died") and data.y.tolist() == [0, 1, 0]
    assert data.record_ids.tolist() == data.group_ids.tolist() == ["132539", "132540", "140501"]
    assert (data.dataset, data.label_version, data.unit) == ("physionet2012", "set-a mortality", "mixed")
    assert data.lengths.tolist() == [48] * 3
    np.testing.assert_array_equal(column(data, "HR")[0], runs((77, 1), (64, 47)))
    np.testing.assert_array_equal(column(data, "mask->HR")[0], runs((1, 2), (0, 46)))
    np.testing.assert_array_equal(column(data, "HR")[1], runs((86, 9), (90, 39)))
    np.testing.assert_array_equal(column(data, "GCS->15")[0], runs((1, 3), (0, 45)))
    np.testing.assert_array_equal(column(data, "GCS->3")[0], runs((0, 3), (1, 45)))
    np.testing.assert_array_equal(column(data, "MechVent->yes")[0], runs((0, 5), (1, 43)))
    np.testing.assert_array_equal(column(data, "AST")[0], runs((25, 6), (12130, 42)))
    weights = np.float32([[81, 81, 80.6], [76, 76, 76], [81, 81, 81]])
    np.testing.assert_array_equal(column(data, "Weight")[:, [0, 46, 47]], weights)
    # Values that cannot be, and -1, are no measurements.
    for name in ("Temp", "pH", "Height"):
        assert not column(data, f"mask->{name}")[0].any()
    assert (column(data, "Temp")[0] == np.float32(36.6)).all() and (column(data, "pH")[0] == np.float32(7.4)).all()
    # What is noted at admission is measured in the first hour and carried forward.
    np.testing.assert_array_equal(column(data, "Height"), np.repeat(np.float32([[170], [175.3], [170]]), 48, axis=1))
    np.testing.assert_array_equal(column(data, "mask->Height").sum(axis=1), [0, 1, 0])
    np.testing.assert_array_equal(column(data, "Gender->male")[:, 47], [0, 1, 1])
    np.testing.assert_array_equal(column(data, "ICUType->surgical")[:, 0], [1, 1, 0])
    np.testing.assert_array_equal(column(data, "ICUType->medical")[:, 47], [0, 0, 1])
    continuous = [variable.name for variable in VARIABLES if not variable.categories]
    assert [name for name in data.leads if name not in data.indicators] == continuous


def test_notes_say_what_a_reader_should_know(folder):
    notes = read_physionet2012(folder).data.notes
    assert notes[0] == (
        "3 values outside their variable's plausible range count as missing (Temp 1, Weight 1, pH 1)"
    )
    assert notes[1].startswith("1 stays without any of these measurements after admission are kept")
    assert notes[2].startswith("of 3 stays, measured at all: RespRate in 0 (0%), SaO2 in 0 (0%)")
    assert notes[2].endswith("the masks tell where")
    without = read_physionet2012(folder, masks=False).data
    assert without.notes[2].endswith("nothing tells where, without masks") and without.x.shape == (3, 48, 58)


def test_length_of_stay_is_a_target(folder):
    data = read_physionet2012(folder, target="los").data
    assert data.classes == LOS_CLASSES and data.record_ids.tolist() == ["132539", "132540"]
    assert [LOS_CLASSES[label] for label in data.y] == ["5", "14+"]
    assert data.notes[0] == "1 stays of unknown length are left out" and data.label_version == "set-a los"


def test_buckets_of_the_length_of_stay(tmp_path):
    days = [1, 2, 3, 4, 5, 6, 7, 8, 13, 14, 154]
    for name in range(101, 112):
        write_stay(tmp_path / "set-a", name, [("01:00", "HR", 80)])
    write_outcomes(tmp_path / "Outcomes-a.txt", {101 + i: (day, 0) for i, day in enumerate(days)})
    labels = [LOS_CLASSES[y] for y in read_physionet2012(tmp_path, target="los").data.y]
    assert labels == ["<3", "<3", "3", "4", "5", "6", "7", "8-13", "8-13", "14+", "14+"]


def test_a_choice_of_variables_keeps_their_order(folder):
    data = read_physionet2012(folder, variables="GCS, hr", masks=False).data
    assert data.leads[-1] == "HR" and data.leads[0] == "GCS->3" and len(data.leads) == 14
    assert read_physionet2012(folder, variables=["HR", "GCS"], masks=False).data.leads == data.leads
    everything = read_physionet2012(folder).data
    np.testing.assert_array_equal(column(data, "HR"), column(everything, "HR"))


def test_rows_out_of_order_and_windows_line_ends_give_the_same(folder, tmp_path):
    expected = read_physionet2012(folder).data.x
    # Rows of one time stay in order: the later counts.
    write_stay(folder / "set-a", 132539, sorted(ROWS, key=lambda row: row[0], reverse=True), line_end="\r\n")
    np.testing.assert_array_equal(read_physionet2012(folder).data.x, expected)
    file = folder / "set-a" / "132540.txt"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\n\n", 3)[:-1])
    np.testing.assert_array_equal(read_physionet2012(folder).data.x, expected)


def test_the_folder_of_the_stays_is_found_too(folder):
    expected = read_physionet2012(folder).data
    assert read_physionet2012(folder / "set-a").data.fingerprint() == expected.fingerprint()
    (folder / "Outcomes-a.txt").rename(folder / "set-a" / "Outcomes-a.txt")
    assert read_physionet2012(folder).data.fingerprint() == expected.fingerprint()
    (folder / "set-a").rename(folder / "stays")
    assert read_physionet2012(folder / "stays").data.fingerprint() == expected.fingerprint()
    write_outcomes(folder / "stays" / "Outcomes-b.txt", {})
    with pytest.raises(DataError, match=r"several tables of outcomes. .* Outcomes-a.txt, Outcomes-b"):
        read_physionet2012(folder / "stays")


def test_later_sets_are_the_published_test_records(folder):
    write_stay(folder / "set-b", 142675, [("01:00", "HR", 100)])
    whole = read_physionet2012(folder)
    assert len(whole.data) == 3 and whole.published_test is None
    assert whole.data.notes[0] == "set-b is left out, it has no outcomes here"
    write_outcomes(folder / "Outcomes-b.txt", {142675: (9, 1)})
    whole = read_physionet2012(folder)
    assert whole.data.record_ids[-1] == "142675" and whole.data.label_version == "set-a+set-b mortality"
    assert whole.published_test.tolist() == [False, False, False, True]
    write_stay(folder / "set-b", 132539)
    write_outcomes(folder / "Outcomes-b.txt", {142675: (9, 1), 132539: (9, 1)})
    with pytest.raises(DataError, match=r"set-b.132539.txt: a stay is in one set"):
        read_physionet2012(folder)


@pytest.mark.parametrize("name", ["SAPS-I", "SOFA", "Length_of_stay", "Survival", "In-hospital_death"])
def test_outcomes_are_never_inputs(folder, name):
    with pytest.raises(OptionError, match=f"an outcome is never an input. Received: --variables with {name} "):
        read_physionet2012(folder, variables=f"HR,{name.lower()}")
    write_stay(folder / "set-a", 132540, [("01:00", "HR", 90), ("02:00", name, 1)])
    with pytest.raises(DataError, match=f"132540.txt: an outcome is never an input. Received: {name} in line 9 "):
        read_physionet2012(folder)


@pytest.mark.parametrize(
    "variables, text",
    [
        ("HR,Pulse", "variables are Age, Gender, .* Received: --variables with Pulse"),
        ("HR,,pH", "an empty name"),
        ("RecordID", "Received: --variables with RecordID"),
        ("HR,pH,hr", "Received: --variables with hr again"),
        ([], "one at least. Received: --variables with none"),
    ],
)
def test_variables_that_cannot_be_chosen(variables, text):
    with pytest.raises(OptionError, match=text):
        choose_variables(variables)


def test_an_unknown_target_is_refused(folder):
    with pytest.raises(OptionError, match=r"targets of physionet2012 are mortality, los. Received: sepsis"):
        read_physionet2012(folder, target="sepsis")


@pytest.mark.parametrize(
    "row, text",
    [
        ("02:00,HR", "HH:MM,PARAMETER,NUMBER. Received: line 9 '02:00,HR'"),
        ("02:00,HR,", "Received: line 9 '02:00,HR,'"),
        ("02:00,HR,80,90", "Received: line 9 '02:00,HR,80,90'"),
        ("02:00,HR,80,90\n03:00,HR", "Received: line 9 '02:00,HR,80,90'"),
        ("02:00,HR,nan", "Received: line 9 '02:00,HR,nan'"),
        ("02:00,HR,1e999", "Received: line 9 '02:00,HR,1e999'"),
        ("02:00,HR,8O", "Received: line 9 '02:00,HR,8O'"),
        ("02:60,HR,80", "Received: line 9 '02:60,HR,80'"),
        ("2h,HR,80", "Received: line 9 '2h,HR,80'"),
        ("-1:00,HR,80", "Received: line 9 '-1:00,HR,80'"),
        ("02:00,Pulse,80", "one of the challenge's 41 variables. Received: Pulse in line 9"),
        ("02:00,,80", "Received: an empty name in line 9"),
        ("00:00,RecordID,132541", "holds its own RecordID once. Received: 132540, 132541"),
    ],
)
def test_a_bad_row_is_named_and_may_be_left_out(folder, row, text):
    file = folder / "set-a" / "132540.txt"
    file.write_text(file.read_text() + row + "\n")
    with pytest.raises(DataError, match=f"132540.txt: .*{text}"):
        read_physionet2012(folder)
    skipped = []
    data = read_physionet2012(folder, skipped=skipped).data
    assert data.record_ids.tolist() == ["132539", "140501"] and [entry.name for entry in skipped] == ["132540"]
    assert "132540.txt" in skipped[0].reason


@pytest.mark.parametrize(
    "content, text",
    [
        (b"", "begins with Time,Parameter,Value. Received: line 1 ''"),
        (b"Time;Parameter;Value\n", "Received: line 1 'Time;Parameter;Value'"),
        (b"Time,Parameter,Value\n", "its own RecordID once. Received: none"),
        (b"Time,Parameter,Value\n00:00,RecordID,132539\n", "Received: 132539"),
        (b"Time,Parameter,Value\n00:00,RecordID,132540\n01:00,HR,8\xff\n", "Received: line 3"),
        (b"Time,Parameter,Value\n00:00,RecordID,132540\n01:00,HR,8\0\n", "Received: line 3"),
    ],
)
def test_a_file_of_other_content_is_named_and_may_be_left_out(folder, content, text):
    (folder / "set-a" / "132540.txt").write_bytes(content)
    with pytest.raises(DataError, match=f"132540.txt: .*{text}"):
        read_physionet2012(folder)
    skipped = []
    assert len(read_physionet2012(folder, skipped=skipped).data) == 2 and len(skipped) == 1


def test_stays_and_outcomes_belong_together(folder):
    outcomes = {132539: (5, 0), 132541: (3, 0), 132540: (14, 1), 140501: (-1, 0)}
    write_outcomes(folder / "Outcomes-a.txt", outcomes)
    with pytest.raises(DataError, match=r"Outcomes-a.txt: each row .*set-a. Received: 1 without file \(132541\)"):
        read_physionet2012(folder)
    skipped = []
    assert len(read_physionet2012(folder, skipped=skipped).data) == 3 and skipped[0].name == "132541"
    write_outcomes(folder / "Outcomes-a.txt", {132539: (5, 0), 140501: (3, 1)})
    with pytest.raises(DataError, match=r"set-a: each stay .* Outcomes-a.txt. Received: 1 without row \(132540\)"):
        read_physionet2012(folder)
    skipped = []
    assert len(read_physionet2012(folder, skipped=skipped).data) == 2 and skipped[0].name == "132540"


@pytest.mark.parametrize(
    "content, text",
    [
        ("", "Received: no RecordID, Length_of_stay, In-hospital_death in line 1"),
        ("RecordID,SAPS-I,SOFA,Length_of_stay,Survival\n", "Received: no In-hospital_death"),
        (f"{OUTCOME_HEADER}\n132539,6,1,5,-1\n", "line 2 '132539,6,1,5,-1'"),
        (f"{OUTCOME_HEADER}\n132539,6,1,5,-1,2\n", "line 2 '132539,6,1,5,-1,2'"),
        (f"{OUTCOME_HEADER}\n132539,6,1,-2,-1,0\n", "line 2 '132539,6,1,-2,-1,0'"),
        (f"{OUTCOME_HEADER}\n132539,6,1,5,-1,0\n\nx,6,1,5,-1,0\n", "line 4 'x,6,1,5,-1,0'"),
        (f"{OUTCOME_HEADER}\n132539,6,1,5,-1,0\n132539,6,1,5,-1,0\n", "132539 again in line 3"),
    ],
)
def test_a_bad_table_of_outcomes_is_named(folder, content, text):
    (folder / "Outcomes-a.txt").write_text(content)
    with pytest.raises(DataError, match=f"Outcomes-a.txt: .*{text}"):
        read_physionet2012(folder)


def test_missing_files_are_named(folder, tmp_path):
    (folder / "Outcomes-a.txt").unlink()
    with pytest.raises(DataError, match=r"Outcomes-a.txt: the outcomes of set-a are needed. Received: no such file"):
        read_physionet2012(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: the stays' files are needed"):
        read_physionet2012(tmp_path / "empty")
    with pytest.raises(DataError, match=r"nowhere: the folder of the challenge is needed. Received: no such folder"):
        read_physionet2012(tmp_path / "nowhere")


def test_messages_are_one_line(folder):
    (folder / "Outcomes-a.txt").unlink()
    with pytest.raises(DataError) as caught:
        read_physionet2012(folder)
    assert "\n" not in str(caught.value) and "https://physionet.org/content/challenge-2012/" in str(caught.value)


def by_loop(file):
    """Return the hourly values (48, 41) of a stay, one row after the other, NaN where nothing was measured."""
    columns = {variable.name: index for index, variable in enumerate(VARIABLES)}
    binned = np.full((48, len(VARIABLES)), np.nan, np.float32)
    with open(file) as stream:
        for row in list(csv.reader(stream))[1:]:
            if row[1] == "RecordID" or float(row[2]) == -1:
                continue
            minute, variable = int(row[0][:2]) * 60 + int(row[0][3:]), VARIABLES[columns[row[1]]]
            value = float(row[2])
            if variable.categories:
                value = value - FIRST_CATEGORY[variable.name]
            elif not variable.low <= value <= variable.high:
                continue
            if minute <= 48 * 60:
                binned[max(0, (minute - 1) // 60), columns[row[1]]] = value
    return binned


def test_the_real_stays(real_data):
    source = real_data / "physionet2012"
    if not source.is_dir():
        pytest.skip("no physionet2012 in TRANSPLANT_DATA")
    data = read_physionet2012(source).data
    assert data.x.shape == (4000, 48, 99) and data.counts() == {"survived": 3446, "died": 554}
    text = " ".join(data.notes)
    assert "RespRate in 1,101 (28%), SaO2 in 1,792 (45%)" in text and text.startswith("2,339 values outside")
    assert "3 stays without any" in text
    with open(source / "Outcomes-a.txt") as stream:
        died = {row["RecordID"]: int(row["In-hospital_death"]) for row in csv.DictReader(stream)}
    assert data.y.tolist() == [died[name] for name in data.record_ids]
    for index in range(0, 4000, 200):
        binned = by_loop(source / "set-a" / f"{data.record_ids[index]}.txt")
        filled = impute(binned[None], [variable.normal_value for variable in VARIABLES])[0]
        for number, variable in enumerate(VARIABLES):
            columns = [data.leads.index(name) for name in variable.columns]
            got = data.x[index][:, columns]
            got = got.argmax(axis=-1) if variable.categories else got[:, 0]
            np.testing.assert_array_equal(got, filled[:, number])
            mask = data.x[index][:, data.leads.index(f"mask->{variable.name}")]
            np.testing.assert_array_equal(mask, ~np.isnan(binned[:, number]))
    # What stands at admission is one value a stay.
    for name in STATICS[::2]:
        assert (np.ptp(column(data, name), axis=1) == 0).all()


def test_lengths_of_the_real_stays(real_data):
    source = real_data / "physionet2012"
    if not source.is_dir():
        pytest.skip("no physionet2012 in TRANSPLANT_DATA")
    data = read_physionet2012(source, target="los", variables="HR").data
    assert list(data.counts().values()) == [51, 147, 223, 292, 358, 297, 1235, 1337]
    assert data.notes[0] == "60 stays of unknown length are left out"

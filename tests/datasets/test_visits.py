import csv
import datetime

import numpy as np
import pytest
from mimic_files import write_tables

from transplant.datasets.visits import read_visits
from transplant.errors import DataError, OptionError

# 11: three visits, alive. 12: died in the second visit. 13: died at home, 400 days after the visit. 14: died in the
# only visit. 15: a visit without diagnoses, then one with. 16: died, and admitted again as a donor.
ADMISSIONS = [
    {"SUBJECT_ID": 11, "HADM_ID": 112, "ADMITTIME": "2150-05-01 08:00:00", "DISCHTIME": "2150-05-03 12:00:00"},
    {"SUBJECT_ID": 11, "HADM_ID": 111, "ADMITTIME": "2149-01-01 08:00:00", "DISCHTIME": "2149-01-03 12:00:00"},
    {"SUBJECT_ID": 11, "HADM_ID": 113, "ADMITTIME": "2151-05-01 08:00:00", "DISCHTIME": "2151-05-03 12:00:00"},
    {"SUBJECT_ID": 12, "HADM_ID": 121, "ADMITTIME": "2150-05-01 08:00:00", "DISCHTIME": "2150-05-03 12:00:00"},
    {
        "SUBJECT_ID": 12,
        "HADM_ID": 122,
        "ADMITTIME": "2150-07-01 08:00:00",
        "DISCHTIME": "2150-07-03 12:00:00",
        "DEATHTIME": "2150-07-03 12:00:00",
        "HOSPITAL_EXPIRE_FLAG": 1,
    },
    {"SUBJECT_ID": 13, "HADM_ID": 131, "ADMITTIME": "2150-05-01 08:00:00", "DISCHTIME": "2150-05-03 12:00:00"},
    {
        "SUBJECT_ID": 14,
        "HADM_ID": 141,
        "ADMITTIME": "2150-05-01 08:00:00",
        "DISCHTIME": "2150-05-03 12:00:00",
        "HOSPITAL_EXPIRE_FLAG": 1,
    },
    {"SUBJECT_ID": 15, "HADM_ID": 151, "ADMITTIME": "2150-05-01 08:00:00", "DISCHTIME": "2150-05-03 12:00:00"},
    {"SUBJECT_ID": 15, "HADM_ID": 152, "ADMITTIME": "2150-06-01 08:00:00", "DISCHTIME": "2150-06-03 12:00:00"},
    {"SUBJECT_ID": 16, "HADM_ID": 161, "ADMITTIME": "2150-05-01 08:00:00", "DISCHTIME": "2150-05-03 12:00:00"},
    {
        "SUBJECT_ID": 16,
        "HADM_ID": 162,
        "ADMITTIME": "2150-06-01 08:00:00",
        "DISCHTIME": "2150-06-03 12:00:00",
        "DEATHTIME": "2150-06-03 12:00:00",
    },
    {"SUBJECT_ID": 16, "HADM_ID": 163, "ADMITTIME": "2150-06-03 13:00:00", "DISCHTIME": "2150-06-04 12:00:00"},
]
PATIENTS = [
    {"SUBJECT_ID": 11},
    {"SUBJECT_ID": 12, "DOD": "2150-07-03 00:00:00"},
    {"SUBJECT_ID": 13, "DOD": "2151-06-07 00:00:00"},
    {"SUBJECT_ID": 14},
    {"SUBJECT_ID": 15},
    {"SUBJECT_ID": 16, "DOD": "2150-06-03 00:00:00"},
]
CODES = {
    111: ["4019", "25000"],
    112: ["4011", "4019", "4019"],
    113: ["V4581"],
    121: ["E8788", "E8780", "4280"],
    122: ["4275"],
    131: ["0389"],
    141: ["431"],
    151: [""],
    152: ["25001"],
    161: ["4280"],
    162: ["431"],
    163: ["4019"],
}
SUBJECT = {row["HADM_ID"]: row["SUBJECT_ID"] for row in ADMISSIONS}
NAMES = ("038", "250", "401", "428", "E878", "V45")


def diagnoses(codes=CODES):
    return [
        {"SUBJECT_ID": SUBJECT.get(admission, 99), "HADM_ID": admission, "SEQ_NUM": i, "ICD9_CODE": code}
        for admission, of_visit in codes.items()
        for i, code in enumerate(of_visit, 1)
    ]


def write(folder, admissions=ADMISSIONS, patients=PATIENTS, codes=CODES, gzipped=False):
    tables = {"ADMISSIONS": admissions, "PATIENTS": patients, "DIAGNOSES_ICD": diagnoses(codes)}
    write_tables(folder, tables, gzipped)
    return folder


@pytest.mark.parametrize("gzipped", [False, True])
def test_visits_become_multi_hot_vectors_in_the_order_of_time(tmp_path, gzipped):
    calls = []
    whole = read_visits(write(tmp_path, gzipped=gzipped), on_record=lambda: calls.append(1))
    data = whole.data
    assert whole.published_test is None and len(calls) == 3
    assert data.record_ids.tolist() == data.group_ids.tolist() == ["11", "12", "13", "15", "16"]
    assert data.leads == data.indicators == NAMES and data.x.shape == (5, 3, 6) and data.x.dtype == np.uint8
    assert data.lengths.tolist() == [3, 1, 1, 1, 1]
    expected = np.zeros((5, 3, 6))
    expected[0, 0, [1, 2]] = 1  # 111: 401, 250
    expected[0, 1, 2] = 1  # 112: 401, three times
    expected[0, 2, 5] = 1  # 113: V45
    expected[1, 2, [3, 4]] = 1  # 121: E878 twice, 428
    expected[2, 2, 0] = 1
    expected[3, 2, 1] = 1
    expected[4, 2, 3] = 1
    np.testing.assert_array_equal(data.x, expected)
    assert data.unit == "1" and data.sampling_rate_hz is None and data.label_version == "MIMIC-III death ever"


def test_the_label_is_death_in_hospital_or_later(tmp_path):
    data = read_visits(write(tmp_path)).data
    assert data.classes == ("survived", "died")
    assert data.y.tolist() == [0, 1, 1, 0, 1]


def test_what_was_left_out_is_counted(tmp_path):
    notes = " | ".join(read_visits(write(tmp_path)).data.notes)
    assert "7 visits of 5 patients" in notes
    assert "1 diagnoses without a code left out" in notes
    assert "1 codes that a visit has already counted once" in notes
    assert "4 visits in or after which the patient had died left out" in notes  # 122, 141, 162, 163
    assert "1 other visits without diagnoses left out" in notes  # 151
    assert "1 patients without a visit then left out" in notes  # 14


def test_death_may_count_within_a_year_of_the_last_discharge(tmp_path):
    data = read_visits(write(tmp_path), death_within="year").data
    assert data.y.tolist() == [0, 1, 0, 0, 1] and data.label_version == "MIMIC-III death within a year"
    for day, died in (("2151-05-03", 1), ("2151-05-04", 0)):  # 365 and 366 days after the discharge of 13
        patients = [row | {"DOD": f"{day} 00:00:00"} if row["SUBJECT_ID"] == 13 else row for row in PATIENTS]
        assert read_visits(write(tmp_path, patients=patients), death_within="year").data.y[2] == died


def test_a_visit_on_whose_last_day_the_patient_died_is_left_out(tmp_path):
    # The date of death is midnight, before the hour of admission: 13 died on the day of the visit's begin, or end.
    for day, is_left in (("2150-04-30", False), ("2150-05-01", False), ("2150-05-03", False), ("2150-05-04", True)):
        patients = [row | {"DOD": f"{day} 00:00:00"} if row["SUBJECT_ID"] == 13 else row for row in PATIENTS]
        assert ("13" in read_visits(write(tmp_path, patients=patients)).data.record_ids) == is_left


def test_the_last_visits_may_be_kept(tmp_path):
    for most in (2, "2"):
        data = read_visits(write(tmp_path), max_visits=most).data
        assert data.x.shape == (5, 2, 6) and data.lengths.tolist() == [2, 1, 1, 1, 1]
        assert "1 visits before a patient's last 2 left out" in data.notes
    assert read_visits(tmp_path, max_visits=1).data.x[0, 0].tolist() == [0, 0, 0, 0, 1]  # 113; no 401 is left
    for bad in ("0", "some", -1):
        with pytest.raises(OptionError, match=r"max_visits is a number of visits, 1 or more\. Received: "):
            read_visits(tmp_path, max_visits=bad)
    with pytest.raises(OptionError, match=r"death_within is one of ever, year\. Received: month"):
        read_visits(tmp_path, death_within="month")


def test_sequences_that_do_not_fit_are_refused_with_what_would(tmp_path, monkeypatch):
    monkeypatch.setattr("transplant.datasets.visits._MOST_BYTES", 359)
    with pytest.raises(DataError, match=r"Received: 5 patients x 3 visits x 6 categories.*--max-visits 10"):
        read_visits(write(tmp_path))
    assert len(read_visits(tmp_path, max_visits=3).data) == 5
    monkeypatch.setattr("transplant.datasets.visits._MOST_BYTES", 360)
    assert len(read_visits(tmp_path).data) == 5


def test_a_code_that_is_no_icd9_is_refused_with_its_line_or_skipped(tmp_path):
    write(tmp_path, codes=CODES | {131: ["0389", "I10"]})
    line = (tmp_path / "DIAGNOSES_ICD.csv").read_text().splitlines().index(",13,131,2,I10") + 1
    with pytest.raises(DataError, match=rf"DIAGNOSES_ICD\.csv: .*Received: line {line}: icd9_code I10; .*--skip-bad"):
        read_visits(tmp_path)
    skipped = []
    data = read_visits(tmp_path, skipped=skipped).data
    assert data.leads == NAMES and len(data) == 5
    assert [(entry.name, f"line {line}: icd9_code I10" in entry.reason) for entry in skipped] == [("13_131", True)]


def test_a_diagnosis_without_its_admission_is_refused_or_skipped(tmp_path):
    write(tmp_path, codes=CODES | {999: ["4019"]})
    with pytest.raises(DataError, match=r"DIAGNOSES_ICD\.csv: every diagnosis has its admission.*hadm_id 999"):
        read_visits(tmp_path)
    skipped = []
    assert len(read_visits(tmp_path, skipped=skipped).data) == 5
    assert [entry.name for entry in skipped] == ["99_999"]


def test_a_patient_without_visits_is_refused_or_skipped(tmp_path):
    write(tmp_path, patients=[*PATIENTS, {"SUBJECT_ID": 17}])
    with pytest.raises(DataError, match=r"PATIENTS\.csv: every patient has a visit .*Received: 1 .*\(17\)"):
        read_visits(tmp_path)
    skipped = []
    assert len(read_visits(tmp_path, skipped=skipped).data) == 5
    assert [entry.name for entry in skipped] == ["17"]


def test_a_visit_of_an_unknown_patient_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"ADMISSIONS\.csv: every patient is in PATIENTS\. Received: 1 .*\(16\)"):
        read_visits(write(tmp_path, patients=PATIENTS[:-1]))


def test_no_patient_left_is_an_error_that_counts(tmp_path):
    admissions = [row for row in ADMISSIONS if row["SUBJECT_ID"] == 14]
    with pytest.raises(DataError, match=r"none left; 1 visits in or after which.*1 patients without"):
        read_visits(write(tmp_path, admissions, [{"SUBJECT_ID": 14}], {141: ["431"]}))


@pytest.mark.parametrize("table", ["ADMISSIONS", "DIAGNOSES_ICD", "PATIENTS"])
def test_a_table_missing_or_cut_is_named(tmp_path, table):
    write(tmp_path)
    file = tmp_path / f"{table}.csv"
    text = file.read_text()
    file.write_text(text[: text.rstrip().rindex("\n") + 4])
    with pytest.raises(DataError, match=rf"{table}\.csv: .*cut short.*physionet\.org"):
        read_visits(tmp_path)
    file.unlink()
    with pytest.raises(DataError, match=rf"MIMIC-III table {table}\.csv .*physionet\.org/content/mimiciii"):
        read_visits(tmp_path)


def test_mimic_iv_gives_the_same_from_its_icd9_rows(tmp_path):
    lower = [{name.lower(): value for name, value in row.items()} for row in ADMISSIONS]
    patients = [{"subject_id": row["SUBJECT_ID"], "dod": row.get("DOD", "")[:10]} for row in PATIENTS]
    codes = [
        {"subject_id": row["SUBJECT_ID"], "hadm_id": row["HADM_ID"], "icd_version": 9}
        | {"icd_code": f"{row['ICD9_CODE']:7}"}  # as the database pads them
        for row in diagnoses()
        if row["ICD9_CODE"]
    ]
    codes += [{"subject_id": 11, "hadm_id": 113, "icd_code": "I10", "icd_version": 10}] * 2
    patients += [{"subject_id": 18, "anchor_age": 50}]  # was never admitted
    tables = {"hosp/admissions": lower, "hosp/patients": patients, "hosp/diagnoses_icd": codes}
    write_tables(tmp_path / "iv", tables, gzipped=True)
    of_iv = read_visits(tmp_path / "iv").data
    (tmp_path / "iii").mkdir()
    of_iii = read_visits(write(tmp_path / "iii")).data
    np.testing.assert_array_equal(of_iv.x, of_iii.x)
    assert of_iv.y.tolist() == of_iii.y.tolist() and of_iv.leads == of_iii.leads
    assert of_iv.label_version == "MIMIC-IV death ever" and "2 diagnoses that are not in ICD-9 left out" in of_iv.notes


def test_the_open_demo_agrees_with_a_count_by_hand(real_data):
    folder = next((real_data / "mimic3demo").glob("mimic-iii*"), None)
    if folder is None:
        pytest.skip("no MIMIC-III demo among the real data")

    def rows(table):
        with open(folder / f"{table}.csv", encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    codes, last, length = {}, {}, {}
    for row in rows("DIAGNOSES_ICD"):
        code = row["icd9_code"]
        codes.setdefault(row["hadm_id"], set()).add(code[:4] if code[0] == "E" else code[:3])
    alive = sorted(
        (row for row in rows("ADMISSIONS") if row["hospital_expire_flag"] == "0"), key=lambda row: row["admittime"]
    )
    for row in alive:
        last[row["subject_id"]] = row
        length[row["subject_id"]] = length.get(row["subject_id"], 0) + 1
    death = {row["subject_id"]: datetime.date.fromisoformat(row["dod"][:10]) for row in rows("PATIENTS")}
    data = read_visits(real_data / "mimic3demo").data
    assert dict(zip(data.record_ids.tolist(), data.lengths.tolist())) == length
    assert data.x.shape == (67, 15, len(set().union(*(codes[row["hadm_id"]] for row in alive)))) == (67, 15, 239)
    for record, subject in zip(data.x, data.record_ids.tolist()):
        names = {name for name, value in zip(data.leads, record[-1]) if value}
        assert names == codes[last[subject]["hadm_id"]]
    assert data.counts() == {"survived": 0, "died": 67}  # everyone in the demo has died by now
    within = read_visits(real_data / "mimic3demo", death_within="year").data
    expected = [
        (death[subject] - datetime.date.fromisoformat(last[subject]["dischtime"][:10])).days <= 365
        for subject in within.record_ids.tolist()
    ]
    assert within.y.tolist() == expected and within.counts() == {"survived": 26, "died": 41}

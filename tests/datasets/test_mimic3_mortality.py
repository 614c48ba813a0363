import csv
import datetime

import numpy as np
import pytest
from mimic_files import COLUMNS_III, table_text, write_tables

from transplant.datasets.mimic3_mortality import read_events, read_measurements, read_mimic3_mortality, select_stays
from transplant.datasets.mimic_tables import MimicTables
from transplant.datasets.mimic_variables import VARIABLES, item_variables
from transplant.errors import DataError, OptionError

NAMES = [variable.name for variable in VARIABLES]
HEART_RATE, GLUCOSE, EYE = 211, 50931, 184


def stay(subject, admission, icustay, **other):
    values = {
        "SUBJECT_ID": subject,
        "HADM_ID": admission,
        "ICUSTAY_ID": icustay,
        "FIRST_CAREUNIT": "MICU",
        "LAST_CAREUNIT": "MICU",
        "FIRST_WARDID": 12,
        "LAST_WARDID": 12,
        "INTIME": "2150-05-01 10:00:00",
        "OUTTIME": "2150-05-04 10:00:00",
        "LOS": 3,
    }
    return values | other


def admission(subject, number, **other):
    times = {"ADMITTIME": "2150-05-01 08:00:00", "DISCHTIME": "2150-05-09 12:00:00"}
    return {"SUBJECT_ID": subject, "HADM_ID": number} | times | other


def patient(subject, **other):
    return {"SUBJECT_ID": subject, "DOB": "2090-01-01 00:00:00"} | other


def chart(number, icustay, item, time, value, **other):
    names = ("HADM_ID", "ICUSTAY_ID", "ITEMID", "CHARTTIME", "VALUE")
    return {"SUBJECT_ID": 1, **dict(zip(names, (number, icustay, item, time, value)))} | other


def lab(number, item, time, value):
    return {"SUBJECT_ID": 1, "HADM_ID": number, "ITEMID": item, "CHARTTIME": time, "VALUE": value}


# Who stays is 1 (died by DEATHTIME), 2 (lived; DOD later), 8 (over 89: born 1850, three centuries before) and 9 (died
# by DOD alone).
STAYS = [
    stay(2, 20, 200, LOS=2),
    stay(1, 10, 100, LOS=8.5),
    stay(3, 30, 300, LAST_WARDID=13),
    stay(3, 31, 301, LAST_CAREUNIT="SICU"),
    stay(3, 32, 302, FIRST_WARDID="", LAST_WARDID=""),
    stay(4, 40, 400),
    stay(4, 40, 401),
    stay(5, 50, 500),  # 17 years and 364 days
    stay(6, 60, 600, LOS=""),
    stay(7, 70, 700, LOS=1.9999),
    stay(8, 80, 800, LOS=14),
    stay(9, 90, 900),
    stay(9, 91, 901),  # is never measured
    # Of two stays in an admission the one with a transfer goes first, then the other is the only one.
    stay(2, 21, 210, LOS=5.2, INTIME="2151-05-01 10:00:00"),
    stay(2, 21, 211, LAST_WARDID=13),
]
ADMISSIONS = [
    admission(1, 10, DEATHTIME="2150-05-09 12:00:00"),
    admission(2, 20),
    admission(2, 21),
    *(admission(3, number) for number in (30, 31, 32)),
    *(admission(number // 10, number) for number in (40, 50, 60, 70, 80, 90, 91)),
]
PATIENTS = [
    patient(1),
    patient(2, DOD="2150-05-10 00:00:00"),
    *(patient(subject) for subject in (3, 4, 6, 7)),
    patient(5, DOB="2132-05-06 00:00:00"),
    patient(8, DOB="1850-05-06 00:00:00"),
    patient(9, DOD="2150-05-09 00:00:00"),
]
CHART = [
    chart(10, 100, HEART_RATE, "2150-05-01 10:30:00", "80"),
    chart(10, 100, HEART_RATE, "2150-05-01 10:10:00", "70"),  # earlier in the same hour
    chart(10, 100, HEART_RATE, "2150-05-01 11:00:00", "75"),  # belongs to the first hour still
    chart(10, 100, HEART_RATE, "2150-05-01 12:00:01", "99"),  # hour 2
    chart(10, "", HEART_RATE, "2150-05-02 10:00:00", "98"),  # names no ICU stay: hour 23
    chart(10, "", HEART_RATE, "2150-05-02 10:00:00", "102"),  # the same time: the larger counts
    chart(10, 999, HEART_RATE, "2150-05-01 13:00:00", "11"),  # another ICU stay
    chart("", 100, HEART_RATE, "2150-05-01 13:00:00", "12"),  # no admission
    chart(10, 100, HEART_RATE, "2150-05-01 09:59:59", "13"),  # before
    chart(10, 100, HEART_RATE, "2150-05-03 10:00:00", "60"),  # hour 48 exactly: the last bin
    chart(10, 100, HEART_RATE, "2150-05-03 10:00:01", "14"),  # after
    chart(10, 100, HEART_RATE, "2150-05-01 15:00:00", ""),
    chart(10, 100, HEART_RATE, "2150-05-01 15:00:00", "none"),  # no number
    chart(10, 100, 1, "2150-05-01 15:00:00", "15"),  # another item
    chart(10, 100, EYE, "2150-05-01 10:00:00", "To Pain"),
    chart(10, 100, EYE, "2150-05-01 14:30:00", "2 To pain"),
    chart(20, 200, HEART_RATE, "2150-05-01 20:00:00", "50"),
    chart(21, 210, HEART_RATE, "2151-05-01 20:00:00", "51"),
    chart(80, 800, HEART_RATE, "2150-05-01 20:00:00", "400"),  # outside of the range
    chart(91, 901, HEART_RATE, "2150-05-05 20:00:00", "16"),  # the only one of its stay, and too late
]
LAB = [
    lab(10, GLUCOSE, "2150-05-01 11:30:00", "200"),
    lab("", GLUCOSE, "2150-05-01 12:30:00", "17"),
    lab(90, GLUCOSE, "2150-05-01 11:30:00", "150"),
]
TABLES = {"ICUSTAYS": STAYS, "ADMISSIONS": ADMISSIONS, "PATIENTS": PATIENTS, "CHARTEVENTS": CHART, "LABEVENTS": LAB}
RECORDS = ["1_100", "2_200", "2_210", "8_800", "9_900"]
NOTE = (
    "15 ICU stays in the tables; left out: 4 transfer between wards or units, 2 several stays in the admission, "
    "1 younger than 18, 1 length of stay unknown, 1 shorter than 48 h, 1 no measurement in the first 48 hours"
)


def write(folder, gzipped=False, **tables):
    write_tables(folder, TABLES | tables, gzipped)
    return folder


def test_stays_are_chosen_by_the_rules_in_their_order(tmp_path):
    stays, removed = select_stays(MimicTables(write(tmp_path)))
    assert [f"{row.subject_id}_{row.icustay_id}" for row in stays.itertuples()] == [*RECORDS, "9_901"]
    assert stays["died"].tolist() == [True, False, False, False, True, True]
    assert [count for _, count in removed] == [15, 4, 2, 1, 1, 1]


@pytest.mark.parametrize("gzipped", [False, True])
def test_the_tensor_by_hand(tmp_path, gzipped):
    calls = []
    whole = read_mimic3_mortality(write(tmp_path, gzipped), on_record=lambda: calls.append(1))
    data = whole.data
    assert whole.published_test is None and len(calls) == 2
    assert data.x.shape == (5, 48, 76) and data.x.dtype == np.float32 and data.lengths.tolist() == [48] * 5
    assert data.record_ids.tolist() == RECORDS and data.group_ids.tolist() == ["1", "2", "2", "8", "9"]
    assert data.classes == ("survived", "died") and data.y.tolist() == [1, 0, 0, 0, 1]
    assert data.unit == "mixed" and data.sampling_rate_hz == 1 / 3600 and data.label_version == "MIMIC-III mortality"
    column = {name: data.x[..., index] for index, name in enumerate(data.leads)}
    expected = np.r_[[75] * 2, [99] * 21, [102] * 24, [60]]
    np.testing.assert_array_equal(column["Heart Rate"][0], expected)
    assert np.flatnonzero(column["mask->Heart Rate"][0]).tolist() == [0, 2, 23, 47]
    np.testing.assert_array_equal(column["Heart Rate"][3], [86] * 9 + [400] * 39)
    np.testing.assert_array_equal(column["Glucose"][0], [128] + [200] * 47)
    assert np.flatnonzero(column["mask->Glucose"][0]).tolist() == [1]
    eye = "Glasgow coma scale eye opening"
    np.testing.assert_array_equal(column[f"{eye}->To Pain"][0], [1] * 4 + [0] * 44)
    np.testing.assert_array_equal(column[f"{eye}->2 To pain"][0], [0] * 4 + [1] * 44)
    assert np.flatnonzero(column[f"mask->{eye}"][0]).tolist() == [0, 4]
    np.testing.assert_array_equal(column[f"{eye}->4 Spontaneously"][1], [1] * 48)
    np.testing.assert_array_equal(column["Temperature"], np.full((5, 48), 36.6, np.float32))
    numbers = [name for name in data.leads if name not in data.indicators]
    assert numbers == [name for name in NAMES if name in data.leads] and len(numbers) == 12
    assert len([name for name in data.leads if name.startswith("mask->")]) == 17
    assert data.notes[0] == NOTE
    assert data.notes[1] == (
        "14 measurements; 1 left out that are no number or no category; 1 outside the benchmark's ranges"
    )
    assert data.notes[2].startswith("never measured, the normal value throughout: Capillary refill rate, Diastolic")


def test_both_readings_of_59_columns(tmp_path):
    write(tmp_path)
    whole = read_mimic3_mortality(tmp_path).data
    spellings = read_mimic3_mortality(tmp_path, columns="59-spellings").data
    merged = read_mimic3_mortality(tmp_path, columns="59-merged").data
    assert spellings.x.shape == merged.x.shape == (5, 48, 59)
    np.testing.assert_array_equal(spellings.x, whole.x[..., :59])
    assert spellings.leads == whole.leads[:59] and len(spellings.indicators) == 47
    assert merged.leads[-17:] == whole.leads[-17:] and len(merged.indicators) == 30 + 17
    eye = merged.x[0][:, merged.leads.index("Glasgow coma scale eye opening->2")]
    np.testing.assert_array_equal(eye, np.ones(48))  # "To Pain" and "2 To pain" are one score
    with pytest.raises(OptionError, match=r"columns is one of 76, 59-spellings, 59-merged\. Received: 59"):
        read_mimic3_mortality(tmp_path, columns="59")


def test_length_of_stay_in_the_benchmarks_buckets(tmp_path):
    data = read_mimic3_mortality(write(tmp_path), target="los").data
    assert data.label_version == "MIMIC-III los"
    names = [data.classes[index] for index in data.y]
    assert names == ["8-14 days", "2-3 days", "5-6 days", "14 days or more", "3-4 days"]  # 8.5, 2, 5.2, 14, 3
    with pytest.raises(OptionError, match=r"target is one of mortality, los\. Received: readmission"):
        read_mimic3_mortality(tmp_path, target="readmission")


def test_outliers_are_kept_as_in_the_benchmark_or_removed(tmp_path):
    data = read_mimic3_mortality(write(tmp_path), outliers="remove").data
    assert data.record_ids.tolist() == ["1_100", "2_200", "2_210", "9_900"]  # 800 had nothing else
    slow = [chart(80, 800, HEART_RATE, "2150-05-01 20:00:00", "360")]
    write(tmp_path, CHARTEVENTS=CHART + slow)
    for outliers, value in (("remove", 350), ("keep", 400)):
        x = read_mimic3_mortality(tmp_path, outliers=outliers).data
        assert x.x[3, 20, x.leads.index("Heart Rate")] == value


def test_the_result_depends_neither_on_chunks_nor_on_the_order_of_rows(tmp_path):
    rng = np.random.default_rng(3)
    times = [f"2150-05-0{rng.integers(1, 4)} {rng.integers(24):02d}:{rng.integers(60):02d}:00" for _ in range(400)]
    rows = [
        chart(number, "", item, time, str(rng.integers(40, 140)))
        for number, item, time in zip(
            rng.choice([10, 20, 21, 80, 30], 400).tolist(), rng.choice([211, 220045, 618, 51], 400).tolist(), times
        )
    ]
    write(tmp_path, CHARTEVENTS=rows)
    tables = MimicTables(tmp_path)
    stays, _ = select_stays(tables)
    binned, counts = read_measurements(tables, stays)
    assert binned.shape == (6, 48, 17) and np.isfinite(binned).sum() > 80

    latest = {}
    for row in rows:
        since = datetime.datetime.fromisoformat(row["CHARTTIME"]) - datetime.datetime(2150, 5, 1, 10)
        hours = since.total_seconds() / 3600
        name = {211: "Heart Rate", 220045: "Heart Rate", 618: "Respiratory rate", 51: "Systolic blood pressure"}
        index = {10: 0, 20: 1, 80: 3}.get(row["HADM_ID"])
        if index is not None and 0 <= hours <= 48:
            place = index, max(int(np.ceil(hours)) - 1, 0), NAMES.index(name[row["ITEMID"]])
            latest[place] = max(latest.get(place, (-1, 0)), (hours, float(row["VALUE"])))
    expected = np.full((6, 48, 17), np.nan)
    for place, (_, value) in latest.items():
        expected[place] = value
    glucose = NAMES.index("Glucose")
    expected[0, 1, glucose], expected[4, 1, glucose] = 200, 150
    np.testing.assert_array_equal(binned, expected)

    for n_rows in (23, 100):
        rng.shuffle(rows)
        write(tmp_path, CHARTEVENTS=rows)
        again, again_counts = read_measurements(tables, stays, rows=n_rows)
        np.testing.assert_array_equal(again, binned)
        assert again_counts == counts


def test_the_published_split_is_by_patient(tmp_path):
    write(tmp_path)
    (tmp_path / "resources").mkdir()
    file = tmp_path / "resources" / "testset.csv"
    file.write_text("1,1\n2,0\n9,1\n77,1\n")
    for path in (file, str(file), tmp_path / "resources"):
        whole = read_mimic3_mortality(tmp_path, split_lists=path)
        assert whole.published_test.tolist() == [True, False, False, False, True] and whole.published_test.dtype == bool
        note = "published split: 2 stays to test on, 3 to train on, 1 of them of patients that the list does not name"
        assert whole.data.notes[-1] == note
    for text, message in (
        ("1,1\nSUBJECT_ID,x\n", r"a line is SUBJECT_ID,0 or SUBJECT_ID,1\. Received: line 2"),
        ("77,1\n", r"must name these patients\. Received: none of 4"),
    ):
        file.write_text(text)
        with pytest.raises(DataError, match=rf"testset\.csv: .*{message}"):
            read_mimic3_mortality(tmp_path, split_lists=file)
    with pytest.raises(DataError, match=r"nowhere: the benchmark's list .*Received: No such file.*YerevaNN"):
        read_mimic3_mortality(tmp_path, split_lists=tmp_path / "nowhere")


@pytest.mark.parametrize("table", list(TABLES))
def test_a_table_missing_or_cut_is_named(tmp_path, table):
    file = write(tmp_path) / f"{table}.csv"
    text = file.read_text()
    file.write_text(text[: text.rstrip().rindex("\n") + 4])
    with pytest.raises(DataError, match=rf"{table}\.csv: .*cut short.*physionet\.org"):
        read_mimic3_mortality(tmp_path)
    file.unlink()
    with pytest.raises(DataError, match=rf"MIMIC-III table {table}\.csv .*physionet\.org/content/mimiciii"):
        read_mimic3_mortality(tmp_path)


def test_a_stay_without_its_admission_is_refused_or_skipped(tmp_path):
    write(tmp_path, ICUSTAYS=[*STAYS, stay(1, 19, 190)])
    with pytest.raises(DataError, match=r"ICUSTAYS\.csv: every ICU stay has its admission .*Received: 1 .*\(1_190\)"):
        read_mimic3_mortality(tmp_path)
    skipped = []
    data = read_mimic3_mortality(tmp_path, skipped=skipped).data
    assert [entry.name for entry in skipped] == ["1_190"] and data.notes[0] == NOTE


def test_no_stay_left_is_an_error_that_counts_by_rule(tmp_path):
    with pytest.raises(DataError, match=r"Received: none left; 15 ICU stays.*1 shorter than 48 h, 6 no measurement"):
        read_mimic3_mortality(write(tmp_path, CHARTEVENTS=[], LABEVENTS=[]))
    with pytest.raises(DataError, match=r"Received: none left; 1 ICU stays in the tables; left out: 1 transfer"):
        read_mimic3_mortality(write(tmp_path, ICUSTAYS=[stay(3, 30, 300, LAST_WARDID=13)]))


def test_a_time_that_is_none_is_refused(tmp_path):
    write(tmp_path, LABEVENTS=[lab(10, GLUCOSE, "noon", "200")])
    with pytest.raises(DataError, match=r"LABEVENTS\.csv: CHARTTIME is a date and time\. Received: .*noon"):
        read_mimic3_mortality(tmp_path)


def test_mimic_iv_by_its_own_names_ages_and_items(tmp_path):
    stays = [
        {
            "subject_id": subject,
            "hadm_id": subject * 10,
            "stay_id": subject * 100,
            "first_careunit": "MICU",
            "last_careunit": "MICU" if subject != 3 else "SICU",
            "intime": "2150-05-01 10:00:00",
            "outtime": "2150-05-04 10:00:00",
            "los": 3,
        }
        for subject in (1, 2, 3, 4)
    ]
    admissions = [
        {
            "subject_id": subject,
            "hadm_id": subject * 10,
            "admittime": "2150-05-01 08:00:00",
            "dischtime": "2150-05-09 12:00:00",
        }
        for subject in (1, 2, 3, 4)
    ]
    # 17 in 2149 is 18 in 2150; 4 is 17 still.
    years = {1: (17, 2149), 2: (60, 2150), 3: (60, 2150), 4: (17, 2150)}
    patients = [
        {"subject_id": subject, "anchor_age": age, "anchor_year": year, "dod": "2150-05-09" if subject == 1 else ""}
        for subject, (age, year) in years.items()
    ]

    def event(subject, item, value, time="2150-05-01 11:30:00"):
        ids = {"subject_id": subject, "hadm_id": subject * 10, "stay_id": subject * 100}
        return ids | {"itemid": item, "charttime": time, "value": value}

    measured = [
        event(1, 220045, "90"),
        event(1, 223951, "Abnormal >3 Seconds"),
        event(2, 223900, "No Response-ETT"),
        event(2, 223761, "98.6"),
    ]
    labs = [{"subject_id": 2, "hadm_id": 20, "itemid": GLUCOSE, "charttime": "2150-05-01 11:30:00", "value": "200"}]
    write_tables(
        tmp_path,
        {
            "icu/icustays": stays,
            "hosp/admissions": admissions,
            "hosp/patients": patients,
            "icu/chartevents": measured,
            "hosp/labevents": labs,
        },
        gzipped=True,
    )
    data = read_mimic3_mortality(tmp_path, columns="59-merged").data
    assert data.record_ids.tolist() == ["1_100", "2_200"] and data.y.tolist() == [1, 0]
    assert data.label_version == "MIMIC-IV mortality"
    last = dict(zip(data.leads, data.x[:, -1].T.tolist()))
    assert last["Heart Rate"] == [90, 86] and last["Glucose"] == [128, 200]
    assert last["Capillary refill rate->1"] == [1, 0] and last["Glasgow coma scale verbal response->1"] == [0, 1]
    assert last["Temperature"] == pytest.approx([36.6, 37])
    assert "1 transfer between wards or units, 0 several stays in the admission, 1 younger than 18" in data.notes[0]
    (tmp_path / "icu" / "chartevents.csv.gz").unlink()
    with pytest.raises(DataError, match=r"MIMIC-IV table chartevents\.csv .*physionet\.org/content/mimiciv"):
        read_mimic3_mortality(tmp_path)


@pytest.fixture
def demo(real_data, tmp_path):
    """The open demo's tables as links, with the part of LABEVENTS at hand and a CHARTEVENTS without rows."""
    root = real_data / "mimic3demo"
    folder = next(root.glob("mimic-iii*"), None)
    if folder is None:
        pytest.skip("no MIMIC-III demo among the real data")
    for file in (*folder.glob("*.csv"), root / "partial_70pct_rows" / "LABEVENTS.csv"):
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "CHARTEVENTS.csv").write_text(table_text(COLUMNS_III["CHARTEVENTS"], []))
    return tmp_path


def demo_rows(folder, table):
    with open(folder / f"{table}.csv", encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)


def chosen_by_hand(folder):
    """Return {icustay: (row, died)} of the demo's cohort, from the rules in plain Python."""
    time = datetime.datetime.fromisoformat
    admissions = {row["hadm_id"]: row for row in demo_rows(folder, "ADMISSIONS")}
    patients = {row["subject_id"]: row for row in demo_rows(folder, "PATIENTS")}
    stays = [
        row
        for row in demo_rows(folder, "ICUSTAYS")
        if row["first_wardid"] == row["last_wardid"] and row["first_careunit"] == row["last_careunit"]
    ]
    chosen = {}
    for row in stays:
        alone = sum(other["hadm_id"] == row["hadm_id"] for other in stays) == 1
        age = (time(row["intime"]) - time(patients[row["subject_id"]]["dob"])).total_seconds() / 86400 / 365
        if alone and age >= 18 and float(row["los"]) * 24 >= 48:
            of_stay = admissions[row["hadm_id"]]
            dates = [patients[row["subject_id"]]["dod"], of_stay["deathtime"]]
            died = any(time(of_stay["admittime"]) <= time(date) <= time(of_stay["dischtime"]) for date in dates if date)
            chosen[int(row["icustay_id"])] = row, died
    return chosen


def test_the_cohort_of_the_open_demo_agrees_with_a_choice_by_hand(demo):
    stays, removed = select_stays(MimicTables(demo))
    expected = chosen_by_hand(demo)
    assert dict(zip(stays["icustay_id"], stays["died"])) == {key: died for key, (_, died) in expected.items()}
    assert len(stays) == 57 and stays["died"].sum() == 17
    assert [count for _, count in removed] == [136, 10, 11, 1, 0, 57]


def test_laboratory_values_of_the_open_demo_agree_with_a_count_by_hand(demo):
    expected = {}
    by_admission = {row["hadm_id"]: row for row, _ in chosen_by_hand(demo).values()}
    _, items = item_variables()
    for row in demo_rows(demo, "LABEVENTS"):
        of_stay = by_admission.get(row["hadm_id"])
        if of_stay and int(row["itemid"]) in items and row["value"].replace(".", "", 1).isdigit():
            began, time = (datetime.datetime.fromisoformat(text) for text in (of_stay["intime"], row["charttime"]))
            seconds = (time - began).total_seconds()
            if 0 <= seconds <= 48 * 3600:
                place = int(of_stay["icustay_id"]), max(-(-int(seconds) // 3600) - 1, 0), items[int(row["itemid"])]
                expected[place] = max(expected.get(place, (-1, 0)), (seconds, float(row["value"])))
    whole = read_mimic3_mortality(demo, columns="76").data
    mask = whole.x[..., -17:]
    assert int(mask.sum()) == len(expected) > 300
    for (icustay, hour, variable), (_, value) in expected.items():
        record = np.flatnonzero([name.endswith(f"_{icustay}") for name in whole.record_ids.tolist()])[0]
        assert mask[record, hour, variable] == 1
        column = whole.leads.index(NAMES[variable])
        if NAMES[variable] == "Oxygen saturation" and value <= 1:
            value *= 100
        assert whole.x[record, hour, column] == np.float32(value)
    assert len(whole) == len({icustay for icustay, _, _ in expected})


def test_output_events_of_the_open_demo_hold_none_of_the_variables(demo):
    tables = MimicTables(demo)
    stays, _ = select_stays(tables)
    chart_items, lab_items = item_variables()
    assert sum(len(part) for part in read_events(tables, "OUTPUTEVENTS", chart_items | lab_items, stays)) == 0
    foley = {40055: 0, 226559: 0}
    by_hand = 0
    by_stay = {key: row for key, (row, _) in chosen_by_hand(demo).items()}
    for row in demo_rows(demo, "OUTPUTEVENTS"):
        of_stay = by_stay.get(int(row["icustay_id"] or 0))
        if of_stay and of_stay["hadm_id"] == row["hadm_id"] and int(row["itemid"]) in foley and row["value"]:
            began, time = (datetime.datetime.fromisoformat(text) for text in (of_stay["intime"], row["charttime"]))
            by_hand += 0 <= (time - began).total_seconds() <= 48 * 3600
    parts = list(read_events(tables, "OUTPUTEVENTS", foley, stays, rows=1000))
    assert len(parts) == 12 and sum(len(part) for part in parts) == by_hand > 500

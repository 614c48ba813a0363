import gzip

import numpy as np
import pytest
from mimic_files import table_text, write_tables

from transplant.datasets.mimic_tables import ID, ID_OR_NONE, NUMBER, TEXT, TIME, MimicTables, read_chunks, read_table
from transplant.errors import DataError

STAY = {
    "SUBJECT_ID": 7,
    "HADM_ID": 70,
    "ICUSTAY_ID": 700,
    "FIRST_CAREUNIT": "MICU",
    "INTIME": "2180-03-01 10:00:00",
    "LOS": 2.5,
}
STAYS = [STAY, {**STAY, "ICUSTAY_ID": 701, "FIRST_WARDID": 12, "INTIME": "", "LOS": "", "FIRST_CAREUNIT": "NA"}]
KINDS = {"icustay_id": ID, "first_wardid": ID_OR_NONE, "intime": TIME, "los": NUMBER, "first_careunit": TEXT}
ADMISSION = {"SUBJECT_ID": 7, "HADM_ID": 70, "ADMITTIME": "2180-02-28 01:02:03", "DIAGNOSIS": 'A, "B"'}


@pytest.mark.parametrize("gzipped", [False, True])
def test_a_table_is_read_by_kind_of_column(tmp_path, gzipped):
    write_tables(tmp_path, {"ICUSTAYS": STAYS, "ADMISSIONS": [ADMISSION]}, gzipped)
    table = MimicTables(tmp_path).read("ICUSTAYS", KINDS)
    assert table["icustay_id"].tolist() == [700, 701] and table["icustay_id"].dtype == np.int64
    assert table["first_wardid"].tolist() == [-1, 12] and table["first_wardid"].dtype == np.int64
    assert table["intime"].dtype == "datetime64[s]"
    assert table["intime"][0].isoformat() == "2180-03-01T10:00:00" and np.isnat(table["intime"].to_numpy()[1])
    assert table["los"][0] == 2.5 and np.isnan(table["los"][1])
    assert table["first_careunit"].tolist() == ["MICU", "NA"]  # text is text, whatever pandas takes for missing


def test_names_of_files_and_columns_count_in_either_case(tmp_path):
    text = table_text("subject_id hadm_id admittime", [{"subject_id": 7, "hadm_id": 70, "admittime": "2180-02-28"}])
    (tmp_path / "Admissions.CSV").write_text("\ufeff" + text, encoding="utf-8")
    table = MimicTables(tmp_path).read("ADMISSIONS", {"subject_id": ID, "admittime": TIME})
    assert table["subject_id"].tolist() == [7] and table["admittime"][0].isoformat() == "2180-02-28T00:00:00"


def test_times_three_centuries_apart_do_not_overflow(tmp_path):
    write_tables(tmp_path, {"PATIENTS": [{"SUBJECT_ID": 7, "DOB": "1880-01-01 00:00:00", "DOD": "2190-01-01"}]})
    table = MimicTables(tmp_path).read("PATIENTS", {"dob": TIME, "dod": TIME})
    days = (table["dod"].to_numpy() - table["dob"].to_numpy())[0] / np.timedelta64(1, "D")
    assert days == 310 * 365 + 76  # 1880, 1884, ..., 2188 are 78 leap years, but 1900 and 2100 are none


def test_mimic_iv_is_told_by_its_folders_and_given_the_names_of_mimic_iii(tmp_path):
    write_tables(
        tmp_path / "mimiciv" / "3.1",
        {
            "hosp/admissions": [{"subject_id": 7, "hadm_id": 70, "admittime": "2180-02-28 01:02:03"}],
            "icu/icustays": [{"subject_id": 7, "hadm_id": 70, "stay_id": 700, "los": 3}],
            "hosp/diagnoses_icd": [{"subject_id": 7, "hadm_id": 70, "icd_code": "4019", "icd_version": 9}],
        },
        gzipped=True,
    )
    tables = MimicTables(tmp_path)
    assert tables.version == "MIMIC-IV" and tables.folder == tmp_path / "mimiciv" / "3.1"
    assert tables.read("ICUSTAYS", {"icustay_id": ID})["icustay_id"].tolist() == [700]
    codes = tables.read("DIAGNOSES_ICD", {"icd9_code": TEXT}, {"icd_version": NUMBER, "row_id": ID})
    assert codes.columns.tolist() == ["icd9_code", "icd_version"] and codes["icd9_code"].tolist() == ["4019"]
    with pytest.raises(DataError, match=r"MIMIC-IV table chartevents\.csv .*in hosp/ or in icu/.*physionet.*/mimiciv/"):
        tables.path("CHARTEVENTS")


def test_mimic_iv_in_one_folder_is_told_by_a_column(tmp_path):
    write_tables(tmp_path, {"hosp/patients": [{"subject_id": 7, "anchor_age": 50}], "ADMISSIONS": [ADMISSION]})
    (tmp_path / "hosp" / "patients.csv").rename(tmp_path / "patients.csv")
    (tmp_path / "hosp").rmdir()
    assert MimicTables(tmp_path).version == "MIMIC-IV"


def test_a_copy_is_found_two_folders_below_and_two_copies_are_refused(tmp_path):
    write_tables(tmp_path / "a" / "b", {"ADMISSIONS": [ADMISSION]})
    write_tables(tmp_path / ".trash", {"ADMISSIONS": [ADMISSION]})
    tables = MimicTables(tmp_path)
    assert tables.folder == tmp_path / "a" / "b" and tables.version == "MIMIC-III"
    write_tables(tmp_path / "c", {"ADMISSIONS": [ADMISSION]})
    with pytest.raises(DataError, match="one copy of MIMIC is read at a time"):
        MimicTables(tmp_path)


def test_of_two_files_of_a_table_the_one_that_is_not_gzipped_counts(tmp_path):
    write_tables(tmp_path, {"ADMISSIONS": [ADMISSION, ADMISSION]}, gzipped=True)
    write_tables(tmp_path, {"ADMISSIONS": [ADMISSION]})
    assert MimicTables(tmp_path).path("ADMISSIONS").name == "ADMISSIONS.csv"


def test_a_missing_table_is_named_with_where_to_get_it(tmp_path):
    write_tables(tmp_path, {"ADMISSIONS": [ADMISSION]})
    rule = r"MIMIC-III table CHARTEVENTS\.csv .*Received: ADMISSIONS\.csv; get it from https://physionet.*/mimiciii/"
    with pytest.raises(DataError, match=rule):
        MimicTables(tmp_path).path("CHARTEVENTS")
    for path, what in ((tmp_path / "nowhere", "no such folder"), (tmp_path / "ADMISSIONS.csv", "a file")):
        with pytest.raises(DataError, match=rf"folder of the MIMIC tables is needed\. Received: {what}"):
            MimicTables(path)


def test_chunks_hold_so_many_rows_and_count_lines_on(tmp_path):
    write_tables(tmp_path, {"ICUSTAYS": [{**STAY, "ICUSTAY_ID": 700 + i} for i in range(7)]})
    chunks = list(read_chunks(tmp_path / "ICUSTAYS.csv", {"icustay_id": ID}, rows=3))
    assert [chunk["icustay_id"].tolist() for chunk in chunks] == [[700, 701, 702], [703, 704, 705], [706]]
    assert [chunk.index[0] for chunk in chunks] == [0, 3, 6]


def test_a_header_alone_gives_no_chunk_and_is_no_table(tmp_path):
    write_tables(tmp_path, {"CHARTEVENTS": []})
    assert list(read_chunks(tmp_path / "CHARTEVENTS.csv", {"itemid": ID})) == []
    with pytest.raises(DataError, match="its header alone"):
        read_table(tmp_path / "CHARTEVENTS.csv", {"itemid": ID})


@pytest.mark.parametrize("gzipped", [False, True])
def test_a_table_cut_in_its_last_line_is_refused(tmp_path, gzipped):
    data = table_text("A B C", [{"A": i, "B": 2, "C": 3} for i in range(50)]).encode()
    # Without its end a line has all its fields, but the last one may have lost digits.
    no_end, too_few = "every line ends, the last one too.*'49,2,3'", "every line has 3 fields"
    for cut, message in ((data, None), (data[:-1], no_end), (data[:-3], too_few), (data[:-6], too_few)):
        (tmp_path / "T.csv").write_bytes(gzip.compress(cut) if gzipped else cut)
        if message is None:
            assert len(read_table(tmp_path / "T.csv", {"a": ID})) == 50
        else:
            with pytest.raises(DataError, match=rf"T\.csv: {message}.*cut short.*physionet"):
                read_table(tmp_path / "T.csv", {"a": ID})


@pytest.mark.parametrize("share", [0.2, 0.6, 0.99])
def test_gzip_that_ended_early_is_refused(tmp_path, share):
    rng = np.random.default_rng(0)
    rows = [{"A": i, "B": rng.integers(1 << 40), "C": 3} for i in range(20_000)]
    data = gzip.compress(table_text("A B C", rows).encode())
    (tmp_path / "T.csv.gz").write_bytes(data[: int(share * len(data))])
    with pytest.raises(DataError, match=r"T\.csv\.gz: a whole table .*cut short or damaged"):
        read_table(tmp_path / "T.csv.gz", {"a": ID})


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "has columns a. Received: none called a among none"),
        (b"B,C\n1,2\n", "none called a among b, c"),
        (b"A,B\nx,2\n", "Received: .*invalid literal"),
        (b"A,B\n,2\n", "Received: .*NA values"),
        (b'A,B\n1,"2\n', "Received: .*EOF inside string"),
        (b"A,B\n1,\xff\xfe\n2,3\n", "Received: .*decode"),
        (b"\x1f\x8b\x08\x00rubbish", "Received: "),
    ],
)
def test_other_files_are_refused_by_name(tmp_path, content, message):
    (tmp_path / "T.csv").write_bytes(content)
    with pytest.raises(DataError, match=rf"T\.csv: .*{message}"):
        read_table(tmp_path / "T.csv", {"a": ID})


def test_a_text_that_is_no_time_is_refused(tmp_path):
    write_tables(tmp_path, {"ICUSTAYS": [{**STAY, "INTIME": "yesterday"}]})
    with pytest.raises(DataError, match=r"ICUSTAYS\.csv: .*yesterday"):
        read_table(tmp_path / "ICUSTAYS.csv", {"intime": TIME})


def test_the_open_demo_is_found_and_read_whole(real_data):
    tables = MimicTables(real_data / "mimic3demo")
    assert tables.version == "MIMIC-III"
    sizes = {"ADMISSIONS": 129, "PATIENTS": 100, "ICUSTAYS": 136, "DIAGNOSES_ICD": 1761, "OUTPUTEVENTS": 11320}
    assert {name: len(tables.read(name, {"subject_id": ID})) for name in sizes} == sizes

"""Vital signs of MIMIC-III by first diagnosis, on tables in the published form."""

import numpy as np
import pytest
from mimic_files import write_tables

from transplant.datasets.mimic3_vitals import CLASSES, read_mimic3_vitals
from transplant.errors import DataError

# Subject, admission, first diagnosis; subject 3 comes twice.
ADMITTED = [(1, 10, "41071"), (2, 20, "4280"), (3, 30, "0389"), (3, 31, "0389"), (4, 40, "V3000"), (5, 50, "431")]


def stay(subject, admission, year):
    return {
        "SUBJECT_ID": subject,
        "HADM_ID": admission,
        "ICUSTAY_ID": 10 * admission,
        "FIRST_CAREUNIT": "MICU",
        "LAST_CAREUNIT": "MICU",
        "FIRST_WARDID": 12,
        "LAST_WARDID": 12,
        "INTIME": f"{year}-05-01 10:00:00",
        "LOS": 3,
    }


def chart(admission, item, time, value):
    return {"SUBJECT_ID": 1, "HADM_ID": admission, "ITEMID": item, "CHARTTIME": f"2150-05-{time}", "VALUE": value}


CHART = [
    chart(10, 211, "01 10:30:00", "80"),
    chart(10, 220045, "01 10:50:00", "84"),  # the same vital by its later item: the hour's last
    chart(10, 51, "02 09:30:00", "131.5"),
    chart(10, 8368, "01 12:30:00", "301"),  # beyond the range
    chart(10, 646, "01 12:30:00", "n/a"),
    chart(20, 456, "01 10:30:00", "70"),
    chart(30, 618, "03 09:59:00", "22"),
    chart(40, 211, "01 10:30:00", "60"),  # of another disease
    chart(50, 7, "01 10:30:00", "60"),  # another item
]


def tables(**changed):
    times = {"ADMITTIME": "2150-05-01 08:00:00", "DISCHTIME": "2150-05-09 12:00:00"}
    diagnoses = [
        {"SUBJECT_ID": subject, "HADM_ID": admission, "SEQ_NUM": rank, "ICD9_CODE": code}
        for subject, admission, first in ADMITTED
        for rank, code in ((2, "4240"), (1, first))
    ]
    return {
        "ICUSTAYS": [stay(subject, admission, 2151 if admission == 31 else 2150) for subject, admission, _ in ADMITTED],
        "ADMISSIONS": [{"SUBJECT_ID": subject, "HADM_ID": number} | times for subject, number, _ in ADMITTED],
        "PATIENTS": [{"SUBJECT_ID": subject, "DOB": "2090-01-01 00:00:00"} for subject in range(1, 6)],
        "DIAGNOSES_ICD": diagnoses,
        "CHARTEVENTS": CHART,
    } | changed


def test_first_stays_of_eight_diseases_have_vitals_by_the_hour(tmp_path):
    write_tables(tmp_path, tables())
    data = read_mimic3_vitals(tmp_path, masks=False).data
    assert data.record_ids.tolist() == ["1_100", "2_200", "3_300"] and data.group_ids.tolist() == ["1", "2", "3"]
    assert [CLASSES[label] for label in data.y] == ["acute myocardial infarction", "heart failure", "septicaemia"]
    assert data.leads == ("HR", "SBP", "DBP", "MBP", "RR", "SpO2") and data.x.shape == (3, 48, 6)
    assert "1 stays of other diseases, 1 later ones of a patient, 1 without vital signs" in data.notes[0]
    assert data.x[0, :, 0].tolist() == [84] * 48 and data.x[1, :, 0].tolist() == [86] * 48
    assert data.x[0, :, 1].tolist() == [118] * 23 + [131.5] * 25
    assert data.x[0, :, 2].tolist() == [59] * 48 and data.x[0, :, 5].tolist() == [98] * 48
    assert data.x[1, :, 3].tolist() == [70] * 48 and data.x[2, :, 4].tolist() == [19] * 47 + [22]


def test_masks_say_what_was_measured(tmp_path):
    write_tables(tmp_path, tables(), gzipped=True)
    data = read_mimic3_vitals(tmp_path).data
    assert data.x.shape == (3, 48, 12) and data.indicators == tuple(f"mask->{name}" for name in data.leads[:6])
    measured = [(stay, hour, data.leads[column]) for stay, hour, column in np.argwhere(data.x[..., 6:] == 1)]
    assert measured == [(0, 0, "HR"), (0, 23, "SBP"), (1, 0, "MBP"), (2, 47, "RR")]


def test_what_is_missing_is_named(tmp_path):
    without = tables()
    del without["CHARTEVENTS"]
    write_tables(tmp_path, without)
    with pytest.raises(DataError, match=r"CHARTEVENTS\.csv .* is needed"):
        read_mimic3_vitals(tmp_path)
    write_tables(tmp_path, tables(CHARTEVENTS=CHART[-2:]))
    with pytest.raises(DataError, match="Received: none with vital signs among 6"):
        read_mimic3_vitals(tmp_path)


def test_the_open_demo_has_no_chart(real_data):
    """The copy at hand lacks CHARTEVENTS: the table and the place to get it are named."""
    place = real_data / "mimic3demo"
    if not place.is_dir():
        pytest.skip("the MIMIC-III demo is not there")
    with pytest.raises(DataError, match="CHARTEVENTS"):
        read_mimic3_vitals(place)

import csv

import pytest

from transplant.datasets.icd9 import icd9_category


@pytest.mark.parametrize(
    "code, category",
    [
        ("4019", "401"),
        ("401", "401"),
        ("25000", "250"),
        ("250.00", "250"),
        ("0389", "038"),
        ("V4581", "V45"),
        ("V10", "V10"),
        ("v58.61", "V58"),
        ("V9199", "V91"),
        ("E8788", "E878"),
        ("E849", "E849"),
        ("E849.0", "E849"),
        ("E0001", "E000"),
        ("  4280 ", "428"),
    ],
)
def test_a_category_is_what_stands_before_the_point(code, category):
    assert icd9_category(code) == category


@pytest.mark.parametrize(
    "code",
    # ICD-10 codes, too short or long, a category that does not exist, what a spreadsheet made of a code.
    ["I10", "E11.9", "40", "401999", "V4", "V45812", "V9200", "V0000", "E87", "E87880", "000", "401.", "", "9e5"],
)
def test_what_is_no_icd9_code_has_no_category(code):
    assert icd9_category(code) is None


def test_every_code_of_the_published_dictionary_has_a_category(real_data):
    files = sorted((real_data / "mimic3demo").glob("mimic-iii*/D_ICD_DIAGNOSES.csv"))
    if not files:
        pytest.skip("no MIMIC-III demo among the real data")
    with open(files[0], encoding="utf-8", newline="") as stream:
        codes = [row["icd9_code"] for row in csv.DictReader(stream)]
    assert len(codes) > 14_000
    assert [code for code in codes if icd9_category(code) is None] == []
    # Of V and three-digit codes the first three characters, of E codes four.
    assert {icd9_category(code) for code in codes} == {code[: 4 if code[0] == "E" else 3] for code in codes}

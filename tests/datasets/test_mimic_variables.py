import numpy as np
import pytest

from transplant.datasets.mimic_variables import (
    EYE,
    MOTOR,
    REFILL,
    TOTAL,
    VARIABLES,
    VERBAL,
    icu_variables,
    item_variables,
    remove_outliers,
    to_values,
)
from transplant.errors import OptionError

BY_NAME = {variable.name: variable for variable in VARIABLES}


def values(name, *texts, item=None, unit="", categories="spellings"):
    variable = BY_NAME[name]
    item = variable.chart_items[0] if item is None else item
    return to_values(variable, np.full(len(texts), item), list(texts), [unit] * len(texts), categories)


def test_seventeen_variables_make_the_two_widths():
    for categories, levels in (("spellings", [2, 8, 12, 13, 12]), ("merged", [2, 4, 6, 13, 5])):
        variables = icu_variables(categories)
        assert len(variables) == 17
        assert [len(variable.categories) for variable in variables if variable.categories] == levels
    with pytest.raises(OptionError, match=r"categories are spellings or merged\. Received: words"):
        icu_variables("words")


def test_normal_values_are_those_of_the_benchmark():
    normals = {}
    for categories in ("spellings", "merged"):
        for variable in icu_variables(categories):
            normals[variable.name, categories] = (
                variable.categories[int(variable.normal_value)] if variable.categories else variable.normal_value
            )
    assert normals[EYE, "spellings"] == "4 Spontaneously" and normals[EYE, "merged"] == "4"
    assert normals[MOTOR, "spellings"] == "6 Obeys Commands" and normals[MOTOR, "merged"] == "6"
    assert normals[VERBAL, "spellings"] == "5 Oriented" and normals[VERBAL, "merged"] == "5"
    assert normals[TOTAL, "spellings"] == "15" and normals[REFILL, "merged"] == "0"
    numbers = {name: value for (name, categories), value in normals.items() if isinstance(value, float)}
    assert numbers == {
        "Diastolic blood pressure": 59,
        "Fraction inspired oxygen": 0.21,
        "Glucose": 128,
        "Heart Rate": 86,
        "Height": 170,
        "Mean blood pressure": 77,
        "Oxygen saturation": 98,
        "Respiratory rate": 19,
        "Systolic blood pressure": 118,
        "Temperature": 36.6,
        "Weight": 81,
        "pH": 7.4,
    }


def test_every_item_belongs_to_one_variable():
    n_items = sum(len(variable.chart_items) + len(variable.lab_items) for variable in VARIABLES)
    chart, lab = item_variables()
    assert len(chart) + len(lab) == n_items == 106 + 8
    assert VARIABLES[chart[220045]].name == "Heart Rate" and VARIABLES[lab[50931]].name == "Glucose"
    of_iv = item_variables(mimic_iv=True)
    assert set(of_iv[0]) - set(chart) == {223951, 224308} and of_iv[1] == lab


def test_glasgow_spellings_keep_apart_or_merge_into_scores():
    spellings = next(variable for variable in icu_variables() if variable.name == EYE).categories
    for text, score in (("1 No Response", 1), ("None", 1), ("To Pain", 2), ("2 To pain", 2), ("Spontaneously", 4)):
        assert spellings[int(values(EYE, text)[0])] == text
        assert values(EYE, text, categories="merged")[0] == score - 1
    motor = values(MOTOR, "Abnormal extension", "Flex-withdraws", "6 Obeys Commands", categories="merged")
    verbal = values(VERBAL, "1.0 ET/Trach", "No Response-ETT", "Inappropriate Words", categories="merged")
    assert motor.tolist() == [1, 3, 5] and verbal.tolist() == [0, 0, 2]
    assert np.isnan(values(EYE, "Eyes open", "4", "")).all()


def test_glasgow_totals_are_3_to_15():
    assert values(TOTAL, "3", "15", "8.0").tolist() == [0, 12, 5]
    assert np.isnan(values(TOTAL, "2", "16", "7.5", "")).all()


def test_capillary_refill_is_normal_or_abnormal():
    texts = ("Normal <3 secs", "Normal <3 Seconds", "Brisk", "Abnormal >3 secs", "Abnormal >3 Seconds", "Delayed")
    assert values(REFILL, *texts).tolist() == [0, 0, 0, 1, 1, 1]
    assert np.isnan(values(REFILL, "Other/Remarks", "Comment")).all()


def test_pressures_written_together_are_taken_apart():
    assert values("Systolic blood pressure", "118", "120/80").tolist() == [118, 120]
    assert values("Diastolic blood pressure", "59", "120/80").tolist() == [59, 80]
    assert np.isnan(values("Mean blood pressure", "120/80")[0])


def test_text_that_is_no_number_has_no_value():
    for name in ("Glucose", "pH", "Heart Rate", "Oxygen saturation", "Weight"):
        assert np.isnan(values(name, "ERROR", ">500", "", np.nan, "inf")).all()
    assert values("Glucose", " 128 ", "0.5").tolist() == [128, 0.5]


def test_percent_of_oxygen_becomes_a_fraction_unless_it_is_a_pressure():
    np.testing.assert_allclose(values("Fraction inspired oxygen", "40", "0.4", "1", "100"), [0.4, 0.4, 1, 1])
    assert values("Fraction inspired oxygen", "40", unit="Torr").tolist() == [40]


def test_fraction_of_saturation_becomes_percent():
    assert values("Oxygen saturation", "0.97", "97", "1").tolist() == [97, 97, 100]


def test_temperatures_from_79_are_fahrenheit():
    np.testing.assert_allclose(values("Temperature", "98.6", "37", "79", "78.9"), [37, 37, 47 * 5 / 9, 78.9])
    assert values("Temperature", "37", item=223761)[0] == 37  # Celsius that was charted as Fahrenheit


def test_pounds_and_ounces_become_kilograms():
    np.testing.assert_allclose(values("Weight", "100", item=226531), 45.3592)
    np.testing.assert_allclose(values("Weight", "1600", item=3582), 45.3592)
    np.testing.assert_allclose(values("Weight", "100", item=763, unit="LB"), 45.3592)
    assert values("Weight", "100", item=763, unit="kg")[0] == 100


def test_inches_become_whole_centimetres():
    assert values("Height", "70", item=226707)[0] == 178  # 177.8
    assert values("Height", "70", item=226730, unit="Inch")[0] == 178
    assert values("Height", "170", item=226730, unit="cm")[0] == 170


def test_ranges_remove_errors_and_bring_the_rest_inside():
    out = remove_outliers(BY_NAME["Glucose"], np.array([-1, 0, 20, 128, 2100, 2201, np.nan]))
    np.testing.assert_array_equal(out, [np.nan, 33, 33, 128, 2000, np.nan, np.nan])
    np.testing.assert_array_equal(remove_outliers(BY_NAME[EYE], np.array([7.0])), [7.0])


def test_items_have_the_variables_names_in_the_published_dictionaries(real_data):
    folder = next((real_data / "mimic3demo").glob("mimic-iii*"), None)
    if folder is None:
        pytest.skip("no MIMIC-III demo among the real data")
    from transplant.datasets.mimic_tables import ID, TEXT, MimicTables

    tables = MimicTables(folder)
    chart, lab = item_variables(mimic_iv=True)
    words = {
        REFILL: "capillary",
        "Diastolic blood pressure": "diastolic",
        "Fraction inspired oxygen": "fio2|o2 fraction",
        EYE: "eye",
        MOTOR: "motor",
        TOTAL: "gcs total",
        VERBAL: "verbal",
        "Glucose": "glucose",
        "Heart Rate": "heart rate",
        "Height": "height",
        "Mean blood pressure": "mean",
        "Oxygen saturation": "sat|spo2|sao2",
        "Respiratory rate": "resp|rr",
        "Systolic blood pressure": "systolic",
        "Temperature": "temp",
        "Weight": "weight",
        "pH": "ph",
    }
    for table, items in (("D_ITEMS", chart), ("D_LABITEMS", lab)):
        labels = tables.read(table, {"itemid": ID, "label": TEXT}, {"linksto": TEXT}).set_index("itemid")
        if table == "D_ITEMS":
            assert set(labels.loc[list(items), "linksto"]) == {"chartevents"}
        for item, index in items.items():
            label = labels.loc[item, "label"].lower()
            assert any(word in label for word in words[VARIABLES[index].name].split("|")), (item, label)

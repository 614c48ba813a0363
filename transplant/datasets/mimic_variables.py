"""The 17 variables of the MIMIC-III benchmark: what they are charted as, and how texts become values.

Source: Harutyunyan et al., "Multitask learning and benchmarking with clinical time series data"
(2019), and its public code: item ids, cleaning rules, normal values and ranges are theirs. Where the
code does other than it says, the choice made here is told at the rule.
"""

import dataclasses

import numpy as np

from transplant.datasets.icu_tensor import IcuVariable
from transplant.errors import OptionError

EYE = "Glasgow coma scale eye opening"
MOTOR = "Glasgow coma scale motor response"
TOTAL = "Glasgow coma scale total"
VERBAL = "Glasgow coma scale verbal response"
REFILL = "Capillary refill rate"

SPELLINGS, MERGED = "spellings", "merged"

# Spelling in the tables -> score. CareVue writes the score in front, MetaVision does not.
_SCORES = {
    EYE: {
        "1 No Response": 1,
        "None": 1,
        "2 To pain": 2,
        "To Pain": 2,
        "3 To speech": 3,
        "To Speech": 3,
        "4 Spontaneously": 4,
        "Spontaneously": 4,
    },
    MOTOR: {
        "1 No Response": 1,
        "No response": 1,
        "2 Abnorm extensn": 2,
        "Abnormal extension": 2,
        "3 Abnorm flexion": 3,
        "Abnormal Flexion": 3,
        "4 Flex-withdraws": 4,
        "Flex-withdraws": 4,
        "5 Localizes Pain": 5,
        "Localizes Pain": 5,
        "6 Obeys Commands": 6,
        "Obeys Commands": 6,
    },
    VERBAL: {
        "1 No Response": 1,
        "No Response": 1,
        "1.0 ET/Trach": 1,
        "No Response-ETT": 1,
        "2 Incomp sounds": 2,
        "Incomprehensible sounds": 2,
        "3 Inapprop words": 3,
        "Inappropriate Words": 3,
        "4 Confused": 4,
        "Confused": 4,
        "5 Oriented": 5,
        "Oriented": 5,
    },
}
_NORMAL_SPELLINGS = {EYE: "4 Spontaneously", MOTOR: "6 Obeys Commands", VERBAL: "5 Oriented"}
# MetaVision's "Seconds" is MIMIC-IV's spelling; the benchmark knows the others.
_REFILL = {
    "Normal <3 secs": 0,
    "Normal <3 Seconds": 0,
    "Brisk": 0,
    "Abnormal >3 secs": 1,
    "Abnormal >3 Seconds": 1,
    "Delayed": 1,
}
_TOTALS = tuple(str(total) for total in range(3, 16))


@dataclasses.dataclass(frozen=True)
class MimicVariable:
    """One of the 17 variables.

    Attributes:
        name: the benchmark's, which writes "Glascow" for Glasgow.
        unit: after conversion.
        normal: what stands where nothing was measured yet.
        chart_items, lab_items: item ids in CHARTEVENTS and LABEVENTS.
        outliers: (low, high), values outside are errors; None where there is no such rule.
        valid: (low, high) that other values are brought to.
        pounds, ounces, inches: those of its items whose values are in this unit whatever the row says.
    """

    name: str
    unit: str
    normal: float | str
    chart_items: tuple
    lab_items: tuple = ()
    outliers: tuple | None = None
    valid: tuple | None = None
    pounds: tuple = ()
    ounces: tuple = ()
    inches: tuple = ()


# In the order of the benchmark's columns.
VARIABLES = (
    MimicVariable(REFILL, "1", "0", (115, 3348, 8377)),
    MimicVariable(
        "Diastolic blood pressure",
        "mmHg",
        59.0,
        (8368, 8440, 8441, 8502, 8503, 8504, 8506, 8507, 8555, 220051, 220180, 224643, 225310),
        outliers=(0, 375),
        valid=(0, 375),
    ),
    MimicVariable(
        "Fraction inspired oxygen",
        "1",
        0.21,
        (189, 727, 3420, 3422, 223835),
        outliers=(0.2, 1.1),
        valid=(0.21, 1),
    ),
    MimicVariable(EYE, "1", "4", (184, 220739)),
    MimicVariable(MOTOR, "1", "6", (454, 223901)),
    MimicVariable(TOTAL, "1", "15", (198,)),
    MimicVariable(VERBAL, "1", "5", (723, 223900)),
    # 51478 is of urine, and so are two of the pH; the benchmark takes them in.
    MimicVariable(
        "Glucose",
        "mg/dL",
        128.0,
        (807, 811, 1529, 3745, 220621, 225664, 226537),
        (50809, 50931, 51478),
        outliers=(0, 2200),
        valid=(33, 2000),
    ),
    MimicVariable("Heart Rate", "1/min", 86.0, (211, 220045), outliers=(0, 390), valid=(0, 350)),
    MimicVariable(
        "Height", "cm", 170.0, (1394, 226707, 226730), outliers=(0, 275), valid=(0, 240), inches=(1394, 226707)
    ),
    MimicVariable(
        "Mean blood pressure",
        "mmHg",
        77.0,
        (52, 224, 456, 3312, 3314, 3316, 3320, 3322, 6702, 220052, 220181, 224322, 225312),
        outliers=(0, 375),
        valid=(14, 330),
    ),
    MimicVariable(
        "Oxygen saturation",
        "%",
        98.0,
        (646, 834, 8498, 220227, 220277),
        (50817,),
        outliers=(0, 150),
        valid=(0, 100),
    ),
    MimicVariable(
        "Respiratory rate",
        "1/min",
        19.0,
        (614, 615, 618, 651, 3603, 220210, 224422, 224689, 224690),
        outliers=(0, 330),
        valid=(0, 300),
    ),
    MimicVariable(
        "Systolic blood pressure",
        "mmHg",
        118.0,
        (51, 442, 455, 3313, 3315, 3317, 3321, 3323, 6701, 220050, 220179, 224167, 225309, 227243),
        outliers=(0, 375),
        valid=(0, 375),
    ),
    MimicVariable(
        "Temperature",
        "degC",
        36.6,
        (676, 677, 678, 679, 3654, 3655, 223761, 223762),
        outliers=(14.2, 47),
        valid=(26, 45),
    ),
    MimicVariable(
        "Weight",
        "kg",
        81.0,
        (763, 3580, 3581, 3582, 3693, 224639, 226512, 226531),
        outliers=(0, 250),
        valid=(0, 250),
        pounds=(3581, 226531),
        ounces=(3582,),
    ),
    MimicVariable(
        "pH",
        "1",
        7.4,
        (780, 860, 1126, 1673, 3839, 4202, 4753, 220274, 223830),
        (50820, 50831, 51094, 51491),
        outliers=(6.3, 10),
        valid=(6.3, 8.4),
    ),
)
# MetaVision's, which the benchmark lacks: of MIMIC-III it has CareVue's refill rates only.
_REFILL_ITEMS_OF_IV = (223951, 224308)
_INDEX = {variable.name: index for index, variable in enumerate(VARIABLES)}
_POUND_KG = 0.453592
_OUNCES_A_POUND = 16
_INCH_CM = 2.54
_FAHRENHEIT_FROM = 79


def icu_variables(categories=SPELLINGS):
    """Return the 17 `IcuVariable`s.

    Args:
        categories: "spellings", one category a spelling in the tables (8 of eye opening, 12 motor, 12
            verbal, 13 totals, 2 refill: 47), as the benchmark; or "merged", one a score (4, 6, 5, 13,
            2: 30).

    Raises:
        OptionError: if `categories` is neither.
    """
    if categories not in (SPELLINGS, MERGED):
        raise OptionError(f"categories are {SPELLINGS} or {MERGED}. Received: {categories}")
    out = []
    for variable in VARIABLES:
        names, normal = (), variable.normal
        if variable.name == REFILL:
            names = ("0", "1")
        elif variable.name == TOTAL:
            names = _TOTALS
        elif variable.name in _SCORES:
            names = _category_names(variable.name, categories)
            normal = _NORMAL_SPELLINGS[variable.name] if categories == SPELLINGS else normal
        low, high = variable.outliers or (None, None)
        out.append(IcuVariable(variable.name, variable.unit, normal, names, low, high))
    return out


def item_variables(mimic_iv=False):
    """Return two dicts item id -> index into `VARIABLES`, of CHARTEVENTS and of LABEVENTS.

    OUTPUTEVENTS, which the benchmark reads too, has no item of the 17 variables.

    Args:
        mimic_iv: add MetaVision's two items of capillary refill, without which MIMIC-IV has none.
            Defaults to False, the benchmark's items.
    """
    chart = {item: index for index, variable in enumerate(VARIABLES) for item in variable.chart_items}
    lab = {item: index for index, variable in enumerate(VARIABLES) for item in variable.lab_items}
    if mimic_iv:
        chart |= dict.fromkeys(_REFILL_ITEMS_OF_IV, _INDEX[REFILL])
    return chart, lab


def to_values(variable, item, text, unit, categories=SPELLINGS):
    """Convert what was charted of one variable to numbers in its unit.

    Args:
        variable: `MimicVariable`.
        item: int (events,) item ids.
        text: (events,) of str, the column VALUE; may hold NaN.
        unit: (events,) of str, the column VALUEUOM; may hold NaN.
        categories: as of `icu_variables`.

    Returns:
        float64 (events,); of a categorical variable indices into the categories; NaN where the
        text is no number, or no category.
    """
    import pandas

    text = pandas.Series(np.asarray(text, object)).astype("str").str.strip()
    if variable.name == REFILL:
        return text.map(_REFILL).to_numpy(np.float64)
    if variable.name in _SCORES:
        names = _category_names(variable.name, categories)
        index = {
            spelling: names.index(spelling if categories == SPELLINGS else str(score))
            for spelling, score in _SCORES[variable.name].items()
        }
        return text.map(index).to_numpy(np.float64)
    if variable.name.endswith("olic blood pressure"):
        # Some are written "systolic/diastolic".
        part = 0 if variable.name.startswith("Systolic") else 1
        pairs = text.str.extract(r"^(\d+)/(\d+)$")[part]
        text = pairs.where(pairs.notna(), text)
    value = pandas.to_numeric(text, errors="coerce").to_numpy(np.float64, copy=True)
    value[np.isinf(value)] = np.nan
    if variable.name == TOTAL:
        known = np.isin(value, [int(total) for total in _TOTALS])
        return np.where(known, value - int(_TOTALS[0]), np.nan)
    unit = pandas.Series(np.asarray(unit, object)).astype("str").str.lower().fillna("")
    return _CONVERSIONS.get(variable.name, _as_it_is)(variable, np.asarray(item), value, unit)


def remove_outliers(variable, value):
    """Apply the benchmark's ranges, which its code lists and leaves unused.

    Returns:
        float64 (events,): NaN outside `variable.outliers`, else brought into `variable.valid`.
    """
    if variable.outliers is None:
        return value
    low, high = variable.outliers
    return np.where((value < low) | (value > high), np.nan, np.clip(value, *variable.valid))


def _category_names(name, categories):
    scores = _SCORES[name]
    return tuple(scores) if categories == SPELLINGS else tuple(map(str, sorted(set(scores.values()))))


def _as_it_is(_variable, _item, value, _unit):
    return value


def _fraction(_variable, _item, value, unit):
    # The rule the benchmark's code calls right and keeps for its next release; the one it uses also divides
    # fractions that pandas happened to read as text.
    percent = (value > 1) & ~unit.str.contains("torr").to_numpy(bool)
    return np.where(percent, value / 100, value)


def _percent(_variable, _item, value, _unit):
    return np.where(value <= 1, value * 100, value)


def _celsius(_variable, _item, value, _unit):
    # Their code looks for an upper-case F in lower-case text, so that the value alone decides; that
    # also takes a 37 among Fahrenheit for what it is.
    return np.where(value >= _FAHRENHEIT_FROM, (value - 32) * 5 / 9, value)


def _kilograms(variable, item, value, unit):
    ounces = np.isin(item, variable.ounces) | unit.str.contains("oz").to_numpy(bool)
    pounds = ounces | np.isin(item, variable.pounds) | unit.str.contains("lb").to_numpy(bool)
    value = np.where(ounces, value / _OUNCES_A_POUND, value)
    return np.where(pounds, value * _POUND_KG, value)


def _centimetres(variable, item, value, unit):
    inches = np.isin(item, variable.inches) | unit.str.contains("in").to_numpy(bool)
    return np.where(inches, np.round(value * _INCH_CM), value)


_CONVERSIONS = {
    "Fraction inspired oxygen": _fraction,
    "Oxygen saturation": _percent,
    "Temperature": _celsius,
    "Weight": _kilograms,
    "Height": _centimetres,
}

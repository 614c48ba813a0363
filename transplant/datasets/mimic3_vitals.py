"""Six vital signs of MIMIC-III's ICU stays by the hour, with the disease that was diagnosed first.

Source: Hong et al., "RDPD" (2019), section 4.1; item ids and ranges are those of its preparation, stays are chosen
and binned as in Harutyunyan et al. (2019), because the paper does not say how.
"""

import numpy as np

from transplant.datasets.icd9 import icd9_category
from transplant.datasets.icu_tensor import HOURS, SAMPLING_RATE_HZ, IcuVariable, assemble
from transplant.datasets.labelled_set import LabelledSet
from transplant.datasets.mimic3_mortality import bin_events, in_order, last_of_hours, read_events, select_stays
from transplant.datasets.mimic_tables import ID, ID_OR_NONE, MIMIC_IV, NO_ID, TEXT, MimicTables
from transplant.datasets.whole_set import WholeSet
from transplant.errors import DataError

NAME = "mimic3_vitals"
# Categories of the first diagnosis; the paper names the diseases, the categories are inferred from their titles.
DISEASES = {
    "410": "acute myocardial infarction",
    "414": "chronic ischemic heart disease",
    "428": "heart failure",
    "431": "intracerebral hemorrhage",
    "996": "complications of specified procedures",
    "518": "lung diseases",
    "424": "endocardium diseases",
    "038": "septicaemia",
}
CLASSES = tuple(DISEASES.values())
# Normal values as in Harutyunyan et al. (2019).
VITALS = (
    IcuVariable("HR", "1/min", 86.0, low=0, high=300),
    IcuVariable("SBP", "mmHg", 118.0, low=0, high=400),
    IcuVariable("DBP", "mmHg", 59.0, low=0, high=300),
    IcuVariable("MBP", "mmHg", 77.0, low=0, high=300),
    IcuVariable("RR", "1/min", 19.0, low=0, high=70),
    IcuVariable("SpO2", "%", 98.0, low=0, high=100),
)
_ITEMS = {
    "HR": (211, 220045),
    "SBP": (51, 442, 455, 6701, 220179, 220050),
    "DBP": (8368, 8440, 8441, 8555, 220180, 220051),
    "MBP": (456, 52, 6702, 443, 220052, 220181, 225312),
    "RR": (615, 618, 220210, 224690),
    "SpO2": (646, 220277),
}


def read_mimic3_vitals(source, *, skipped=None, on_record=None, masks=True):
    """Read ICU stays of 48 hours and more of patients with one of eight diseases.

    Stays are those of `select_stays`, of each patient the first; the disease is the category of the diagnosis of
    rank 1. The last value of an hour counts, gaps take the value before them, or the normal one.

    Args:
        source: folder of the MIMIC-III tables, or one above: ICUSTAYS, ADMISSIONS, PATIENTS, DIAGNOSES_ICD and
            CHARTEVENTS, which is read in chunks.
        skipped: list that receives a `Skipped` for every stay whose patient or admission is in no table. Defaults
            to None: such a stay is an error.
        on_record: called after each million rows of events. Defaults to None.
        masks: append a mask column a vital sign. The paper has none, and a network then cannot tell a
            measured value from an imputed one. Defaults to True.

    Returns:
        `WholeSet` of (stays, 48, 6, or 12 with masks); group_ids are the SUBJECT_ID.

    Raises:
        DataError: if a table is missing or cut, or no stay is left.
    """
    tables = MimicTables(source)
    if tables.version == MIMIC_IV:
        raise DataError(f"{tables.folder}: diagnoses in ICD-9 are needed. Received: MIMIC-IV; give MIMIC-III's tables")
    for table in ("DIAGNOSES_ICD", "CHARTEVENTS"):
        tables.path(table)
    stays, _ = select_stays(tables, skipped)
    disease_of = _diseases(tables)
    category = stays["hadm_id"].map(disease_of)
    of_other = int(category.isna().sum())
    stays = stays.assign(category=category)[category.notna()]
    n_found = len(stays)
    stays = stays.drop_duplicates("subject_id").reset_index(drop=True)
    binned = _read_vitals(tables, stays, on_record)
    measured = ~np.isnan(binned).all(axis=(1, 2))
    n_first, stays, binned = len(stays), stays[measured], binned[measured]
    if not len(stays):
        raise DataError(
            f"{tables.folder}: stays of {', '.join(CLASSES)} are needed. Received: none with vital signs among "
            f"{n_found + of_other:,} of 48 hours and more; check that the tables belong together"
        )
    x, leads, indicators = assemble(binned, VITALS, masks)
    codes = list(DISEASES)
    data = LabelledSet(
        x=x,
        lengths=np.full(len(x), HOURS),
        y=[codes.index(code) for code in stays["category"]],
        classes=CLASSES,
        record_ids=[f"{row.subject_id}_{row.icustay_id}" for row in stays.itertuples()],
        group_ids=stays["subject_id"].to_numpy().astype(np.str_),
        sampling_rate_hz=SAMPLING_RATE_HZ,
        leads=leads,
        dataset=NAME,
        label_version=tables.version,
        unit="mixed",
        notes=(
            f"left out: {of_other:,} stays of other diseases, {n_found - n_first:,} later ones of a patient, "
            f"{n_first - len(stays):,} without vital signs",
        ),
        indicators=indicators,
    )
    return WholeSet(data)


def _diseases(tables):
    """Return dict hadm_id -> category of the first diagnosis, of the eight."""
    table = tables.read("DIAGNOSES_ICD", {"hadm_id": ID, "seq_num": ID_OR_NONE, "icd9_code": TEXT})
    table = table[table["seq_num"].ne(NO_ID) & table["icd9_code"].notna()].sort_values("seq_num", kind="stable")
    first = table.drop_duplicates("hadm_id")
    categories = {row.hadm_id: icd9_category(row.icd9_code) for row in first.itertuples()}
    return {admission: category for admission, category in categories.items() if category in DISEASES}


def _read_vitals(tables, stays, on_record):
    """Return float32 (stays, 48, vitals), NaN where nothing was measured."""
    import pandas

    items = {item: index for index, vital in enumerate(VITALS) for item in _ITEMS[vital.name]}
    parts = []
    for events in read_events(tables, "CHARTEVENTS", items, stays, on_record=on_record):
        value = pandas.to_numeric(events["text"], errors="coerce").to_numpy()
        for index, vital in enumerate(VITALS):
            of_vital = events["variable"].to_numpy() == index
            value = np.where(of_vital & ~vital.is_plausible(value), np.nan, value)
        events = events[["stay", "hour", "variable"]].assign(value=value)
        parts.append(last_of_hours(in_order(events[~np.isnan(value)]), len(VITALS)))
    return bin_events(parts, len(stays), len(VITALS))

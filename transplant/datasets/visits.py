"""Hospital admissions of a patient as a sequence of diagnosis codes, with mortality (MIMIC-III or MIMIC-IV)."""

import numpy as np

from transplant.datasets.icd9 import icd9_category
from transplant.datasets.labelled_set import LabelledSet
from transplant.datasets.mimic_tables import ID, MIMIC_III, NUMBER, TEXT, TIME, MimicTables
from transplant.datasets.record_source import Skipped
from transplant.datasets.whole_set import WholeSet
from transplant.errors import DataError, OptionError, shorten

CLASSES = ("survived", "died")
EVER, YEAR = "ever", "year"
DEATH_WITHIN = (EVER, YEAR)

_YEAR = np.timedelta64(365, "D")
_DAY = "datetime64[D]"
_ICD9 = 9
_MOST_BYTES = 8e9
_MANY = 0.1  # of the visits without diagnoses; of MIMIC-III's admissions fewer than one in a thousand


def read_visits(source, *, skipped=None, on_record=None, death_within=EVER, max_visits=None):
    """Read patients as sequences of admissions, each a multi-hot vector of ICD-9 categories.

    A patient died if PATIENTS has a date of death (DOD: in hospital, or later as far as the hospital and
    the social security records tell; of MIMIC-IV up to a year after the last discharge), or an admission
    a DEATHTIME or HOSPITAL_EXPIRE_FLAG 1. The visit in which a patient died is left out, because its
    codes tell the label, with any after it (organ donors are admitted again): the first with a
    DEATHTIME or the flag, or that has the date of death between the dates of admission and
    discharge. A visit without diagnoses is left out, and so is a patient without a visit that is left. Of
    MIMIC-IV the ICD-9 diagnoses count, those in ICD-10 do not. A code that comes twice in a visit counts once.

    The course material codes died as 0 and alive as 1; here class 0 is "survived" and 1 "died".

    Args:
        source: folder of the tables, or one above: ADMISSIONS, DIAGNOSES_ICD and PATIENTS, .csv or .csv.gz.
        skipped: list that receives a `Skipped` for every diagnosis that is no ICD-9 code or has no
            admission, and for every patient of MIMIC-III without an admission. Defaults to None: such a one
            is an error. (MIMIC-IV has patients who were never admitted.)
        on_record: called once per table. Defaults to None.
        death_within: "ever", or "year": died within 365 days of the discharge from the last visit that
            is left; who died later survived. Defaults to "ever".
        max_visits: the last visits to keep of a patient. Defaults to all, up to 8 GB of them: all of MIMIC-III
            is about 40,000 patients x 41 visits x 1,000 categories, 7 GB, which 10 visits reduce to under 2.

    Returns:
        `WholeSet`; x uint8 (patients, visits, categories) of 0 and 1, patients in the order of
        their number, visits in that of time with the padding before them, `leads` the categories.

    Raises:
        OptionError: if an option has another value.
        DataError: if a table is missing or cut, a code is no ICD-9 code, tables do not belong together, or
            no patient is left.
    """
    if death_within not in DEATH_WITHIN:
        raise OptionError(f"death_within is one of {', '.join(DEATH_WITHIN)}. Received: {death_within}")
    most = _positive(max_visits)
    tables = MimicTables(source)
    frames = []
    for read in (_read_admissions, _read_diagnoses, _read_patients):
        frames.append(read(tables))
        if on_record is not None:
            on_record()
    admissions, diagnoses, patients = frames
    _check_patients(tables, patients, admissions, skipped)
    notes = []
    codes = _categories(tables, diagnoses, admissions, skipped, notes)
    visits = _visits(admissions, patients)
    kept = _left(visits, codes, notes)
    if kept.empty:
        raise DataError(
            f"{tables.folder}: patients with a visit are needed. Received: none left; {'; '.join(notes)}; check that "
            "the tables belong together"
        )
    if most:
        before_last = kept.groupby("subject_id").cumcount(ascending=False)
        notes.append(f"{int((before_last >= most).sum()):,} visits before a patient's last {most} left out")
        kept = kept[before_last < most]
    x, lengths, names = _multi_hot(tables, kept, codes, limited=most is not None)
    last = kept.groupby("subject_id").tail(1)
    died = last["death"].notna()
    if death_within == YEAR:
        died &= last["death"] - last["dischtime"].astype("datetime64[s]").dt.floor("D") <= _YEAR
    data = LabelledSet(
        x=x,
        lengths=lengths,
        y=died.to_numpy(np.int64),
        classes=CLASSES,
        record_ids=last["subject_id"].to_numpy().astype(np.str_),
        group_ids=last["subject_id"].to_numpy().astype(np.str_),
        sampling_rate_hz=None,
        leads=names,
        dataset="visits",
        label_version=f"{tables.version} death {'ever' if death_within == EVER else 'within a year'}",
        unit="1",
        notes=(
            f"{len(kept):,} visits of {len(last):,} patients",
            *notes,
            "the columns are the codes of all patients: one that no training patient has keeps its first weights",
        ),
        indicators=names,
    )
    return WholeSet(data)


def _positive(max_visits):
    if max_visits is None:
        return None
    text = str(max_visits)
    if not text.isdigit() or int(text) < 1:
        raise OptionError(f"max_visits is a number of visits, 1 or more. Received: {max_visits}")
    return int(text)


def _read_admissions(tables):
    return tables.read(
        "ADMISSIONS",
        {"subject_id": ID, "hadm_id": ID, "admittime": TIME, "dischtime": TIME, "deathtime": TIME}
        | {"hospital_expire_flag": NUMBER},
    )


def _read_diagnoses(tables):
    return tables.read(
        "DIAGNOSES_ICD", {"subject_id": ID, "hadm_id": ID, "icd9_code": TEXT}, {"icd_version": NUMBER}
    )


def _read_patients(tables):
    return tables.read("PATIENTS", {"subject_id": ID, "dod": TIME})


def _check_patients(tables, patients, admissions, skipped):
    """See that patients and admissions belong together."""
    unknown = sorted(set(admissions["subject_id"]) - set(patients["subject_id"]))
    if unknown:
        raise DataError(
            f"{tables.path('ADMISSIONS')}: every patient is in PATIENTS. Received: {len(unknown)} who are not "
            f"({shorten(unknown)}); take tables of one version"
        )
    idle = sorted(set(patients["subject_id"]) - set(admissions["subject_id"]))
    if not idle or tables.version != MIMIC_III:
        return
    if skipped is None:
        raise DataError(
            f"{tables.path('PATIENTS')}: every patient has a visit in ADMISSIONS. Received: {len(idle)} without "
            f"({shorten(idle)}); take tables of one version, or leave these out (--skip-bad)"
        )
    skipped.extend(Skipped(str(subject), "no visit in ADMISSIONS") for subject in idle)


def _categories(tables, diagnoses, admissions, skipped, notes):
    """Return a frame of hadm_id and category, each pair once."""
    file = tables.path("DIAGNOSES_ICD")
    if "icd_version" in diagnoses:
        is_icd9 = diagnoses["icd_version"] == _ICD9
        notes.append(f"{int((~is_icd9).sum()):,} diagnoses that are not in ICD-9 left out")
        diagnoses = diagnoses[is_icd9]
    without_code = diagnoses["icd9_code"].isna()
    if without_code.any():
        notes.append(f"{int(without_code.sum()):,} diagnoses without a code left out")
    diagnoses = diagnoses[~without_code]
    category_of = {code: icd9_category(code) for code in diagnoses["icd9_code"].unique()}
    category = diagnoses["icd9_code"].map(category_of)
    foreign = ~diagnoses["hadm_id"].isin(admissions["hadm_id"])
    for bad, rule, what in (
        (category.isna(), "a diagnosis is an ICD-9 code like 4019, V4581 or E8788", "icd9_code"),
        (foreign & category.notna(), "every diagnosis has its admission in ADMISSIONS", "hadm_id"),
    ):
        rows = diagnoses[bad]
        # Row i of the frame is line i + 2 of the file, after the header.
        received = [f"line {index + 2}: {what} {value}" for index, value in rows[what].items()]
        if received and skipped is None:
            raise DataError(
                f"{file}: {rule}. Received: {shorten(received)}; correct the table or leave these out (--skip-bad)"
            )
        if received:
            skipped.extend(
                Skipped(f"{subject}_{admission}", f"{rule}. Received: {text}")
                for subject, admission, text in zip(rows["subject_id"], rows["hadm_id"], received)
            )
    diagnoses = diagnoses.assign(category=category)[category.notna() & ~foreign]
    repeated = diagnoses.duplicated(["hadm_id", "icd9_code"])
    if repeated.any():
        notes.append(f"{int(repeated.sum()):,} codes that a visit has already counted once")
    return diagnoses[["hadm_id", "category"]].drop_duplicates()


def _visits(admissions, patients):
    """Return the admissions by patient and time, with the day of death and whether the patient died in this one."""
    visits = admissions.merge(patients, on="subject_id").sort_values(
        ["subject_id", "admittime", "hadm_id"], ignore_index=True
    )
    died_here = visits["deathtime"].notna() | (visits["hospital_expire_flag"] == 1)
    # DOD is a date: the day counts, not the hour.
    died_here |= (visits["admittime"].dt.floor("D") <= visits["dod"]) & (visits["dod"] <= visits["dischtime"])
    in_hospital = visits["deathtime"].fillna(visits["dischtime"]).where(died_here)
    own = visits["dod"].fillna(in_hospital.groupby(visits["subject_id"]).transform("min")).dt.floor("D")
    after = (died_here.groupby(visits["subject_id"]).cumsum() > 0) | (visits["admittime"].dt.floor("D") > own)
    return visits.assign(death=own, ended=after)


def _left(visits, codes, notes):
    """Return the visits before death that have codes; the notes say what was left out."""
    has_codes = visits["hadm_id"].isin(codes["hadm_id"])
    kept = visits[has_codes & ~visits["ended"]]
    n_left_out = visits["subject_id"].nunique() - kept["subject_id"].nunique()
    notes += [
        f"{int(visits['ended'].sum()):,} visits in or after which the patient had died left out",
        _without_diagnoses(int((~has_codes & ~visits["ended"]).sum()), int((~visits["ended"]).sum())),
        f"{n_left_out:,} patients without a visit then left out",
    ]
    return kept


def _without_diagnoses(count, total):
    text = f"{count:,} other visits without diagnoses left out"
    if count > _MANY * total:
        text = f"warning: {text}, {count / total:.0%} of those that count: see that DIAGNOSES_ICD is whole"
    return text


def _multi_hot(tables, visits, codes, limited):
    """Return x (patients, visits, categories), the numbers of visits, and the categories."""
    lengths = visits.groupby("subject_id").size().to_numpy()
    longest = int(lengths.max())
    patient = np.repeat(np.arange(len(lengths)), lengths)
    place = longest - 1 - visits.groupby("subject_id").cumcount(ascending=False).to_numpy()
    codes = codes[codes["hadm_id"].isin(visits["hadm_id"])]
    names, column = np.unique(codes["category"].to_numpy(np.str_), return_inverse=True)
    row_of = dict(zip(visits["hadm_id"].tolist(), range(len(visits))))
    row = codes["hadm_id"].map(row_of).to_numpy(np.int64)
    shape = (len(lengths), longest, len(names))
    size = 4 * np.prod(shape, dtype=np.float64)
    if size > _MOST_BYTES and not limited:
        raise DataError(
            f"{tables.folder}: sequences of visits fit into {_MOST_BYTES / 1e9:.0f} GB. Received: {shape[0]:,} "
            f"patients x {longest} visits x {shape[2]:,} categories, {size / 1e9:.0f} GB; keep the last of each "
            f"patient, say --max-visits 10 ({size / longest * 10 / 1e9:.1f} GB)"
        )
    x = np.zeros(shape, np.uint8)  # a quarter of what the trainer will hold
    x[patient[row], place[row], column] = 1
    return x, lengths, tuple(names.tolist())

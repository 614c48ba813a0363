"""In-hospital mortality from the first 48 hours of an ICU stay, MIMIC-III (or MIMIC-IV).

Source: Harutyunyan et al., "Multitask learning and benchmarking with clinical time series data"
(2019), whose public code decides where the paper does not.
"""

import pathlib

import numpy as np

from transplant.datasets.icu_tensor import HOURS, SAMPLING_RATE_HZ, assemble, last_values
from transplant.datasets.labelled_set import LabelledSet
from transplant.datasets.mimic_tables import (
    CHUNK_ROWS,
    ID,
    ID_OR_NONE,
    MIMIC_IV,
    NO_ID,
    NUMBER,
    TEXT,
    TIME,
    MimicTables,
    parse_times,
)
from transplant.datasets.mimic_variables import (
    MERGED,
    SPELLINGS,
    VARIABLES,
    icu_variables,
    item_variables,
    remove_outliers,
    to_values,
)
from transplant.datasets.record_source import Skipped
from transplant.datasets.whole_set import WholeSet
from transplant.errors import DataError, OptionError, shorten

CLASSES = ("survived", "died")
MORTALITY, LOS = "mortality", "los"
TARGETS = (MORTALITY, LOS)
# Columns of the tensor -> (categories, masks).
COLUMNS = {"76": (SPELLINGS, True), "59-spellings": (SPELLINGS, False), "59-merged": (MERGED, True)}
KEEP, REMOVE = "keep", "remove"
OUTLIERS = (KEEP, REMOVE)
# The benchmark's ten buckets of days, without those below two days: no such stay is left.
LOS_DAYS = (3, 4, 5, 6, 7, 8, 14)
LOS_CLASSES = ("2-3 days", "3-4 days", "4-5 days", "5-6 days", "6-7 days", "7-8 days", "8-14 days", "14 days or more")

_DAYS_A_YEAR = 365
_LEAST_AGE = 18
_EPSILON_HOURS = 1e-6
_TEST_LIST = "testset.csv"


def read_mimic3_mortality(
    source,
    *,
    skipped=None,
    on_record=None,
    target=MORTALITY,
    columns="76",
    outliers=KEEP,
    split_lists=None,
):
    """Read ICU stays as hourly tensors, with in-hospital mortality or length of stay.

    Stays are chosen by `select_stays`, measurements by `read_measurements`; a stay without any in its
    first 48 hours is left out. Bins are 1 h wide, the last value in a bin counts, gaps take the value
    before them, or the variable's normal one. Values are in the variables' units; standardising them
    is the trainer's part.

    Args:
        source: folder of the MIMIC-III or MIMIC-IV tables, or one above: ICUSTAYS, ADMISSIONS, PATIENTS,
            CHARTEVENTS and LABEVENTS, .csv or .csv.gz. OUTPUTEVENTS, which the benchmark reads as well, is
            not read: none of the 17 variables is in it.
        skipped: list that receives a `Skipped` for every stay whose patient or admission is in no table.
            Defaults to None: such a stay is an error.
        on_record: called after each million rows of events. Defaults to None.
        target: "mortality" (died in the hospital stay: date of death within admission and
            discharge) or "los" (days of the whole ICU stay, eight of the benchmark's ten buckets: the
            first two cannot occur). Defaults to "mortality".
        columns: "76" (12 numbers, 47 one-hot spellings, 17 masks: the benchmark's), "59-spellings" (the
            same without masks) or "59-merged" (12 numbers, 30 one-hot scores of which each gathers its
            spellings, 17 masks). Defaults to "76".
        outliers: "keep" (as the benchmark, whose outlier removal is disabled) or "remove" (apply the
            ranges that its code lists). Defaults to "keep".
        split_lists: the benchmark's `testset.csv` (lines SUBJECT_ID,0 or 1), or its folder. Defaults to None:
            no published split. A patient that is not in the list is trained on, as there.

    Returns:
        `WholeSet`; x float32 (stays, 48, 76 or 59), group ids the SUBJECT_ID, record ids "SUBJECT_STAY".

    Raises:
        OptionError: if an option has another value.
        DataError: if a table is missing or cut, or no stay is left.
    """
    options = (("target", target, TARGETS), ("columns", columns, tuple(COLUMNS)), ("outliers", outliers, OUTLIERS))
    for name, value, known in options:
        if value not in known:
            raise OptionError(f"{name} is one of {', '.join(known)}. Received: {value}")
    categories, masks = COLUMNS[columns]
    test_patients = None if split_lists is None else _read_test_list(split_lists)
    tables = MimicTables(source)
    for table in ("CHARTEVENTS", "LABEVENTS"):
        tables.path(table)
    stays, removed = select_stays(tables, skipped)
    binned, counts = read_measurements(tables, stays, categories, outliers, on_record)
    measured = ~np.isnan(binned).all(axis=(1, 2))
    removed.append(("no measurement in the first 48 hours", int((~measured).sum())))
    stays, binned = stays[measured], binned[measured]
    if not len(stays):
        raise DataError(
            f"{tables.folder}: ICU stays are needed. Received: none left; {_removed_in_words(removed)}; check that the "
            "tables belong together"
        )
    never = [VARIABLES[index].name for index in np.flatnonzero(np.isnan(binned).all(axis=(0, 1)))]
    x, names, indicators = assemble(binned, icu_variables(categories), masks)
    del binned
    subjects = stays["subject_id"].to_numpy()
    y = stays["died"].to_numpy(np.int64)
    if target == LOS:
        y = np.searchsorted(LOS_DAYS, stays["los"].to_numpy(), side="right")
    notes = [_removed_in_words(removed), _counts_in_words(counts)]
    if never:
        notes.append(f"never measured, the normal value throughout: {', '.join(never)}")
    published_test = None
    if test_patients is not None:
        published_test, note = _published_test(split_lists, test_patients, subjects)
        notes.append(note)
    data = LabelledSet(
        x=x,
        lengths=np.full(len(x), HOURS),
        y=y,
        classes=CLASSES if target == MORTALITY else LOS_CLASSES,
        record_ids=[f"{row.subject_id}_{row.icustay_id}" for row in stays.itertuples()],
        group_ids=subjects.astype(np.str_),
        sampling_rate_hz=SAMPLING_RATE_HZ,
        leads=names,
        dataset="mimic3_mortality",
        label_version=f"{tables.version} {target}",
        unit="mixed",
        notes=tuple(notes),
        indicators=indicators,
    )
    return WholeSet(data, published_test)


def select_stays(tables, skipped=None):
    """Choose the ICU stays of the benchmark's mortality task, but for the rule on measurements.

    In their order: first and last ward and care unit are the same (of MIMIC-IV, which names no wards, the
    care unit); the admission has one such stay; the patient is 18 or older when it begins (days / 365; of
    MIMIC-IV anchor_age and the years since anchor_year); the length of stay is known; and it is
    48 h or more.

    Args:
        tables: `MimicTables`.
        skipped: as of `read_mimic3_mortality`.

    Returns:
        `pandas.DataFrame` by patient and time, with subject_id, hadm_id, icustay_id, intime, los (days) and
        died (in hospital); and a list of (rule, stays it removed).

    Raises:
        DataError: if a table is missing or cut, or a stay's patient or admission is in no table.
    """
    stays = tables.read(
        "ICUSTAYS",
        {name: ID for name in ("subject_id", "hadm_id", "icustay_id")}
        | {"first_careunit": TEXT, "last_careunit": TEXT, "intime": TIME, "los": NUMBER},
        {"first_wardid": ID_OR_NONE, "last_wardid": ID_OR_NONE},
    )
    admissions = tables.read(
        "ADMISSIONS", {"subject_id": ID, "hadm_id": ID, "admittime": TIME, "dischtime": TIME, "deathtime": TIME}
    )
    is_iv = tables.version == MIMIC_IV
    birth = {"anchor_age": NUMBER, "anchor_year": NUMBER} if is_iv else {"dob": TIME}
    patients = tables.read("PATIENTS", {"subject_id": ID, "dod": TIME} | birth)
    joined = stays.merge(admissions, on=["subject_id", "hadm_id"]).merge(patients, on="subject_id")
    _check_joined(tables, stays, joined, skipped)
    removed = [("ICU stays in the tables", len(joined))]

    def keep(rule, kept):
        nonlocal joined
        removed.append((rule, int((~kept).sum())))
        joined = joined[kept]

    same = joined["first_careunit"] == joined["last_careunit"]
    if "first_wardid" in joined:
        same &= (joined["first_wardid"] == joined["last_wardid"]) & (joined["first_wardid"] != NO_ID)
    keep("transfer between wards or units", same)
    keep("several stays in the admission", joined.groupby("hadm_id")["hadm_id"].transform("size") == 1)
    keep(f"younger than {_LEAST_AGE}", _ages(joined, is_iv) >= _LEAST_AGE)
    keep("length of stay unknown", joined["los"].notna() & joined["intime"].notna())
    keep(f"shorter than {HOURS} h", joined["los"] * 24 >= HOURS - _EPSILON_HOURS)
    died = _within(joined, "dod") | _within(joined, "deathtime")
    joined = joined.assign(died=died).sort_values(["subject_id", "intime", "icustay_id"], ignore_index=True)
    return joined[["subject_id", "hadm_id", "icustay_id", "intime", "los", "died"]], removed


def read_measurements(tables, stays, categories=SPELLINGS, outliers=KEEP, on_record=None, rows=CHUNK_ROWS):
    """Read the 17 variables of stays from CHARTEVENTS and LABEVENTS, a chunk of rows at a time.

    A row counts if its admission is that of a stay and it names that ICU stay or none (LABEVENTS names
    none), and if it lies in the 48 hours from the start of the stay. Rows without an admission are left
    out. The benchmark also gives a stay what was charted in its time for another admission of
    the patient; this does not. Of two values of one time the larger counts, of two spellings the
    one of the higher index.

    Args:
        tables: `MimicTables`.
        stays: of `select_stays`.
        categories: as of `icu_variables`.
        outliers: as of `read_mimic3_mortality`.
        on_record: called after each chunk. Defaults to None.
        rows: of a chunk. Memory grows with them and with the stays, not with the tables.

    Returns:
        float32 (stays, 48, 17) as `last_values` makes it; and a dict of counts: "used", "no value" (text that is
        no number or no category), "outside" (of the ranges; removed or brought into them if outliers is "remove").
    """
    chart, lab = item_variables(tables.version == MIMIC_IV)
    counts = {"used": 0, "no value": 0, "outside": 0}
    parts = []
    for table, items in (("CHARTEVENTS", chart), ("LABEVENTS", lab)):
        for events in read_events(tables, table, items, stays, rows, on_record):
            parts.append(last_of_hours(_with_values(events, categories, outliers, counts), len(VARIABLES)))
    return bin_events(parts, len(stays), len(VARIABLES)), counts


def last_of_hours(events, n_variables):
    """Return of each stay, variable and hour the last event alone: no chunk adds much more than a tensor has places.

    Args:
        events: `pandas.DataFrame` with stay, hour, variable and value, as `in_order` has them.
        n_variables: number of variables.
    """
    hour = np.ceil(events["hour"].to_numpy() - _EPSILON_HOURS)
    place = (events["stay"] * n_variables + events["variable"]).to_numpy() * (HOURS + 1) + hour
    last = events[np.append(place[1:] != place[:-1], True)[: len(events)]]
    return last.astype({"stay": "int32", "variable": "int8", "hour": "float32", "value": "float32"})


def bin_events(parts, n_stays, n_variables):
    """Return float32 (stays, 48, variables) of `last_values` from the `last_of_hours` of chunks.

    Args:
        parts: list of `pandas.DataFrame`.
        n_stays, n_variables: size of the result.
    """
    import pandas

    columns = ("stay", "hour", "variable", "value")
    arrays = [np.zeros(0)] * len(columns)
    if parts:
        events = in_order(pandas.concat(parts))
        arrays = [events[name].to_numpy() for name in columns]
    return last_values(*arrays, n_stays, n_variables, HOURS)


def read_events(tables, table, items, stays, rows=CHUNK_ROWS, on_record=None):
    """Yield the rows of an event table that belong to stays; the rules are those of `read_measurements`.

    Args:
        tables: `MimicTables`.
        table: "CHARTEVENTS", "LABEVENTS" or "OUTPUTEVENTS".
        items: dict item id -> index of the variable.
        stays: of `select_stays`.
        rows: of a chunk.
        on_record: called after each chunk. Defaults to None.

    Yields:
        `pandas.DataFrame` with stay (its index in `stays`), hour (since it began), variable, item, text, unit.
    """
    import pandas

    stay_of_admission = pandas.Series(np.arange(len(stays)), index=stays["hadm_id"].to_numpy())
    icustay = stays["icustay_id"].to_numpy()
    began = stays["intime"].to_numpy()
    wanted = np.array(sorted(items))
    for part in tables.chunks(
        table,
        {"hadm_id": ID_OR_NONE, "itemid": ID, "charttime": TEXT, "value": TEXT, "valueuom": TEXT},
        {"icustay_id": ID_OR_NONE},
        rows,
    ):
        part = part[np.isin(part["itemid"].to_numpy(), wanted)]
        stay = stay_of_admission.reindex(part["hadm_id"]).to_numpy()
        kept = ~np.isnan(stay) & part["value"].notna().to_numpy() & part["charttime"].notna().to_numpy()
        part, stay = part[kept], stay[kept].astype(np.int64)
        if "icustay_id" in part:
            named = part["icustay_id"].to_numpy()
            own = (named == NO_ID) | (named == icustay[stay])
            part, stay = part[own], stay[own]
        hour = (_times(tables, table, part["charttime"]) - began[stay]) / np.timedelta64(1, "s") / 3600
        in_window = (hour > -_EPSILON_HOURS) & (hour < HOURS + _EPSILON_HOURS)
        part = part[in_window]
        yield pandas.DataFrame(
            {
                "stay": stay[in_window],
                "hour": hour[in_window],
                "variable": part["itemid"].map(items).to_numpy(np.int64),
                "item": part["itemid"].to_numpy(),
                "text": part["value"].to_numpy(object),
                "unit": part["valueuom"].to_numpy(object),
            }
        )
        if on_record is not None:
            on_record()


def _check_joined(tables, stays, joined, skipped):
    lost = stays[~stays["icustay_id"].isin(joined["icustay_id"])]
    if lost.empty:
        return
    reason = "its admission is not in ADMISSIONS, or its patient not in PATIENTS"
    names = [f"{row.subject_id}_{row.icustay_id}" for row in lost.itertuples()]
    if skipped is None:
        raise DataError(
            f"{tables.path('ICUSTAYS')}: every ICU stay has its admission in ADMISSIONS and its patient in PATIENTS. "
            f"Received: {len(names)} without ({shorten(names)}); take tables of one version, or leave these out "
            "(--skip-bad)"
        )
    skipped.extend(Skipped(name, reason) for name in names)


def _ages(stays, is_iv):
    """Return years of age at the start of each stay, as the benchmark counts them."""
    if is_iv:
        return (stays["anchor_age"] + stays["intime"].dt.year - stays["anchor_year"]).to_numpy()
    days = (stays["intime"].to_numpy() - stays["dob"].to_numpy()) / np.timedelta64(1, "D")
    # Their rule for dates that overflowed: the patient was over 89.
    return np.where(days < 0, 90.0, days / _DAYS_A_YEAR)


def _within(stays, name):
    return (stays["admittime"] <= stays[name]) & (stays[name] <= stays["dischtime"])


def _times(tables, table, texts):
    try:
        return parse_times(texts).to_numpy("datetime64[s]")
    except ValueError as error:
        raise DataError(
            f"{tables.path(table)}: CHARTTIME is a date and time. Received: {error}; the file is damaged, get it again"
        ) from error


def _with_values(events, categories, outliers, counts):
    """Return the events that have a value, with it, in order; counts what becomes of them."""
    value = np.full(len(events), np.nan)
    for index in np.unique(events["variable"]):
        variable, rows = VARIABLES[index], np.flatnonzero(events["variable"] == index)
        of_variable = events.iloc[rows]
        converted = to_values(variable, of_variable["item"], of_variable["text"], of_variable["unit"], categories)
        counts["no value"] += int(np.isnan(converted).sum())
        within = remove_outliers(variable, converted)
        counts["outside"] += int(((within != converted) & ~np.isnan(converted)).sum())
        value[rows] = within if outliers == REMOVE else converted
    events = events[["stay", "hour", "variable"]].assign(value=value)
    events = events[~np.isnan(value)]
    counts["used"] += len(events)
    return in_order(events)


def in_order(events):
    """Return events by stay, variable and hour; of one time the larger value comes last."""
    return events.sort_values(["stay", "variable", "hour", "value"], kind="stable", ignore_index=True)


def _removed_in_words(removed):
    (what, total), *rules = removed
    return f"{total:,} {what}; left out: " + ", ".join(f"{count:,} {rule}" for rule, count in rules)


def _counts_in_words(counts):
    return (
        f"{counts['used']:,} measurements; {counts['no value']:,} left out that are no number or no category; "
        f"{counts['outside']:,} outside the benchmark's ranges"
    )


def _read_test_list(path):
    """Return {subject id: whether it is tested on} of a testset.csv."""
    path = pathlib.Path(path)
    if path.is_dir():
        found = sorted(path.rglob(_TEST_LIST))
        path = found[0] if found else path / _TEST_LIST
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        received = getattr(error, "strerror", None) or error
        raise DataError(
            f"{path}: the benchmark's list of test patients is needed. Received: {received}; get it from "
            "https://github.com/YerevaNN/mimic3-benchmarks, mimic3benchmark/resources/testset.csv"
        ) from error
    patients = {}
    for number, line in enumerate(lines, 1):
        subject, _, flag = line.partition(",")
        if line.strip():
            if not subject.strip().isdigit() or flag.strip() not in ("0", "1"):
                raise DataError(
                    f"{path}: a line is SUBJECT_ID,0 or SUBJECT_ID,1. Received: line {number} {line[:60]!r}; correct it"
                )
            patients[int(subject)] = flag.strip() == "1"
    return patients


def _published_test(path, test_patients, subjects):
    listed = np.isin(subjects, list(test_patients))
    if not listed.any():
        raise DataError(
            f"{path}: the list of test patients must name these patients. Received: none of "
            f"{len(set(subjects.tolist()))}; it belongs to MIMIC-III"
        )
    test = np.array([test_patients.get(subject, False) for subject in subjects.tolist()], bool)
    note = f"published split: {int(test.sum()):,} stays to test on, {int((~test).sum()):,} to train on"
    if not listed.all():
        note += f", {int((~listed).sum()):,} of them of patients that the list does not name"
    return test, note

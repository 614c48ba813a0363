"""PhysioNet/CinC Challenge 2012: the first 48 hours of ICU stays, with in-hospital mortality and length of stay.

Source: Silva et al., "Predicting in-hospital mortality of ICU patients: the PhysioNet/Computing in
Cardiology Challenge 2012" (2012); bins, imputation and masks after Harutyunyan et al. (2019).
"""

import numpy as np

from transplant.datasets.icu_tensor import HOURS, SAMPLING_RATE_HZ, assemble, last_values
from transplant.datasets.labelled_set import LabelledSet
from transplant.datasets.physionet2012_files import MISSING, PARAMETERS, find_sets, read_outcomes, read_stays
from transplant.datasets.physionet2012_variables import FIRST_CATEGORY, STATICS, choose_variables
from transplant.datasets.record_source import Skipped
from transplant.datasets.whole_set import WholeSet
from transplant.errors import DataError, OptionError, shorten

NAME = "physionet2012"
CLASSES = ("survived", "died")
# Harutyunyan et al.'s buckets of days, those that a stay of 48 h or more falls in; the tables hold whole days.
LOS_CLASSES = ("<3", "3", "4", "5", "6", "7", "8-13", "14+")
_LOS_EDGES = (3, 4, 5, 6, 7, 8, 14)
TARGETS = ("mortality", "los")
# Rare enough that a reader must know: whoever looks at them looks at imputed values mostly.
_RARE_VITAL_SIGNS = ("RespRate", "SaO2")


def read_physionet2012(source, *, skipped=None, on_record=None, target="mortality", masks=True, variables=None):
    """Read the stays of the challenge as hourly tables of 48 bins.

    37 variables are series, Weight among them, whose first value is the one at admission. Age, Gender,
    Height and ICUType are noted once, at 00:00: they enter as a measurement in the first hour and are
    carried forward, as Harutyunyan et al. do with Height. Gender, ICUType, GCS and MechVent (which is only
    ever noted as 1) become one-hot columns. -1 means missing, and so does a value that cannot have been
    the patient's; the ranges and their reasons stand in `transplant.datasets.physionet2012_variables`.
    Urine is the volume of the hour's last entry, not the sum.

    SAPS-I, SOFA, Length_of_stay, Survival and In-hospital_death are never inputs: asking for one, or a
    stay's file that holds one, is an error.

    Args:
        source: folder with set-a/ and Outcomes-a.txt, or the folder of the stays' files with the outcomes
            in it or beside it. set-b/ and set-c/ are read too where their outcomes are there.
        skipped: a list that receives a `Skipped` for every stay that cannot be used. Defaults to None:
            such a stay is an error.
        on_record: called after each stay, e.g. to show progress.
        target: "mortality", classes survived and died; or "los", `Length_of_stay` (days from admission to
            the ICU to the end of hospitalisation, whole) in the classes of `LOS_CLASSES`; stays of unknown
            length are left out and counted in the notes.
        masks: append a mask column a variable. Defaults to True.
        variables: names of the variables, comma-separated text or a list. Defaults to all 41.

    Returns:
        `WholeSet` of (stays, 48, columns), 99 columns with all variables and masks, 1/3600 Hz, in the order of
        the record numbers. A stay without any measurement is kept, as the challenge keeps it, and counted
        in the notes. Where set-a is read with set-b or set-c, these are the published test records; else
        none are. group_ids are the record numbers: whether a patient has several stays is not published.

    Raises:
        OptionError: if the target or a variable is not one to choose.
        DataError: if files are missing, or a row, a parameter or an outcome is not as it should be.
    """
    if target not in TARGETS:
        raise OptionError(f"targets of {NAME} are {', '.join(TARGETS)}. Received: {target}")
    chosen = choose_variables(variables)
    sets, notes = find_sets(source), []
    files, outcomes, origin = _match(sets, skipped, notes)
    if target == "los":
        known = [name for name in files if outcomes[name][0] != MISSING]
        notes.append(f"{len(files) - len(known):,} stays of unknown length are left out")
        files = {name: files[name] for name in known}
    events = read_stays(files, skipped, on_record)
    if not events.names:
        raise DataError(f"{source}: stays with outcomes are needed. Received: none that can be used; check --source")
    binned = _binned(events, chosen, notes)
    x, leads, indicators = assemble(binned, chosen, masks)
    notes.extend(_notes_on_gaps(binned, chosen, masks))
    days, died = (np.array(values) for values in zip(*(outcomes[name] for name in events.names)))
    used = list(dict.fromkeys(origin[name] for name in events.names))
    data = LabelledSet(
        x=x,
        lengths=np.full(len(x), HOURS),
        y=died if target == "mortality" else np.digitize(days, _LOS_EDGES),
        classes=CLASSES if target == "mortality" else LOS_CLASSES,
        record_ids=events.names,
        group_ids=events.names,
        sampling_rate_hz=SAMPLING_RATE_HZ,
        leads=leads,
        dataset=NAME,
        label_version=f"{'+'.join(used)} {target}",
        unit="mixed",
        notes=tuple(notes),
        indicators=indicators,
    )
    if used[0] != "set-a" or len(used) == 1:
        return WholeSet(data)
    return WholeSet(data, np.array([origin[name] != "set-a" for name in events.names]))


def _match(sets, skipped, notes):
    """Return the files, outcomes and sets of the stays that have both: three dicts by record name."""
    files, outcomes, origin = {}, {}, {}
    for stays in sets:
        if stays.outcome_file is None:
            notes.append(f"{stays.name} is left out, it has no outcomes here")
            continue
        table = read_outcomes(stays.outcome_file)
        folder = next(iter(stays.files.values())).parent
        without_file = [name for name in table if name not in stays.files]
        if without_file:
            _reject(without_file, f"{stays.outcome_file}: each row needs its stay's file in {folder}", "file", skipped)
        without_outcome = [name for name in stays.files if name not in table]
        if without_outcome:
            rule = f"{folder}: each stay needs its row in {stays.outcome_file.name}"
            _reject(without_outcome, rule, "row", skipped)
        for name, file in stays.files.items():
            if name in files:
                raise DataError(f"{file}: a stay is in one set. Received: {files[name]} too; remove one of them")
            if name in table:
                files[name], outcomes[name], origin[name] = file, table[name], stays.name
    return files, outcomes, origin


def _reject(names, rule, what, skipped):
    if skipped is None:
        raise DataError(
            f"{rule}. Received: {len(names)} without {what} ({shorten(names, 3)}); fetch the challenge's set again, or "
            "leave these out (--skip-bad)"
        )
    skipped.extend(Skipped(name, f"{rule}; it has none") for name in names)


def _binned(events, chosen, notes):
    """Return the hourly values (stays, 48, variables), and note how many rows count as missing."""
    column_of = np.full(len(PARAMETERS), -1)
    value, plausible = np.array(events.value), np.ones(len(events.value), bool)
    counts = {}
    by_parameter = np.argsort(events.parameter, kind="stable")
    bounds = np.searchsorted(events.parameter[by_parameter], np.arange(len(PARAMETERS) + 1))
    for column, variable in enumerate(chosen):
        number = PARAMETERS.index(variable.name)
        column_of[number] = column
        rows = by_parameter[bounds[number] : bounds[number + 1]]
        measured = value[rows] != MISSING
        if variable.categories:
            value[rows] -= FIRST_CATEGORY[variable.name]
        good = variable.is_plausible(value[rows])
        if bad := int((measured & ~good).sum()):
            counts[variable.name] = bad
        plausible[rows] = measured & good
    if counts:
        worst = sorted(counts, key=counts.get, reverse=True)
        notes.append(
            f"{sum(counts.values()):,} values outside their variable's plausible range count as missing "
            f"({shorten([f'{name} {counts[name]:,}' for name in worst], 8)})"
        )
    kept = np.flatnonzero(plausible & (column_of[events.parameter] >= 0))
    stay, hour = events.stay[kept], events.hour[kept]
    if not ((np.diff(stay) > 0) | (np.diff(hour) >= 0)).all():
        order = np.lexsort((hour, stay))  # stable: of two rows of one time the later counts
        kept, stay, hour = kept[order], stay[order], hour[order]
    return last_values(stay, hour, column_of[events.parameter[kept]], value[kept], len(events.names), len(chosen))


def _notes_on_gaps(binned, chosen, masks):
    measured = ~np.isnan(binned).all(axis=1)
    names = [variable.name for variable in chosen]
    series = [index for index, name in enumerate(names) if name not in (*STATICS, "Weight")]
    notes = []
    empty = int((~measured[:, series].any(axis=1)).sum()) if series else 0
    if empty:
        notes.append(
            f"{empty:,} stays without any of these measurements after admission are kept, imputed throughout with "
            "normal values"
        )
    rare = [name for name in _RARE_VITAL_SIGNS if name in names]
    if rare:
        counts = {name: int(measured[:, names.index(name)].sum()) for name in rare}
        shown = ", ".join(f"{name} in {n:,} ({n / len(binned):.0%})" for name, n in counts.items())
        told = "the masks tell where" if masks else "and nothing tells where, without masks"
        notes.append(f"of {len(binned):,} stays, measured at all: {shown}; elsewhere normal values stand, {told}")
    return notes

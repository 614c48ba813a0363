"""Turn a source of recordings into a store: in parallel, resumable, checked against the disk."""

import concurrent.futures
import dataclasses
import json
import multiprocessing
import os
import pathlib
import shutil

from pretraining.packing import pack_patient
from pretraining.sources import DEFAULT_LEAD, select_patients
from pretraining.store import Store, patient_folder, read_patient, write_manifest, write_patient
from transplant.atomic import remove_leftovers, write_json
from transplant.errors import DataError
from transplant.training.progress import Progress


@dataclasses.dataclass(frozen=True)
class PreparationSettings:
    """What decides the content of a store.

    Attributes:
        rate_hz: sampling rate of the store.
        leads: one entry per lead, "A|B" in order of preference.
        segments_per_patient: keep the first so many records of a patient; None for all.
    """

    rate_hz: float = 250
    leads: tuple = (DEFAULT_LEAD,)
    segments_per_patient: int | None = None


def _prepare_patient(source, store, patient, records, settings):
    """Read, resample and write one patient. Runs in a worker process, free of TensorFlow."""
    loaded = [source.read(record).select_leads(settings.leads) for record in records]
    write_patient(store, pack_patient(patient, loaded, settings.rate_hz))


def prepare_store(source, store, settings=None, patient_ids=None, workers=None, skip_bad=False, log=print):
    """Prepare a store, or go on with one that was interrupted or should get more patients.

    Args:
        source: object with name, dataset, one_process, patients(), read(record) and expected_samples().
        store: folder of the store.
        settings: `PreparationSettings`; must equal those of a store that is there.
        patient_ids: ids to prepare, or None for all.
        workers: processes; None for one per processor, or one where the source is read best by one.
        skip_bad: leave out and list patients that cannot be read instead of stopping.
        log: function that takes a line.

    Returns:
        The opened `Store`.

    Raises:
        DataError: a bad recording (without `skip_bad`), a store with other
            settings, or too small a disk.
    """
    settings = settings or PreparationSettings()
    store = pathlib.Path(store)
    remove_leftovers(store / "patients")
    available = source.patients()
    records = {p: available[p][: settings.segments_per_patient] for p in select_patients(available, patient_ids)}
    _check_settings(store, source, settings)
    waiting = {p: r for p, r in records.items() if read_patient(patient_folder(store, p)) is None}
    if waiting:
        _check_disk(source, store, waiting, settings, log)
        _record_settings(store, source, settings)
    try:
        skipped = _run(source, store, waiting, settings, workers, skip_bad)
        return _finish(store, source, settings, records, skipped, log)
    except DataError:
        # Finished patients are whole and stay for the next attempt; without any, nothing should.
        if not any((store / "patients").glob("[!.]*")):
            shutil.rmtree(store, ignore_errors=True)
        raise


def _patient_order(available, patients):
    """Return the stored patients in the source's order, then those that the source no longer has."""
    return [*(p for p in available if p in patients), *(p for p in patients if p not in available)]


def _run(source, store, waiting, settings, workers, skip_bad):
    """Prepare the waiting patients; return [[patient, reason], ...] of those left out."""
    skipped = []
    workers = workers or (1 if source.one_process else os.cpu_count() or 1)
    workers = min(workers, max(len(waiting), 1))
    progress = Progress(len(waiting), "patients prepared")

    def settle(patient, prepare):
        try:
            prepare()
        except DataError as error:
            if not skip_bad:
                raise
            skipped.append([patient, " ".join(str(error).split())])
        progress.step()

    if workers == 1:
        for patient, keys in waiting.items():
            settle(patient, lambda p=patient, k=keys: _prepare_patient(source, store, p, k, settings))
        return skipped
    # Spawned, not forked: the parent may hold TensorFlow's threads.
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(_prepare_patient, source, store, p, k, settings): p for p, k in waiting.items()}
        try:
            for future in concurrent.futures.as_completed(futures):
                settle(futures[future], future.result)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return sorted(skipped)


def _finish(store, source, settings, records, skipped, log):
    """Write the manifest over every patient folder of the store."""
    earlier = {}
    if (store / "manifest.json").is_file():
        opened = Store.open(store)
        earlier = {p.patient: p for p in opened.patients}
        skipped = [s for s in opened.skipped if s[0] not in records] + skipped
    patients = earlier | {p: read_patient(patient_folder(store, p)) for p in records}
    patients = {p: stored for p, stored in patients.items() if stored is not None}
    if not patients:
        raise DataError(f"{store}: no patient could be prepared. Received: {len(skipped)} bad, first: {skipped[0][1]}")
    ordered = [patients[p] for p in _patient_order(source.patients(), patients)]
    write_manifest(store, source.name, source.dataset, settings.rate_hz, settings.leads, ordered, skipped)
    for patient, reason in skipped:
        log(f"left out: patient {patient}: {reason}")
    opened = Store.open(store)
    hours = sum(sum(p.lengths) for p in opened.patients) / settings.rate_hz / 3600
    log(
        f"store {store}: {len(opened.patients)} patients, {hours:.1f} h at {settings.rate_hz:g} Hz, "
        f"{sum(p.beats for p in opened.patients):,} beats, {len(skipped)} left out, fingerprint {opened.fingerprint}"
    )
    return opened


def _settings_dict(source, settings):
    return {
        "source": source.name,
        "rate_hz": settings.rate_hz,
        "leads": list(settings.leads),
        "segments_per_patient": settings.segments_per_patient,
    }


def _check_settings(store, source, settings):
    """Refuse to mix two preparations, or to fill a folder that holds something else."""
    path = store / "settings.json"
    if path.is_file():
        there, asked = json.loads(path.read_text()), _settings_dict(source, settings)
        different = [f"{k} {there.get(k)} (asked: {asked[k]})" for k in asked if there.get(k) != asked[k]]
        if different:
            raise DataError(f"{store}: holds a store made with {'; '.join(different)}; choose another folder")
    elif store.exists() and (not store.is_dir() or any(store.iterdir())):
        raise DataError(f"{store}: is not empty and holds no store; choose another folder")


def _record_settings(store, source, settings):
    if not (store / "settings.json").is_file():
        write_json(store / "settings.json", _settings_dict(source, settings))


def _check_disk(source, store, waiting, settings, log):
    samples, bytes_a_sample = source.expected_samples([r for keys in waiting.values() for r in keys], settings.rate_hz)
    needed = samples * bytes_a_sample * len(settings.leads)
    existing = next(p for p in [store.absolute(), *store.absolute().parents] if p.exists())
    free = shutil.disk_usage(existing).free
    log(
        f"preparing {len(waiting)} patients ({samples / settings.rate_hz / 3600:.1f} h of ECG) into {store}: "
        f"about {needed / 2**20:,.0f} MiB, {free / 2**20:,.0f} MiB free"
    )
    if needed > 0.95 * free:
        raise DataError(
            f"{store}: needs about {needed / 2**30:,.1f} GiB. Received: a disk with {free / 2**30:,.1f} GiB free; "
            "choose fewer with --patient-ids or --segments-per-patient"
        )

"""What a pretraining run trains on: the store, and the patients on either side of the split."""

import contextlib
import math
import pathlib
import shutil

import numpy as np

from pretraining.live import open_live
from pretraining.preparation import PreparationSettings, prepare_store
from pretraining.sources import SYNTHETIC, canonical_id, open_source, select_patients
from pretraining.store import Store
from transplant.datasets.icentia11k import PAPER_MEAN_MV, PAPER_STD_MV
from transplant.datasets.icentia11k_files import Icentia11kFiles
from transplant.errors import OptionError, SplitError
from transplant.signals.normalization import Normalization


def is_store(train):
    """Return whether `--train` names a store, finished or not."""
    folder = pathlib.Path(train)
    return str(train) != SYNTHETIC and ((folder / "manifest.json").is_file() or (folder / "patients").is_dir())


@contextlib.contextmanager
def open_training_store(train, job, patient_ids, seed, workers=None, log=print):
    """Open what `--train` names for the length of a run.

    A store is opened as it is. The files of Icentia11k's torrent are decoded while
    the network trains. Anything else is prepared in the job folder first.

    Args:
        train: folder of a store, folder of annotated records, "tfds:NAME" or "synthetic".
        job: job folder.
        patient_ids: ids to prepare where there is no store yet; None for all.
        seed: seed of the synthetic recordings.
        workers: processes that decode or prepare; None for as many as suit.
        log: function that takes a line.

    Yields:
        A `Store`, or a `LiveStore` that stands in for one.
    """
    if is_store(train):
        yield Store.open(train)
        return
    source = open_source(train, seed=seed)
    if isinstance(source, Icentia11kFiles):
        spool = pathlib.Path(job) / "decoded"
        # What a killed run left.
        shutil.rmtree(spool, ignore_errors=True)
        with open_live(source, patient_ids, seed, spool, workers, log) as store:
            yield store
        return
    if str(train) == SYNTHETIC:
        log("no data given: training on the embedded synthetic recordings (not evidence)")
    else:
        log(f"{train} is no store; preparing one in {pathlib.Path(job) / 'store'}")
    # A patient that cannot be read is left out and listed, as one that a store lacks would be.
    yield prepare_store(
        source, pathlib.Path(job) / "store", PreparationSettings(), patient_ids, workers, skip_bad=True, log=log
    )


def choose_patients(store, patient_ids):
    """Return the `StoredPatient`s that `--patient-ids` names, or all."""
    chosen = set(select_patients([p.patient for p in store.patients], patient_ids))
    return [p for p in store.patients if p.patient in chosen]


def lead_names(patients):
    """Return one name per lead; where records differ, the names joined by "|".

    Args:
        patients: list of `StoredPatient`.
    """
    columns = zip(*(leads for patient in patients for leads in patient.leads))
    return tuple("|".join(sorted(set(names))) for names in columns)


def split_patients(patients, val_patients, seed):
    """Hold some patients out for validation.

    Args:
        patients: list of `StoredPatient`.
        val_patients: number to hold out; below 1, the fraction (rounded up); 0 for none.
        seed: decides who is held out.

    Returns:
        train, validation: lists of `StoredPatient`.

    Raises:
        SplitError: if nobody would be left to train on.
    """
    count = math.ceil(val_patients * len(patients)) if val_patients < 1 else int(val_patients)
    if count and len(patients) == 1 and val_patients < 1:
        count = 0
    if count >= len(patients):
        raise SplitError(
            f"--val-patients {val_patients:g} of {len(patients)} patients leaves none to train on; hold out fewer"
        )
    held_out = set(np.random.default_rng((seed, 0)).permutation(len(patients))[:count].tolist())
    train = [p for i, p in enumerate(patients) if i not in held_out]
    return train, [p for i, p in enumerate(patients) if i in held_out]


def without_patients(patients, held_out, file):
    """Return the patients that are not in a validation file.

    Args:
        patients: list of `StoredPatient`.
        held_out: patient ids.
        file: the validation file, for the message.

    Raises:
        SplitError: if nobody is left to train on.
    """
    held_out = {canonical_id(p) for p in held_out}
    left = [p for p in patients if canonical_id(p.patient) not in held_out]
    if not left:
        raise SplitError(
            f"{file}: its patients must leave some to train on. Received: all {len(patients)} of this run; "
            "add patients or choose another --val-file"
        )
    return left


def patient_share(patients, fraction, seed):
    """Return a share of the patients, at least one; a smaller share is part of every larger one.

    Args:
        patients: list of `StoredPatient`.
        fraction: share in (0, 1].
        seed: decides who belongs to it.
    """
    count = max(1, round(fraction * len(patients)))
    chosen = set(np.random.default_rng((seed, 1)).permutation(len(patients))[:count].tolist())
    return [p for i, p in enumerate(patients) if i in chosen]


def choose_normalization(mode, store, patients):
    """Return the `Normalization` of a run.

    Args:
        mode: "train" (from the training patients), "paper" (the constants published
            for Icentia11k, for Icentia11k alone) or "none".
        store: `Store`.
        patients: training patients.

    Raises:
        OptionError: if the paper's constants do not belong to the data.
    """
    if mode == "none":
        return Normalization.none(store.n_leads)
    if mode == "train":
        return store.normalization(patients)
    if store.dataset != "icentia11k":
        raise OptionError(
            f"--normalization paper belongs to icentia11k. Received: {store.name}; use --normalization train"
        )
    return Normalization.paper("icentia11k", PAPER_MEAN_MV, PAPER_STD_MV, store.n_leads)


def coverage(n_patients, samples_per_patient, epochs, batch_size, steps_per_epoch):
    """Return the line that compares what a run draws with a pass over the patients."""
    drawn = epochs * batch_size * steps_per_epoch
    one_pass = n_patients * samples_per_patient
    line = (
        f"coverage: {n_patients} patients x {samples_per_patient:,} samples = {one_pass:,} frames in a pass; "
        f"{epochs} epochs x batch {batch_size} x {steps_per_epoch:,} steps = {drawn:,} frames, "
        f"{drawn / one_pass:.2f} passes"
    )
    if drawn < one_pass:
        line += f"; not every patient is visited (--samples-per-patient {max(drawn // n_patients, 1)} would visit all)"
    return line

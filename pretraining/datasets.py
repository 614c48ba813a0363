"""Streams by the names and arguments that the reports' notebooks and the public code use.

New code is better served by `pretraining.streams`: whole batches, validation
patients, statistics of one's own data. The names here follow the public code: a
folder of Icentia11k in any layout, the paper's standardisation, one example at a
time, patients drawn without end.
"""

import contextlib
import functools
import tempfile
import weakref

import numpy as np

from pretraining.data import choose_patients, is_store
from pretraining.live import open_live
from pretraining.preparation import PreparationSettings, prepare_store
from pretraining.sources import open_source
from pretraining.store import Store
from pretraining.streams import frame_dataset, usable_patients
from transplant.datasets import icentia11k
from transplant.datasets.icentia11k_files import Icentia11kFiles
from transplant.signals.normalization import Normalization
from transplant.tasks.task import default_options, get_task

__all__ = [
    "beat_dataset",
    "beat_generator",
    "cpc_dataset",
    "cpc_generator",
    "heart_rate_dataset",
    "heart_rate_generator",
    "icentia11k",
    "rhythm_dataset",
    "rhythm_generator",
]

_BATCH_SIZE = 32
_ENDLESS = 2**40


def beat_dataset(
    db_dir, patient_ids=None, frame_size=2048, normalize=True, unzipped=False, samples_per_patient=1, seed=None
):
    """Return an endless stream of single frames and their beat labels.

    Args:
        db_dir: folder of Icentia11k's files, zipped or not, of annotated WFDB
            records, or of a store.
        patient_ids: ids of the patients. Defaults to None: all there are.
        frame_size: samples in a frame. Defaults to 2048.
        normalize: standardise with the paper's mean and deviation. Defaults to
            True; False leaves mV.
        unzipped: ignored; the layout is found out.
        samples_per_patient: frames of a patient before the next one's. Defaults to 1.
        seed: of the draws. Defaults to None: other frames every time, as in the public code.

    Returns:
        tf.data.Dataset of (float32 (frame_size, 1), int32 ()), not batched.

    Raises:
        DataError: if the folder holds no recordings, or none a frame fits in.

    Example:
        >>> frames = beat_dataset("icentia11k", [0, 1], frame_size=4096).batch(32)
    """
    return _examples("beat", db_dir, patient_ids, frame_size, normalize, samples_per_patient, seed)


def rhythm_dataset(
    db_dir, patient_ids=None, frame_size=2048, normalize=True, unzipped=False, samples_per_patient=1, seed=None
):
    """Return an endless stream of single frames and their rhythm labels; see `beat_dataset`."""
    return _examples("rhythm", db_dir, patient_ids, frame_size, normalize, samples_per_patient, seed)


def heart_rate_dataset(
    db_dir, patient_ids=None, frame_size=2048, normalize=True, unzipped=False, samples_per_patient=1, seed=None
):
    """Return an endless stream of single frames and their heart-rate labels; see `beat_dataset`."""
    return _examples("hr", db_dir, patient_ids, frame_size, normalize, samples_per_patient, seed)


def cpc_dataset(
    db_dir, patient_ids=None, frame_size=2048, context_size=8, ns=1, context_overlap=0, positive_offset=0,
    normalize=True, unzipped=False, samples_per_patient=1, seed=None,
):  # fmt: skip
    """Return an endless stream of contexts and samples, and the place of the true next frame.

    Args:
        context_size, ns, context_overlap, positive_offset: as the flags of the
            task cpc.
        db_dir, patient_ids, frame_size, normalize, unzipped, samples_per_patient,
            seed: as for `beat_dataset`.

    Returns:
        tf.data.Dataset of ({"context": float32 (context_size, frame_size, 1),
        "samples": float32 (ns + 1, frame_size, 1)}, int32 ()), not batched.
    """
    task = {
        "context_size": int(context_size),
        "ns": int(ns),
        "context_overlap": int(context_overlap),
        "positive_offset": int(positive_offset),
    }
    return _examples("cpc", db_dir, patient_ids, frame_size, normalize, samples_per_patient, seed, **task)


def _generator(dataset):
    """Return the function that yields what a stream does as numpy arrays and a label as an integer."""

    @functools.wraps(dataset)
    def generate(*arguments, **keywords):
        for inputs, label in dataset(*arguments, **keywords).as_numpy_iterator():
            yield inputs, int(label)

    generate.__name__ = dataset.__name__.replace("dataset", "generator")
    generate.__doc__ = f"Yield the examples of `{dataset.__name__}` without end: numpy arrays and an integer."
    return generate


beat_generator = _generator(beat_dataset)
rhythm_generator = _generator(rhythm_dataset)
heart_rate_generator = _generator(heart_rate_dataset)
cpc_generator = _generator(cpc_dataset)


def _examples(name, db_dir, patient_ids, frame_size, normalize, samples_per_patient, seed, **options):
    task = get_task(name)
    options = default_options(task, int(frame_size), **options)
    ids = None if patient_ids is None else [str(i) for i in np.asarray(patient_ids).ravel().tolist()]
    store, close = _open(db_dir, ids)
    patients, _ = usable_patients(store.patients, task.window_size(options))
    constants = Normalization.paper("icentia11k", icentia11k.PAPER_MEAN_MV, icentia11k.PAPER_STD_MV, store.n_leads)
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else int(seed)
    dataset = frame_dataset(
        store, patients, task, options, constants if normalize else Normalization.none(store.n_leads), _BATCH_SIZE,
        int(samples_per_patient), seed, _ENDLESS,
    ).unbatch()  # fmt: skip
    # Decoded or prepared patients live as long as the stream.
    weakref.finalize(dataset, close)
    return dataset


def _open(db_dir, patient_ids):
    """Return a store, or what stands in for one, and the function that ends it."""
    if is_store(db_dir):
        store = Store.open(db_dir)
        store.patients = choose_patients(store, patient_ids)
        return store, lambda: None
    source = open_source(db_dir)
    stack = contextlib.ExitStack()
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="transplant-"))
    if isinstance(source, Icentia11kFiles):
        store = stack.enter_context(open_live(source, patient_ids, 0, folder, log=lambda line: None))
    else:
        store = prepare_store(source, folder, PreparationSettings(), patient_ids, log=lambda line: None)
    return store, stack.close

"""The frame stream: pure in (seed, step), right frames, right labels, fair to patients."""

import subprocess
import sys
import weakref

import numpy as np
import pytest

from pretraining.frames import BatchMemory
from pretraining.packing import INVALID_COUNT
from pretraining.preparation import prepare_store
from pretraining.sampler import FrameSampler, Sampling, WorkingSet
from pretraining.sources import SyntheticSource
from pretraining.streams import frame_dataset, own_errors, usable_patients
from transplant.errors import DataError
from transplant.signals.normalization import Normalization
from transplant.tasks.annotations import AnnotationAxis
from transplant.tasks.task import default_options, get_task

FRAME = 500
BEAT = get_task("beat")
OPTIONS = default_options(BEAT, FRAME)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return prepare_store(
        SyntheticSource(5, 60.0, 3), tmp_path_factory.mktemp("s") / "store", workers=1, log=lambda _: 0
    )


def stream(store, task="beat", batch=32, steps=6, first_step=0, samples=20, seed=1, normalization=None, **options):
    normalization = normalization or store.normalization(store.patients)
    task = get_task(task)
    return frame_dataset(
        store, store.patients, task, default_options(task, FRAME, **options), normalization, batch, samples, seed,
        steps, first_step,
    )  # fmt: skip


def collect(dataset):
    batches = [(x.numpy(), y.numpy()) for x, y in dataset]
    return np.concatenate([x for x, _ in batches]), np.concatenate([y for _, y in batches])


def sampler(store, batch=32, samples=20, seed=1, working_set=2):
    return FrameSampler(store.patients, Sampling(FRAME, FRAME, 0, batch, samples, seed), 250, working_set)


def test_shapes_and_types_are_static(store):
    frames, labels = stream(store).element_spec
    assert frames.shape == (32, FRAME, 1) and frames.dtype.name == "float32"
    assert labels.shape == (32,) and labels.dtype.name == "int32"


def test_a_stream_that_starts_later_goes_on_exactly(store):
    whole, rest = collect(stream(store, steps=6)), collect(stream(store, steps=2, first_step=4))
    np.testing.assert_array_equal(whole[0][4 * 32 :], rest[0])
    np.testing.assert_array_equal(whole[1][4 * 32 :], rest[1])


def test_same_seed_same_frames_other_seed_others(store):
    np.testing.assert_array_equal(collect(stream(store))[0], collect(stream(store))[0])
    assert not np.array_equal(collect(stream(store))[0], collect(stream(store, seed=2))[0])


def test_every_patient_gives_the_same_number_of_frames_in_a_pass(store):
    """5 patients x 20 frames; batches of 32 straddle working sets and passes."""
    draws = [d for step in range(25) for d in sampler(store).draw(step)]
    patients = np.concatenate(
        [
            np.array([d.working_set.patients[p].patient for p in d.working_set.patient_of[d.windows.segments]])
            for d in draws
        ]
    )
    assert len(patients) == 800
    for number in range(8):
        names, counts = np.unique(patients[number * 100 : (number + 1) * 100], return_counts=True)
        assert names.tolist() == list("01234") and counts.tolist() == [20] * 5


def test_passes_visit_patients_in_different_orders(store):
    def order(pass_number):
        draws = [d for step in range(pass_number * 5, pass_number * 5 + 5) for d in sampler(store, batch=20).draw(step)]
        return list(dict.fromkeys(p.patient for d in draws for p in d.working_set.patients))

    assert len({tuple(order(n)) for n in range(6)}) > 1


def test_frames_lie_inside_one_segment_at_uniform_starts(store):
    starts = np.concatenate([d.windows.starts for step in range(200) for d in sampler(store).draw(step)])
    last = 60 * 250 - FRAME
    assert starts.min() >= 0 and starts.max() <= last
    counts, _ = np.histogram(starts, bins=10, range=(0, last + 1))
    # 6,400 uniform starts, 640 a bin: chi-square with 9 degrees of freedom stays below 27.9 (p = .001).
    assert np.square(counts - 640).sum() / 640 < 27.9


@pytest.mark.parametrize("task", ["beat", "rhythm", "hr"])
def test_frames_and_labels_belong_together(store, task):
    """Each frame is found again in the recordings and labelled there, one by one."""
    identity = Normalization.none(1)
    frames, labels = collect(stream(store, task, steps=2, normalization=identity))
    place = [d for step in range(2) for d in sampler(store, working_set=16).draw(step)]
    row = 0
    for draw in place:
        for number, start in zip(draw.windows.segments, draw.windows.starts):
            slot = draw.working_set.patient_of[number]
            patient, segment = draw.working_set.patients[slot], number - draw.working_set.first_segments[slot]
            np.testing.assert_allclose(
                frames[row], patient.millivolts(segment)[start : start + FRAME], rtol=3e-7, atol=1e-7
            )
            axis = AnnotationAxis([patient.annotations[segment]], 250)
            assert labels[row] == get_task(task).label_frames(axis, np.array([start]), FRAME)[0]
            row += 1
    assert row == 64


def test_standardised_frames_agree_with_the_normalisation(store):
    normalization = store.normalization(store.patients)
    raw = collect(stream(store, normalization=Normalization.none(1)))[0]
    np.testing.assert_allclose(collect(stream(store))[0], normalization.apply(raw), atol=2e-6)
    many = collect(stream(store, steps=60))[0]
    assert abs(many.mean()) < 0.1 and abs(many.std() - 1) < 0.2


def test_invalid_samples_become_zero(store, tmp_path):
    own = prepare_store(SyntheticSource(2, 30.0, 3), tmp_path / "gaps", workers=1, log=lambda _: 0)
    for patient in own.patients:
        path = patient.folder / "signal.npy"
        signal = np.load(path)
        signal[::2] = INVALID_COUNT
        np.save(path, signal)
    gaps = [type(p)(**(vars(p) | {"invalid_samples": 1})) for p in own.patients]
    dataset = frame_dataset(own, gaps, BEAT, OPTIONS, Normalization.none(1), 8, 10, 0, 1)
    frames, _ = collect(dataset)
    assert np.isfinite(frames).all() and np.abs(frames).max() < 10
    assert (np.mean(frames == 0, axis=1) >= 0.49).all()


def test_mixed_storage_types_give_the_same_frames(store, tmp_path):
    """One patient as float32 beside int16 ones: same numbers as all int16."""
    own = prepare_store(SyntheticSource(3, 30.0, 3), tmp_path / "mixed", workers=1, log=lambda _: 0)

    def frames(patients):
        dataset = frame_dataset(own, patients, BEAT, OPTIONS, Normalization.none(1), 16, 10, 0, 3)
        return collect(dataset)[0]

    expected = frames(own.patients)
    first = own.patients[0]
    np.save(first.folder / "signal.npy", first.load().millivolts(0))
    arrays = dict(np.load(first.folder / "annotations.npz"))
    np.savez(first.folder / "annotations.npz", **(arrays | {"gain": np.ones((1, 1), np.float32)}))
    mixed = [type(first)(**(vars(first) | {"dtype": "float32"})), *own.patients[1:]]
    np.testing.assert_allclose(frames(mixed), expected, atol=2e-7)


def test_patients_shorter_than_a_frame_are_left_out_and_named(store):
    usable, left_out = usable_patients(store.patients, 60 * 250)
    assert len(usable) == 5 and left_out == []
    with pytest.raises(DataError, match="15001"):
        usable_patients(store.patients, 60 * 250 + 1)


def test_batches_that_are_held_are_not_written_over(store):
    """Memory of batches is used again; a batch somebody still holds, or a part of it, must not be."""
    held = [(x, x.numpy()[3, ::2]) for x, _ in stream(store, steps=12)]
    for step, (frames, part) in enumerate(held):
        alone = collect(stream(store, steps=1, first_step=step))[0]
        np.testing.assert_array_equal(frames.numpy(), alone)
        np.testing.assert_array_equal(part, alone[3, ::2])


def test_batch_memory_is_used_again_once_nobody_holds_it():
    memory = BatchMemory((4, 10, 1))
    first, second = memory.take(), memory.take()
    assert not np.shares_memory(first, second)
    assert first.ctypes.data % 64 == second.ctypes.data % 64 == 0
    address, part = first.ctypes.data, first[1:2, 3]
    del first
    assert memory.take().ctypes.data != address, "a view is still held"
    del part
    assert memory.take().ctypes.data == address


def test_working_sets_have_like_sizes(store):
    """Five patients in sets of at most two: 1, 2 and 2, never 2, 2 and 1 with the last alone by chance of order."""
    sizes = [len(d.working_set.patients) for step in range(5) for d in sampler(store, batch=20).draw(step)]
    assert max(sizes) == 2 and sum(sizes[:3]) == 5


def test_one_working_set_is_open_at_a_time(store, monkeypatch):
    alive = weakref.WeakSet()

    def tracked(*arguments):
        made = WorkingSet(*arguments)
        alive.add(made)
        return made

    monkeypatch.setattr("pretraining.sampler.WorkingSet", tracked)
    source = sampler(store, batch=100)
    opened = [len(alive) for _ in source.draws(0)]
    assert opened == [1, 1, 1]


def test_what_a_reader_raises_reaches_the_caller_as_itself(store, monkeypatch):
    def fail(self, step):
        raise DataError("signal.npy: cut short")

    monkeypatch.setattr("pretraining.frames.BatchReader.read", fail)
    with pytest.raises(DataError, match="cut short"), own_errors():
        collect(stream(store))


def test_a_process_that_leaves_streams_behind_ends(store):
    program = (
        "from pretraining import datasets\n"
        f"left = [datasets.beat_generator({str(store.path)!r}, frame_size=512, seed=seed) for seed in (1, 2)]\n"
        "print(*(next(stream)[1] for stream in left))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    labels = done.stdout.split()
    assert len(labels) == 2 and set(labels) <= set("01234")

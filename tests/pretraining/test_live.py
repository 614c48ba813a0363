"""The live door: zipped files become frames without a store, a few patients at a time."""

import gc
import os
import shutil
import time

import numpy as np
import pytest
from icentia_files import make_patient, write_raw_pickles, write_unzipped, write_zipped

from pretraining import live
from pretraining.data import choose_normalization, choose_patients, lead_names, split_patients
from pretraining.live import open_live
from pretraining.preparation import PreparationSettings, prepare_store
from pretraining.sampler import FrameSampler, Sampling
from pretraining.sources import SyntheticSource, open_source
from pretraining.streams import frame_dataset, own_errors, usable_patients
from transplant.errors import DataError, OptionError
from transplant.signals.normalization import Normalization
from transplant.tasks.task import default_options, get_task

FRAME = 700
NUMBERS = range(5)


def quiet(line):
    """Take a line of the log and say nothing."""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Five patients, zipped, unzipped and as raw pickles."""
    folder = tmp_path_factory.mktemp("live") / "files"
    folder.mkdir()
    for number in NUMBERS:
        write = (write_zipped, write_unzipped, write_raw_pickles)[number % 3]
        write(folder, number, *make_patient(number, segments=1 + number % 3))
    return open_source(folder)


@pytest.fixture(scope="module")
def opened(files, tmp_path_factory):
    with open_live(files, None, 3, tmp_path_factory.mktemp("spool"), workers=1, log=quiet) as store:
        yield store


def stream(store, task="beat", steps=6, first_step=0, patients=None, normalization=None):
    task = get_task(task)
    normalization = normalization or Normalization.none(1)
    return frame_dataset(
        store, patients or store.patients, task, default_options(task, FRAME), normalization, 32, 20, 1, steps,
        first_step,
    )  # fmt: skip


def collect(dataset):
    return [np.concatenate(parts) for parts in zip(*((x.numpy(), y.numpy()) for x, y in dataset))]


def eventually(condition):
    """Wait for what other processes bring about."""
    end = time.monotonic() + 60
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


@pytest.mark.parametrize("task", ["beat", "rhythm", "hr"])
def test_live_frames_are_those_of_a_store(files, opened, tmp_path, task):
    store = prepare_store(files, tmp_path / "store", PreparationSettings(250.0), workers=1, log=quiet)
    normalization = Normalization.paper("icentia11k", 0.0018, 1.3711)
    frames, labels = collect(stream(store, task, normalization=normalization))
    live_frames, live_labels = collect(stream(opened, task, normalization=normalization))
    np.testing.assert_array_equal(live_labels, labels)
    np.testing.assert_allclose(live_frames, frames, atol=1e-6)


def test_a_stream_that_starts_later_goes_on_exactly(opened):
    whole, rest = collect(stream(opened)), collect(stream(opened, steps=2, first_step=4))
    np.testing.assert_array_equal(whole[0][4 * 32 :], rest[0])
    np.testing.assert_array_equal(whole[1][4 * 32 :], rest[1])


def test_it_has_what_a_run_asks_of_a_store(files, opened):
    assert (opened.dataset, opened.name, opened.path) == ("icentia11k", files.name, files.path)
    assert (opened.sampling_rate_hz, opened.n_leads, opened.lead_choices) == (250, 1, ("ECG",))
    patients, left_out = usable_patients(choose_patients(opened, ["4", "00001", "2"]), FRAME)
    assert [p.patient for p in patients] == ["1", "2", "4"] and left_out == []
    assert lead_names(patients) == ("ECG",)
    assert patients[0].records == ["p00001_s00", "p00001_s01"] and patients[0].lengths == [3000, 3000]
    assert patients[0].frame_starts(2999).tolist() == [2, 2] and patients[0].frame_starts(3001).tolist() == [0, 0]
    assert choose_normalization("paper", opened, patients).mean == (0.0018,)
    train, held_out = split_patients(opened.patients, 2, 1)
    assert len(train) == 3 and len(held_out) == 2


def test_normalization_is_that_of_the_patients_asked_and_said_to_be_of_a_few(files, tmp_path, monkeypatch):
    monkeypatch.setattr(live, "NORMALIZATION_PATIENTS", 2)
    monkeypatch.setattr(live, "NORMALIZATION_STRIDE", 1)
    lines = []
    with open_live(files, ["0", "2", "3", "4"], 3, tmp_path, workers=1, log=lines.append) as store:
        first, again = store.normalization(store.patients), store.normalization(store.patients)
    assert first == again and first.source == "train"
    assert "computed from 2 of 4 training patients" in lines[-1]
    signals = {n: make_patient(n, segments=1 + n % 3)[0].astype(np.float64) for n in (0, 2, 3, 4)}
    pairs = [np.append(signals[a], signals[b]) for a in signals for b in signals if a < b]
    assert any(
        np.allclose(first.mean, pair.mean(), rtol=1e-9) and np.allclose(first.std, pair.std(), rtol=1e-9)
        for pair in pairs
    )


def spool_files(folder):
    return [os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names]


def test_a_bounded_number_of_patients_is_decoded_ahead_and_deleted(tmp_path, monkeypatch):
    """Nine patients, two at a time: never more than four at once, and the next two before they are asked for."""
    monkeypatch.setattr(live, "DECODED_PATIENTS", 4)
    (tmp_path / "files").mkdir()
    for number in range(9):
        write_zipped(tmp_path / "files", number, *make_patient(number))
    spool = tmp_path / "spool"
    with open_live(open_source(tmp_path / "files"), None, 0, spool, workers=2, log=quiet) as store:
        sampler = FrameSampler(store.patients, Sampling(FRAME, FRAME, 0, 20, 10, 0), 250, working_set=2)
        seen = []
        for step in range(9):  # two passes: a batch is a set of two patients, and the fifth straddles the passes
            draws = sampler.draw(step)
            names = [p.patient for draw in draws for p in draw.working_set.patients]
            seen += names
            assert store._spool.decoded() <= 4 and len(spool_files(spool)) <= 4
            for draw in draws:
                for patient in draw.working_set.patients:
                    expected, _ = make_patient(int(patient.patient))
                    np.testing.assert_array_equal(patient.signal.reshape(expected.shape), expected)
            del draws, draw, patient
            following = [p.patient for p in sampler._patients_of(*divmod(step + 1, 5))] if step < 4 else []
            if len(set(names) | set(following)) <= 4:
                assert eventually(lambda want=following: all(store._spool.has_decoded(int(n)) for n in want))
        assert set(seen) == {str(n) for n in range(9)}
        sampler.close()
    assert not spool.exists()


def test_patients_are_kept_between_streams_while_there_is_room(files, tmp_path):
    with open_live(files, ["0", "3"], 0, tmp_path, workers=1, log=quiet) as store:
        collect(stream(store, steps=2))
        gc.collect()
        written = spool_files(tmp_path)
        assert len(written) == 2
        collect(stream(store, steps=2))
        assert spool_files(tmp_path) == written


def test_a_stream_read_to_its_end_lets_its_patients_go(tmp_path, monkeypatch):
    """TensorFlow keeps the stream's function; were its patients held, there would be no room for the next two."""
    monkeypatch.setattr(live, "DECODED_PATIENTS", 2)
    (tmp_path / "files").mkdir()
    for number in range(4):
        write_zipped(tmp_path / "files", number, *make_patient(number))
    with open_live(open_source(tmp_path / "files"), None, 0, tmp_path / "spool", workers=1, log=quiet) as store:
        for patients in (store.patients[:2], store.patients[2:], store.patients[:2]):
            dataset = stream(store, steps=2, patients=patients)
            collect(dataset)
            assert store._spool.decoded() == 2 and eventually(lambda: len(spool_files(tmp_path / "spool")) == 2)


def test_an_unzipped_patient_is_mapped_where_it_lies(files, tmp_path):
    with open_live(files, ["1", "4"], 0, tmp_path, workers=1, log=quiet) as store:
        np.testing.assert_array_equal(store.patients[0].load().signal.ravel(), make_patient(1, 2)[0].ravel())
        assert spool_files(tmp_path) == []


def test_a_bad_patient_stops_the_stream_and_is_named(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    for number in (0, 1):
        write_zipped(folder, number, *make_patient(number, samples=40_000))
    file = folder / "00001_batched.pkl.gz"
    file.write_bytes(file.read_bytes()[:-100])
    with (
        pytest.raises(DataError, match=r"00001_batched\.pkl\.gz: .*too early") as caught,
        own_errors(),
        open_live(open_source(folder), None, 0, tmp_path / "spool", workers=1, log=quiet) as store,
    ):
        # Its head is whole, so nobody knows before it is inflated.
        assert len(usable_patients(store.patients, FRAME)[0]) == 2
        collect(stream(store))
    assert "\n" not in str(caught.value) and not (tmp_path / "spool").exists()


def test_a_spool_folder_that_cannot_be_written_is_named(files, tmp_path):
    with (
        pytest.raises(DataError, match=r"decoded patients must be written there.*No such file"),
        open_live(files, ["0"], 0, tmp_path, workers=1, log=quiet) as store,
    ):
        shutil.rmtree(tmp_path)
        store.patients[0].load()


def test_patients_whose_heads_are_bad_are_left_out_before_the_start(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    for number in (0, 1, 2):
        write_zipped(folder, number, *make_patient(number))
    (folder / "00001_batched_lbls.pkl.gz").unlink()
    (folder / "00002_batched.pkl.gz").write_bytes(b"\x1f\x8b")
    with open_live(open_source(folder), None, 0, tmp_path / "spool", workers=1, log=quiet) as store:
        usable, left_out = usable_patients(store.patients, FRAME)
        assert [p.patient for p in usable] == ["0"] and [patient for patient, _ in left_out] == ["1", "2"]
        assert "no 00001_batched_lbls.pkl.gz" in left_out[0][1] and "00002_batched.pkl.gz" in left_out[1][1]
        assert len(collect(stream(store, steps=1, patients=usable))[1]) == 32


def test_the_fingerprint_tells_patients_apart_and_survives_a_repair(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    signals, labels = make_patient(1, samples=40_000)
    write_zipped(folder, 0, *make_patient(0, samples=40_000))
    write_zipped(folder, 1, signals, labels)

    def fingerprint(patients=None):
        with open_live(open_source(folder), patients, 0, tmp_path, workers=1, log=quiet) as store:
            return store.fingerprint

    whole = fingerprint()
    assert whole == fingerprint() != fingerprint(["0"])
    file = folder / "00001_batched.pkl.gz"
    file.write_bytes(file.read_bytes()[:-100])
    assert fingerprint() == whole, "a run that stops at a damaged file goes on with the file fetched again"
    write_unzipped(folder, 1, signals, labels)
    assert fingerprint() == whole
    write_unzipped(folder, 1, signals + np.float32(0.005), labels)
    assert fingerprint() != whole


def test_what_cannot_be_opened_is_said_before_a_process_starts(files, tmp_path, monkeypatch):
    with pytest.raises(OptionError, match="prepare a store"):
        open_live(SyntheticSource(), None, 0, tmp_path, log=quiet)
    with pytest.raises(OptionError, match="99"):
        open_live(files, ["99"], 0, tmp_path, log=quiet)
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("pretraining.live.shutil.disk_usage", lambda path: usage)
    with pytest.raises(DataError, match="GiB free"):
        open_live(files, None, 0, tmp_path, log=quiet)
    assert os.listdir(tmp_path) == []

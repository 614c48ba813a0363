"""One patient, four layouts on disk: the same store, frames and labels; and which layout a folder is in."""

import numpy as np
import pytest
from icentia_files import make_patient, write_raw_pickles, write_unzipped, write_wfdb, write_zipped
from wfdb_files import write_record

from pretraining import prepare
from pretraining.preparation import PreparationSettings, prepare_store
from pretraining.sources import open_source
from pretraining.store import Store
from pretraining.streams import frame_dataset
from transplant.datasets.icentia11k_files import Icentia11kFiles
from transplant.datasets.wfdb_directory import WfdbDirectory
from transplant.errors import DataError
from transplant.tasks.task import default_options, get_task

WRITERS = {"zipped": write_zipped, "unzipped": write_unzipped, "raw": write_raw_pickles, "wfdb": write_wfdb}
FRAME = 700


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Three patients of one, two and three segments in each layout."""
    root = tmp_path_factory.mktemp("layouts")
    for form, write in WRITERS.items():
        (root / form).mkdir()
        for number in (0, 1, 10_012):
            write(root / form, number, *make_patient(number, segments=1 + number % 3))
        source = open_source(root / form)
        prepare_store(source, root / f"{form}-store", PreparationSettings(250.0), workers=1, log=lambda line: None)
    return {form: Store.open(root / f"{form}-store") for form in WRITERS}


def test_every_layout_gives_the_same_signals_as_int16(stores):
    for store in stores.values():
        assert store.dataset == "icentia11k" and [p.patient for p in store.patients] == ["0", "1", "10012"]
        for patient, stored in zip((0, 1, 10_012), store.patients):
            signal, _ = make_patient(patient, segments=1 + patient % 3)
            segments = stored.load()
            assert stored.dtype == "int16" and stored.lengths == [3000] * len(signal)
            for i, values in enumerate(signal):
                np.testing.assert_array_equal(segments.millivolts(i)[:, 0], values)


@pytest.mark.parametrize("task", ["beat", "rhythm", "hr"])
def test_every_layout_gives_the_same_frames_and_labels(stores, task):
    task = get_task(task)
    drawn = {}
    for form, store in stores.items():
        batches = frame_dataset(
            store, store.patients, task, default_options(task, FRAME), store.normalization(store.patients), 64, 30, 7, 4
        )
        drawn[form] = [np.concatenate(parts) for parts in zip(*((x.numpy(), y.numpy()) for x, y in batches))]
    frames, labels = drawn["zipped"]
    assert len(labels) == 256 and len(set(labels.tolist())) > 1
    for others, their_labels in drawn.values():
        np.testing.assert_array_equal(others, frames)
        np.testing.assert_array_equal(their_labels, labels)


def test_a_store_is_prepared_from_zipped_files_by_processes(stores, tmp_path):
    source = tmp_path / "zipped"
    source.mkdir()
    for number in (0, 1, 10_012):
        write_zipped(source, number, *make_patient(number, segments=1 + number % 3))
    (source / "00005_batched.pkl.gz").write_bytes(b"\x1f\x8b cut")
    command = ["--source", str(source), "--out", str(tmp_path / "store"), "--workers", "2"]
    assert prepare.main(command) == 2
    assert prepare.main([*command, "--skip-bad"]) == 0
    store = Store.open(tmp_path / "store")
    assert store.fingerprint == stores["zipped"].fingerprint and store.lead_choices == stores["zipped"].lead_choices
    assert [patient for patient, _ in store.skipped] == ["5"] and "00005_batched" in store.skipped[0][1]


def test_the_layout_of_a_folder_is_found_out(tmp_path):
    for form, write in WRITERS.items():
        (tmp_path / form).mkdir()
        write(tmp_path / form, 4, *make_patient(4))
        source = open_source(tmp_path / form)
        assert isinstance(source, WfdbDirectory if form == "wfdb" else Icentia11kFiles)
        assert list(source.patients()) == ["4"]


def test_two_layouts_in_one_folder_are_refused(tmp_path):
    write_zipped(tmp_path, 4, *make_patient(4))
    write_record(tmp_path, "100")
    with pytest.raises(DataError, match=r"one layout.*100\.(hea|atr)"):
        open_source(tmp_path)


def test_a_folder_without_recordings_names_both_layouts_and_the_folder_meant(tmp_path):
    with pytest.raises(DataError, match=r"WFDB records.*Icentia11k's files.*check the path"):
        open_source(tmp_path)
    (tmp_path / "inside").mkdir()
    write_zipped(tmp_path / "inside", 4, *make_patient(4))
    with pytest.raises(DataError, match=r"name the folder inside it, .*inside"):
        open_source(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        open_source(tmp_path / "nowhere")

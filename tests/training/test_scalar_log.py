"""The event file, read with TensorFlow's own reader."""

import tensorflow as tf

from transplant.training.scalar_log import ScalarLog


def events(folder):
    """Return [(step, {tag: value})] of all event files of a folder, and their versions."""
    found, versions = [], []
    for path in sorted(folder.glob("*tfevents*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            if event.file_version:
                versions.append(event.file_version)
            else:
                found.append((event.step, {v.tag: v.simple_value for v in event.summary.value}))
    return found, versions


def test_every_epoch_is_one_event(tmp_path):
    log = ScalarLog(tmp_path)
    log.write(1, {"loss": 0.5, "f1": 0.25})
    # Readable while the run goes on.
    assert events(tmp_path) == ([(1, {"loss": 0.5, "f1": 0.25})], ["brain.Event:2"])
    log.write(2, {"loss": 0.125})
    log.close()
    assert events(tmp_path)[0] == [(1, {"loss": 0.5, "f1": 0.25}), (2, {"loss": 0.125})]


def test_a_resumed_log_replaces_what_a_killed_run_left(tmp_path):
    killed = ScalarLog(tmp_path)
    for epoch in (1, 2, 3):
        killed.write(epoch, {"loss": 1.0})
    killed.close()
    # The checkpoint knows two epochs: the third was written and lost.
    resumed = ScalarLog(tmp_path, [(1, {"loss": 0.5}), (2, {"loss": 0.25})])
    resumed.write(3, {"loss": 0.125})
    resumed.close()
    assert events(tmp_path) == ([(1, {"loss": 0.5}), (2, {"loss": 0.25}), (3, {"loss": 0.125})], ["brain.Event:2"])


def test_other_files_of_the_folder_stay(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    ScalarLog(tmp_path).close()
    assert (tmp_path / "notes.txt").read_text() == "mine"

import importlib
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import scipy.io
import scipy.signal

from finetuning.prepare import main
from transplant.datasets.labelled_set import LabelledSet
from transplant.datasets.preparation import fit_length, prepare_records
from transplant.datasets.record import Record
from transplant.datasets.registry import DATASETS, get_dataset
from transplant.errors import DataError, OptionError

DATA = os.environ.get("TRANSPLANT_DATA")
CLASSES = ("A", "N", "O", "~")


def write_challenge(folder, per_class=6, n=1500):
    """Write a small challenge folder: MATLAB v4 files, headers as distributed, v2 and v3 labels."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(3)
    lines = []
    for i in range(4 * per_class):
        name = f"A{i + 1:05d}"
        values = rng.integers(-500, 500, n + 60 * i).astype(np.int16)
        scipy.io.savemat(folder / f"{name}.mat", {"val": values[None, :]}, format="4")
        (folder / f"{name}.hea").write_text(
            f"{name} 1 300 {len(values)} 2014-03-29 08:03:08 \n{name}.mat 16+24 1000/mV 16 0 6 0 0 ECG \n"
        )
        lines.append(f"{name},{CLASSES[i % 4]}\n")
    (folder / "REFERENCE-v2.csv").write_text("".join(lines))
    (folder / "REFERENCE-v3.csv").write_text("".join(lines[4:]) + "".join(lines[:4]).replace(",A", ",N"))
    return folder


def prepare(folder, out_dir, *more):
    return main(["--dataset", "challenge2017", "--source", str(folder), "--out-dir", str(out_dir), *map(str, more)])


def record(name="r", values=(1.0, 2.0, 3.0), rate=250, label="N", leads=("ECG",), patient=None):
    signal = np.array(values, np.float32)[:, None]
    return Record(name, patient or name, signal, rate, leads, label=label)


def test_short_records_are_padded_on_the_left_and_long_ones_keep_their_end():
    padded, valid = fit_length(np.array([[1.0], [2.0]], np.float32), 4)
    assert padded[:, 0].tolist() == [0, 0, 1, 2] and valid == 2
    cut, valid = fit_length(np.arange(6, dtype=np.float32)[:, None], 4)
    assert cut[:, 0].tolist() == [2, 3, 4, 5] and valid == 4


def test_whole_records_are_resampled_before_they_are_cut():
    rng = np.random.default_rng(0)
    values = rng.normal(0.2, 1, 3000)
    prepared = prepare_records([record(values=values, rate=300)], CLASSES, length=1000, rate_hz=250)
    expected = scipy.signal.resample_poly(values, 5, 6, padtype="mean")[-1000:]
    np.testing.assert_allclose(prepared.x[0, :, 0], expected, atol=2e-6)
    assert prepared.lengths.tolist() == [1000]
    assert prepared.unit == "mV" and prepared.sampling_rate_hz == 250


def test_windows_do_not_overlap_and_the_last_ends_with_the_record():
    long, exact, short = np.arange(11.0), np.arange(100.0, 108.0), np.arange(200.0, 203.0)
    records = [
        record("long", values=long, label="A"), record("exact", values=exact, label="O"),
        record("short", values=short, label="N"),
    ]  # fmt: skip
    prepared = prepare_records(records, CLASSES, length=4, windows=True)
    assert prepared.record_ids.tolist() == ["long-000", "long-001", "exact-000", "exact-001", "short"]
    assert prepared.x[:, :, 0].tolist() == [
        [3, 4, 5, 6], [7, 8, 9, 10], [100, 101, 102, 103], [104, 105, 106, 107], [0, 200, 201, 202],
    ]  # fmt: skip
    assert prepared.group_ids.tolist() == ["long", "long", "exact", "exact", "short"]
    assert [CLASSES[label] for label in prepared.y] == ["A", "A", "O", "O", "N"]
    assert prepared.lengths.tolist() == [4, 4, 4, 4, 3]
    assert prepared.notes == ("windows of 4 samples, each with the label of its whole record",)
    last_alone = prepare_records(records, CLASSES, length=4)
    assert last_alone.record_ids.tolist() == ["long", "exact", "short"] and last_alone.notes == ()
    # Nothing was cut: the same set, mark for mark.
    whole, in_windows = (prepare_records(records, CLASSES, length=11, windows=windows) for windows in (False, True))
    assert in_windows.fingerprint() == whole.fingerprint() and in_windows.notes == ()
    np.testing.assert_array_equal(last_alone.x, prepared.x[[1, 3, 4]])


def test_windows_of_a_record_are_on_one_side_of_a_split(tmp_path):
    folder = write_challenge(tmp_path / "challenge")
    assert prepare(folder, tmp_path / "D", "--test-size", 0.25, "--length", 500, "--seed", 5, "--windows") == 0
    train, test = (LabelledSet.load(tmp_path / "D" / f"{part}.npz") for part in ("train", "test"))
    of_train, of_test = set(train.group_ids), set(test.group_ids)
    assert of_test and not of_train & of_test and len(of_train | of_test) == 24
    # 1,500 to 2,880 samples at 300 Hz are 1,250 to 2,400 at 250.
    for part in (train, test):
        windows = [int((part.group_ids == name).sum()) for name in set(part.group_ids)]
        assert set(windows) <= {2, 3, 4} and len(part) == sum(windows)
    assert json.loads((tmp_path / "D" / "prepare.json").read_text())["options"]["windows"] is True


def test_windows_need_their_length(tmp_path, capsys):
    assert prepare(write_challenge(tmp_path / "challenge"), tmp_path / "D", "--windows") == 2
    assert "windows of --length samples. Received: no --length; give it" in capsys.readouterr().err
    assert not (tmp_path / "D").exists()


def test_standardising_before_or_after_resampling_is_the_same():
    values = np.random.default_rng(1).normal(0.5, 0.3, 2000)
    after = prepare_records([record(values=values, rate=300)], CLASSES, length=1500)
    before = prepare_records([record(values=(values - 0.0075) / 0.2373, rate=300)], CLASSES, length=1000)
    normalization = get_dataset("challenge2017").paper_normalization()
    assert (normalization.source, normalization.mean, normalization.std) == ("paper:cinc2017", (0.0075,), (0.2373,))
    np.testing.assert_allclose(after.select([0]).standardized(normalization)[0, -1000:], before.x[0], atol=1e-5)


def test_the_set_keeps_names_patients_and_class_order():
    records = [record("b", label="~", patient="p"), record("a", label="A", patient="p"), record("c", label="O")]
    prepared = prepare_records(records, CLASSES, length=5)
    assert prepared.record_ids.tolist() == ["b", "a", "c"] and prepared.group_ids.tolist() == ["p", "p", "c"]
    assert prepared.y.tolist() == [3, 0, 2] and prepared.x[0, :, 0].tolist() == [0, 0, 1, 2, 3]


@pytest.mark.parametrize(
    "bad, message",
    [
        (record("bad", values=[1, np.nan, np.inf]), "bad: .*2 NaN or infinite"),
        (record("bad", label="AF"), "bad: labels are A, N, O, ~. Received: 'AF'"),
        (record("bad", label=None), "bad: labels are .*Received: None"),
        (record("bad", leads=("V1",)), "bad: all records have the same leads, here ECG. Received: V1"),
        (record("bad", values=[]), "bad: .*no samples"),
    ],
)
def test_a_bad_record_is_an_error_or_is_skipped_and_listed(bad, message):
    records = [record("good"), bad]
    with pytest.raises(DataError, match=message):
        prepare_records(records, CLASSES, length=4)
    skipped = []
    assert prepare_records(records, CLASSES, length=4, skipped=skipped).record_ids.tolist() == ["good"]
    assert [entry.name for entry in skipped] == ["bad"]
    with pytest.raises(DataError, match="none that can be used"):
        prepare_records(records[1:], CLASSES[:1], length=4, skipped=[])


def test_a_split_is_written_with_its_description(tmp_path, capsys):
    folder = write_challenge(tmp_path / "challenge")
    out = tmp_path / "deep" / "D"
    assert prepare(folder, out, "--test-size", 0.25, "--length", 2000, "--seed", 5) == 0
    assert sorted(path.name for path in out.iterdir()) == ["prepare.json", "test.npz", "train.npz"]
    train, test = LabelledSet.load(out / "train.npz"), LabelledSet.load(out / "test.npz")
    assert len(train) == 18 and len(test) == 6 and train.x.shape[1:] == (2000, 1)
    assert not set(train.group_ids) & set(test.group_ids)
    assert (train.label_version, train.dataset, train.unit) == ("v2", "challenge2017", "mV")
    assert set(test.counts().values()) <= {1, 2}
    described = json.loads((out / "prepare.json").read_text())
    assert described["label_version"] == "v2" and described["options"]["seed"] == 5 and described["skipped"] == []
    assert described["parts"]["train"]["fingerprint"] == train.fingerprint()
    assert described["parts"]["test"]["counts"] == test.counts()
    assert set(described["versions"]) >= {"transplant", "numpy", "scipy"}
    printed = capsys.readouterr().out
    assert f"python -m finetuning.trainer --train {out}/train.npz --test {out}/test.npz" in printed
    assert str(train) in printed


def test_the_same_command_writes_the_same_set(tmp_path):
    folder = write_challenge(tmp_path / "challenge")
    for name in ("one", "two"):
        assert prepare(folder, tmp_path / name) == 0
    assert LabelledSet.load(tmp_path / "one" / "test.npz").record_ids.tolist() == (
        LabelledSet.load(tmp_path / "two" / "test.npz").record_ids.tolist()
    )
    assert (tmp_path / "one" / "test.npz").read_bytes() == (tmp_path / "two" / "test.npz").read_bytes()


def test_without_a_split_there_is_one_file_and_the_version_asked_for_is_recorded(tmp_path):
    folder = write_challenge(tmp_path / "challenge")
    assert prepare(folder, tmp_path / "D", "--test-size", 0, "--label-version", "v3", "--length", 100) == 0
    assert sorted(path.name for path in (tmp_path / "D").iterdir()) == ["all.npz", "prepare.json"]
    whole = LabelledSet.load(tmp_path / "D" / "all.npz")
    assert whole.label_version == "v3" and whole.counts() == {"A": 5, "N": 7, "O": 6, "~": 6}


def test_a_prepared_set_is_overwritten_only_when_asked(tmp_path, capsys):
    folder = write_challenge(tmp_path / "challenge")
    out = tmp_path / "D"
    assert prepare(folder, out) == 0
    (out / "notes.txt").write_text("mine")
    before = (out / "train.npz").read_bytes()
    assert prepare(folder, out, "--test-size", 0) == 2
    assert "--overwrite" in capsys.readouterr().err and (out / "train.npz").read_bytes() == before
    assert prepare(folder, out, "--test-size", 0, "--overwrite") == 0
    assert sorted(path.name for path in out.iterdir()) == ["all.npz", "notes.txt", "prepare.json"]


def test_skipped_records_are_counted_and_listed(tmp_path, capsys):
    folder = write_challenge(tmp_path / "challenge")
    (folder / "A00003.mat").write_bytes((folder / "A00003.mat").read_bytes()[:500])
    (folder / "A00005.mat").unlink()
    assert prepare(folder, tmp_path / "D", "--skip-bad", "--test-size", 0) == 0
    printed = capsys.readouterr().out
    assert "skipped 2 records" in printed and "A00003" in printed and "A00005 (1): no signal" in printed
    described = json.loads((tmp_path / "D" / "prepare.json").read_text())
    assert [entry["name"] for entry in described["skipped"]] == ["A00005", "A00003"]
    assert described["parts"]["all"]["records"] == 22


def spoil_mat(folder):
    (folder / "A00003.mat").write_bytes((folder / "A00003.mat").read_bytes()[:500])


def spoil_nan(folder):
    scipy.io.savemat(folder / "A00003.mat", {"val": np.full((1, 1620), np.nan)}, format="4")


def spoil_label(folder):
    text = (folder / "REFERENCE-v2.csv").read_text()
    (folder / "REFERENCE-v2.csv").write_text(text.replace("A00003,O", "A00003,X"))


def empty(folder):
    for file in folder.iterdir():
        file.unlink()


def few(folder):
    (folder / "REFERENCE-v2.csv").write_text("A00001,A\nA00002,N\nA00003,N\nA00004,N\n")
    (folder / "RECORDS").write_text("A00001\nA00002\nA00003\nA00004\n")


@pytest.mark.parametrize(
    "spoil, options, message",
    [
        (empty, [], "challenge: the challenge's .mat files are needed"),
        (lambda f: (f / "A00003.mat").unlink(), [], "1 with no signal (A00003)"),
        (lambda f: (f / "REFERENCE-v2.csv").write_text("A00001,N\n"), [], "23 with no label (A00002, A00003,"),
        (spoil_mat, [], "A00003.mat: "),
        (spoil_nan, [], "A00003.mat: every sample must be a number"),
        (spoil_label, [], "A00003 labelled 'X'"),
        (few, ["--records", "challenge/RECORDS"], "class A needs records of at least 2 patients"),
        (lambda f: None, ["--label-version", "v1"], "Received: REFERENCE-v2.csv, REFERENCE-v3.csv"),
        (lambda f: None, ["--records", "nowhere.txt"], "nowhere.txt: "),
        (lambda f: None, ["--source", "nowhere"], "nowhere: the folder of the challenge is needed"),
        (lambda f: None, ["--records-count", "5"], "--records-count is for --dataset synthetic"),
    ],
)
def test_bad_input_is_one_line_and_status_2_and_nothing_is_written(
    tmp_path, capsys, monkeypatch, spoil, options, message
):
    monkeypatch.chdir(tmp_path)
    folder = write_challenge(tmp_path / "challenge")
    spoil(folder)
    before = sorted(tmp_path.rglob("*"))
    assert prepare(folder, "D", *options) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert message in error
    assert sorted(tmp_path.rglob("*")) == before


def test_options_that_do_not_fit_the_data_set_are_refused(tmp_path, capsys):
    out = ["--out-dir", str(tmp_path / "D")]
    assert main(["--dataset", "synthetic", "--source", "x", "--label-version", "v2", *out]) == 2
    assert "reads no files. Received: --source; leave it out" in capsys.readouterr().err
    (tmp_path / "D").write_text("a file")
    assert main(["--dataset", "synthetic", *out]) == 2
    assert "Received: a file of that name" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [["--test-size", "1.5"], ["--test-size", "-0.1"], ["--length", "0"], ["--lenght", "5"], ["--test", "0.2"]],
)
def test_flags_out_of_range_unknown_or_abbreviated_are_refused(tmp_path, options):
    with pytest.raises(SystemExit) as stopped:
        main(["--dataset", "synthetic", "--out-dir", str(tmp_path / "D"), *options])
    assert stopped.value.code == 2 and not (tmp_path / "D").exists()


def test_a_failed_write_leaves_nothing(tmp_path, capsys, monkeypatch):
    folder = write_challenge(tmp_path / "challenge")
    written = []

    def fail_at_second(self, path):
        written.append(path)
        pathlib.Path(path).write_bytes(b"half")
        if len(written) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(LabelledSet, "write", fail_at_second)
    assert prepare(folder, tmp_path / "D") == 2
    assert "No space left on device" in capsys.readouterr().err
    assert len(written) == 2 and not (tmp_path / "D").exists()


def test_synthetic_records_are_prepared_and_called_not_evidence(tmp_path, capsys):
    out = tmp_path / "D"
    options = ["--records-count", "24", "--test-size", "0", "--length", "4096", "--seed", "1"]
    assert main(["--dataset", "synthetic", "--out-dir", str(out), *options]) == 0
    printed = capsys.readouterr().out
    assert "not evidence" in printed
    whole = LabelledSet.load(out / "all.npz")
    assert len(whole) == 24 and whole.x.shape == (24, 4096, 1) and all(whole.counts().values())
    assert whole.dataset == "synthetic"


def test_the_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom finetuning.prepare import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as stopped:\n    assert stopped.code == 0\n"
        "print([m for m in ('tensorflow', 'keras', 'wfdb', 'pandas', 'numpy', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]" and "--label-version" in done.stdout


def test_the_registry_names_every_data_set():
    assert {name for name, spec in DATASETS.items() if not spec.is_whole} == {"challenge2017", "synthetic"}
    assert all(spec.is_whole or spec.classes == CLASSES for spec in DATASETS.values())
    for spec in DATASETS.values():
        assert spec.description and callable(getattr(importlib.import_module(spec.module), spec.opener))
    with pytest.raises(OptionError, match=r"challenge2017, synthetic, .*Received: emnist"):
        get_dataset("emnist")
    with pytest.raises(OptionError, match="synthetic, which has none"):
        get_dataset("synthetic").paper_normalization()


@pytest.mark.skipif(DATA is None, reason="TRANSPLANT_DATA is not set")
def test_the_official_validation_part(tmp_path):
    folder = pathlib.Path(DATA) / "cinc2017"
    options = ["--label-version", "v3", "--records", folder / "RECORDS-validation", "--test-size", 0]
    assert prepare(folder, tmp_path / "D", *options) == 0
    whole = LabelledSet.load(tmp_path / "D" / "all.npz")
    assert whole.x.shape == (240, 16384, 1)
    assert whole.counts() == {"N": 118, "A": 38, "O": 52, "~": 32}
    samples = dict(line.split(",")[:2] for line in (folder / "provenance.csv").read_text().splitlines()[1:])
    expected = [min(-(-int(samples[name]) * 5 // 6), 16384) for name in whole.record_ids]
    assert whole.lengths.tolist() == expected

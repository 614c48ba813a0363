"""The two commands: every method on the embedded data, exact resume, judging a file alone, one-line errors."""

import contextlib
import io
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from labelled_sets import hourly_set

from distillation.condensation import evaluate, trainer
from distillation.condensation.configs import CONFIGS
from distillation.condensation.distilled_set import DistilledSet
from distillation.condensation.methods import METHODS, settle_options
from distillation.condensation.trainer import method_options, parse
from transplant.training.splits import stratified_split

SMALL = ["--arch", "mlp3", "--iterations", "4", "--look-every", "2"]


@pytest.fixture(autouse=True, scope="module")
def few_epochs():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("distillation.condensation.validation_look.LOOK_EPOCHS", 20)
        yield


def run(job, *options):
    return trainer.main(["--job-dir", str(job), *options])


def options_of(method):
    """Return the options of a method's small run on the digits, two examples a class."""
    few_steps = ["--distill-epochs", "3"] if method == "vanilla" else []
    learned = [] if METHODS[method].is_coreset else [*SMALL, *few_steps]
    return ["--method", method, "--ipc", "2", *learned]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A function from a method's name to its job, which is run once, and what it printed."""
    jobs = {}

    def of(method):
        if method not in jobs:
            job, printed = tmp_path_factory.mktemp(method) / "job", io.StringIO()
            with contextlib.redirect_stdout(printed):
                assert run(job, *options_of(method)) == 0
            jobs[method] = job, printed.getvalue()
        return jobs[method]

    return of


@pytest.mark.parametrize("method", METHODS)
def test_every_method_leaves_its_examples(method, finished):
    job, printed = finished(method)
    found = DistilledSet.load(job)
    assert found.x.shape == (20, 8, 8, 1) and np.bincount(found.y).tolist() == [2] * 10
    assert found.is_ordered == (method == "vanilla")
    assert found.provenance["method"] == method and found.provenance["dataset"] == "digits"
    files = {path.name for path in job.iterdir()}
    assert {"examples.png", "values.png", "config.json"} <= files
    if not METHODS[method].is_coreset:
        history = pd.read_csv(job / "history.csv")
        assert history["iteration"].tolist() == [1, 2, 3, 4] and np.isfinite(history["loss"]).all()
        assert history["val_score"].notna().tolist() == [False, True, False, True]
        assert "iteration 4/4, 0:" in printed and "learning_curves.png" in files


def test_real_examples_of_a_coreset_are_real(finished):
    values = DistilledSet.load(finished("kcenter")[0]).values()
    np.testing.assert_allclose(values, values.round(), atol=1e-3)
    assert values.min() >= -1e-3 and values.max() <= 16.001


@pytest.mark.parametrize(
    "method", ["vanilla", pytest.param("dsa", marks=pytest.mark.slow), pytest.param("dm", marks=pytest.mark.slow)]
)
def test_a_run_that_was_interrupted_ends_with_the_same_numbers(method, finished, tmp_path, monkeypatch):
    options, (job, _) = options_of(method), finished(method)
    from distillation.condensation import run as run_module

    save = run_module.save_checkpoint

    def stop(*arguments):
        save(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "save_checkpoint", stop)
        assert run(tmp_path / "parts", *options) == 130
    assert not (tmp_path / "parts" / "distilled.npz").exists()
    assert run(tmp_path / "parts", *options, "--resume") == 0
    whole, parts = DistilledSet.load(job), DistilledSet.load(tmp_path / "parts")
    assert np.array_equal(whole.x, parts.x) and np.array_equal(whole.rates, parts.rates)
    histories = [pd.read_csv(folder / "history.csv") for folder in (job, tmp_path / "parts")]
    pd.testing.assert_frame_equal(*histories, check_exact=True)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "special"), [("vanilla", ["--decay-every", "2"]), ("dm", [])])
def test_a_finished_run_goes_on_with_more_iterations(method, special, finished, tmp_path, capsys):
    options = [*options_of(method), *special]
    assert run(tmp_path / "parts", *options, "--iterations", "2") == 0
    (tmp_path / "parts" / "evaluation.json").write_text("{}")
    # The rest as somebody would type it, who never gave --decay-every.
    assert run(tmp_path / "parts", *options_of(method), "--resume") == 0
    assert "judge the new ones again" in capsys.readouterr().out
    whole, parts = DistilledSet.load(finished(method)[0]), DistilledSet.load(tmp_path / "parts")
    assert np.array_equal(whole.x, parts.x)
    assert whole.provenance["options"] == parts.provenance["options"]
    histories = [pd.read_csv(folder / "history.csv") for folder in (finished(method)[0], tmp_path / "parts")]
    pd.testing.assert_frame_equal(*histories, check_exact=True)
    assert json.loads((tmp_path / "parts" / "config.json").read_text())["options"]["iterations"] == 4


def test_the_record_has_each_option_once(finished):
    provenance = DistilledSet.load(finished("dm")[0]).provenance
    assert provenance["options"]["ipc"] == 2 and provenance["data"]["dataset"] == "digits"
    assert not provenance["options"].keys() & provenance["data"].keys()


def test_a_damaged_checkpoint_is_named(finished, tmp_path, capsys):
    job = shutil.copytree(finished("dm")[0], tmp_path / "job")
    whole = (job / "checkpoint.npz").read_bytes()
    (job / "checkpoint.npz").write_bytes(whole[: len(whole) // 2])
    assert run(job, *options_of("dm"), "--resume") == 2
    assert "checkpoint.npz: damaged checkpoint" in capsys.readouterr().err


def test_a_run_goes_on_with_the_records_it_began_with(tmp_path, capsys):
    data = hourly_set(80)
    train, test = stratified_split(data.y, data.group_ids, 0.25, 1)
    data.select(test).save(tmp_path / "test.npz")
    files = ["--train", str(tmp_path / "train.npz"), "--test", str(tmp_path / "test.npz")]
    options = [*options_of("dm"), *files]
    data.select(train).save(tmp_path / "train.npz")
    assert run(tmp_path / "job", *options) == 0
    data.select(train[:-4]).save(tmp_path / "train.npz")
    assert run(tmp_path / "job", *options, "--resume") == 2
    assert "Received: other train records; give those" in capsys.readouterr().err


@pytest.mark.slow
def test_a_file_is_judged_alone(finished, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("distillation.condensation.comparison._FEWEST_WHOLE_UPDATES", 100)
    (tmp_path / "job").mkdir()
    shutil.copy(finished("vanilla")[0] / "distilled.npz", tmp_path / "job")
    options = ["--networks", "2", "--epochs", "20", "--arch", "mlp3", "--balanced", "--augment"]
    assert evaluate.main(["--distilled", str(tmp_path / "job" / "distilled.npz"), *options]) == 0
    printed = capsys.readouterr().out
    for text in ("mlp3, own steps", "logistic-regression", "random-forest", "gradient-boosting", "whole set"):
        assert text in printed
    assert "20 epochs on small sets, augmented" in printed
    report = json.loads((tmp_path / "job" / "evaluation.json").read_text())
    rows = report["summaries"]["natural test set"]
    assert {(row["learner"], row["trained_on"]) for row in rows} >= {
        ("mlp3", "distilled"), ("mlp3", "random"), ("mlp3", "whole set"), ("random-forest", "whole set"),
    }  # fmt: skip
    whole = next(row for row in rows if (row["learner"], row["trained_on"]) == ("random-forest", "whole set"))
    assert whole["accuracy"]["mean"] > 0.9
    of_distilled = next(row for row in rows if (row["learner"], row["trained_on"]) == ("mlp3", "distilled"))
    of_random = next(row for row in rows if (row["learner"], row["trained_on"]) == ("mlp3", "random"))
    of_whole = next(row for row in rows if (row["learner"], row["trained_on"]) == ("mlp3", "whole set"))
    for other in (of_random, of_whole):
        above = of_distilled["accuracy"]["above"][other["trained_on"]]
        assert above["low"] <= above["difference"] <= above["high"]
        assert above["difference"] == pytest.approx(of_distilled["accuracy"]["mean"] - other["accuracy"]["mean"])


def test_tables_keep_codes_and_come_as_csv(tmp_path, capsys):
    data = hourly_set(80)
    train, test = stratified_split(data.y, data.group_ids, 0.25, 1)
    data.select(train).save(tmp_path / "train.npz")
    data.select(test).save(tmp_path / "test.npz")
    files = ["--train", str(tmp_path / "train.npz"), "--test", str(tmp_path / "test.npz")]
    assert run(tmp_path / "job", "--method", "dc", "--ipc", "2", *files, *SMALL) == 0
    found = DistilledSet.load(tmp_path / "job")
    assert found.x[..., 2:].min() >= 0 and found.x[..., 2:].max() <= 1
    table = pd.read_csv(tmp_path / "job" / "distilled.csv")
    assert list(table.columns) == ["example", "hour", "label", "HR", "pH", "mask->HR", "mask->pH"]
    assert "AUROC of validation" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dataset", "mnits"], "there is no mnits; did you mean mnist?; --help lists the options"),
        (["--dataset", "qqq"], "there is no qqq; --help lists the options"),
        (["--itertions", "3"], "unrecognized arguments: --itertions 3; did you mean --iterations?"),
        (["--qqq", "-3"], "unrecognized arguments: --qqq -3; --help lists the options"),
        (["--config"], "argument --config: expected one argument"),
        (["--train"], "argument --train: expected one argument"),
    ],
)
def test_what_cannot_be_parsed_is_one_line_with_the_nearest_name(options, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        trainer.main(options)
    error = capsys.readouterr().err
    assert stopped.value.code == 2 and error.count("\n") == 1 and message in error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--method", "dm", "--soft-labels"], "has no use for --soft-labels"),
        (["--method", "random", "--ipc", "500"], "500 of class 0, which has"),
        (["--method", "dsa", "--ipc", "500"], "500 of class 0, which has"),
        (["--method", "vanilla", "--ipc", "500"], "500 of class 0, which has"),
        (["--method", "dc", "--arch", "mlp3", "--clamp", "50", "90"], "none of which would be left"),
        (["--arch", "cnn"], "cnn does not fit the records"),
        (["--arch", "mlp3", "--width", "9"], "--width is for convnet1, convnet2, convnet3"),
        (["--train", "x.npz", "--dataset", "digits"], "leave one of them out"),
        (["--train", "x.npz"], "Received: no --test"),
        (["--dataset", "mnist"], "Received: no --source"),
    ],
)
def test_what_cannot_be_is_one_line(options, message, tmp_path, capsys):
    assert run(tmp_path / "job", *options) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and message in captured.err
    assert not (tmp_path / "job").exists()


def test_a_prepared_set_takes_the_place_of_a_configurations():
    args = parse(["--config", "exp4", "--train", "a.npz", "--test", "b.npz"])
    assert (args.method, args.dataset, args.train) == ("dc", None, "a.npz")


def test_dense_networks_have_the_published_smaller_rate():
    rates = [
        method_options(parse(["--method", method, "--arch", arch])).data_rate
        for method, arch in (
            ("dc", "mlp3"),
            ("dsa", "mlp-512"),
            ("dc", "convnet3"),
            ("vanilla", "mlp3"),
            ("dm", "mlp3"),
        )
    ]
    assert rates == [0.01, 0.01, 0.1, 0.01, 1.0]
    assert method_options(parse(["--arch", "mlp3", "--data-rate", "0.5"])).data_rate == 0.5


def test_a_configuration_stands_below_what_is_given():
    args = parse(["--config", "exp2", "--iterations", "7"])
    options = method_options(args)
    assert (args.method, args.dataset, args.arch, options.iterations) == ("vanilla", "mnist", "lenet", 7)
    assert (options.distill_steps, options.distill_epochs, options.first_rate, options.init) == (1, 1, 1e-3, "random")


def test_every_configuration_is_one():
    assert {name: parse(["--config", name]).look_every for name in CONFIGS if "fixed" not in name} == {
        "exp1": 100, "exp2": 100, "exp3": 1_000, "exp4": 20,
    }  # fmt: skip
    names = ("method", "start", "distill_steps", "distill_epochs", "data_rate", "networks", "iterations")
    found = {}
    for name in CONFIGS:
        args = parse(["--config", name])
        options = method_options(args)
        assert (args.dataset, args.arch, options.ipc) == ("mnist", "lenet", 10)
        found[name] = tuple(getattr(args if field == "method" else options, field) for field in names)
    assert found == {
        "exp1": ("vanilla", "noise", 1, 1, 1e-3, 1, 10_000),
        "exp1-fixed": ("vanilla", "noise", 10, 3, 0.01, 1, 5_000),
        "exp2": ("vanilla", "noise", 1, 1, 1e-3, 16, 10_000),
        "exp2-fixed": ("vanilla", "noise", 10, 3, 0.01, 1, 2_000),
        "exp3": ("vanilla", "real", 1, 1, 1e-3, 16, 31_000),
        "exp3-fixed": ("vanilla", "real", 10, 3, 0.01, 1, 2_000),
        "exp4": ("dc", "noise", None, None, 0.01, 1, 1_000),
        "exp4-fixed": ("dc", "noise", None, None, 0.1, 1, 1_000),
    }


def test_vanilla_takes_thirty_steps_or_a_few_more():
    for ipc in (*range(1, 11), 20, 50):
        options = settle_options("vanilla", {"ipc": ipc})
        total = options.distill_steps * options.distill_epochs
        assert ipc % options.distill_steps == 0 and 30 <= total < 30 + options.distill_steps
    assert settle_options("vanilla", {"ipc": 50, "distill_steps": 50}).distill_epochs == 1


def test_gradient_matching_begins_with_real_examples_and_sixty_matchings():
    found = {ipc: settle_options("dc", {"ipc": ipc}) for ipc in (1, 10, 50)}
    assert {ipc: (o.iterations, o.outer_loops, o.inner_loops, o.start) for ipc, o in found.items()} == {
        1: (60, 1, 1, "real"), 10: (6, 10, 50, "real"), 50: (6, 50, 10, "real"),
    }  # fmt: skip


def test_a_job_never_goes_on_with_another_default(finished, tmp_path, capsys, monkeypatch):
    job = shutil.copytree(finished("dm")[0], tmp_path / "job")
    monkeypatch.setitem(METHODS["dm"].defaults, "data_rate", 2.0)
    assert run(job, *options_of("dm"), "--resume") == 2
    assert "data_rate" in capsys.readouterr().err.replace("-", "_")

"""A comparison: all of its runs, one after the other, and then the report."""

import dataclasses
import itertools
import json

import numpy as np

from finetuning import length_only
from finetuning.comparison_report import write_report
from finetuning.data import check_classes, check_subset
from finetuning.ingredients import check_ingredients
from finetuning.nested import chosen_row
from finetuning.results import MAINS_HZ
from finetuning.rows import expand_rows
from finetuning.runs import inner_folds, list_runs, perform, share_of_array, single_folds
from finetuning.variants import default_variants, recipe_values
from transplant.datasets.labelled_set import LabelledSet
from transplant.errors import DataError, OptionError, shorten
from transplant.evaluation.corruption import carries_mains
from transplant.modules.registry import check_fit
from transplant.training.fold_option import LEFT_OUT
from transplant.training.job import open_job
from transplant.training.progress import Progress
from transplant.training.split_options import RANDOM, check_leakage_of, units_of
from transplant.training.splits import make_folds
from transplant.training.transfer import trained_on
from transplant.training.weights import read_weights

# Options of the trainer that the comparison sets: a run on another division would be pooled with the wrong records.
_DECIDED = frozenset(
    {"--train", "--val", "--test", "--val-size", "--folds", "--fold", "--split-seed", "--subset", "--shuffle-labels"}
    | {"--split", "--dataset", "--test-size", "--check-leakage"}
    | {"--weights-file", "--second-weights-file", "--arch", "--recipe", "--seed", "--job-dir", "--resume"}
)
# What may differ when a comparison goes on, or is divided: it changes no run.
_FREE = frozenset({"job_dir", "job_array"})


def run_comparison(args, starts, log=print):
    """Perform the runs that are not finished, then pool and compare.

    Files in the job folder: ROW/seed_S/fold_I/ (jobs of finetuning.trainer; ROW/seed_S/test/
    with a test set) and what `write_report` lists.

    Args:
        args: options of `finetuning.compare`.
        starts: list of `Start`.
        log: function that takes a line.

    Returns:
        dict row name -> metrics; None where another job of the array has runs to do.
    """
    data = LabelledSet.load(args.train)
    check_classes(data)
    for arch in args.arch:
        check_fit(arch, data.input_shape)
    parts = _parts(args, data)
    rows = _rows(args, starts, data)
    shared = trainer_options(args)
    if carries_mains(data.sampling_rate_hz, MAINS_HZ):
        shared.append("--robustness")
    else:
        log(f"these records carry no mains of {MAINS_HZ:g} Hz: no rows with spoilt records")
    evaluated = LabelledSet.load(args.test) if args.test else data
    if len(np.unique(evaluated.group_ids)) < 2:
        raise DataError(f"{args.test}: intervals need records of two patients or more. Received: those of one")
    fingerprints = {"data": data.fingerprint(), "test": args.test and evaluated.fingerprint()}
    for file in dict.fromkeys(file for start in starts for file in start.files):
        if trained_on(read_weights(file), *fingerprints.values()):
            raise OptionError(
                f"--init {file}: these weights were fine-tuned on records of this very set, held-out ones among them; "
                "give a pretraining job's, or other records"
            )
    _check_rows(rows, data, parts, args, shared)
    fingerprints["weights"] = [[start.name, start.digest()] for start in starts]
    # What a recipe's name stands for may change from version to version: a comparison keeps to one.
    recipes = [
        [variant.options(), recipe_values(["--arch", arch, *variant.options()])]
        for arch in args.arch
        for variant in args.recipe or default_variants(arch)
    ]
    options = vars(args) | {"recipe": recipes, "fingerprints": fingerprints}
    job = open_job(args.job_dir, "finetuning.compare", json.loads(json.dumps(options)), resume=True, free=_FREE)
    runs = list_runs(rows, args.seeds, parts, job)
    mine = share_of_array(runs, args.job_array)
    held_out = "a test set" if args.test else f"{len(parts)} folds{', inner ones' if args.inner_folds else ''}"
    if args.split == RANDOM:
        held_out += ", at random: a group may be on both sides"
    waiting = [run for run in mine if not run.is_finished]
    here = f"{len(mine)} of them here" + (f", {len(mine) - len(waiting)} finished" if len(waiting) < len(mine) else "")
    for note in data.notes:
        log(note)
    log(f"{data.summary}; {held_out}, {len(args.seeds)} seed(s), {len(rows)} rows: {len(runs)} runs, {here}")
    progress = Progress(len(waiting), "runs")
    for run in waiting:
        perform(run, shared)
        progress.step(str(run))
    missing = [run for run in runs if not run.is_finished]
    if missing:
        log(f"{len(missing)} of {len(runs)} runs are left to other jobs; the same command reports when they are done")
        return None
    folds = [] if args.test else _folds(args, data)
    controls = {}
    if len(np.unique(data.lengths)) > 1:  # where all are equally long it would guess
        control = length_only.of_test_set(data, evaluated) if args.test else length_only.of_folds(data, folds)
        controls["length only"] = control
    inner = [held for _, held in folds] if args.inner_folds else []
    leakage = []
    if args.check_leakage:
        of_folds = ((data.select(rest), data.select(held)) for rest, held in folds)
        for number, (rest, held) in enumerate([(data, evaluated)] if args.test else of_folds):
            report = check_leakage_of({"training": rest, "held out": held}, log)
            where = "test set" if args.test else f"fold {number}"
            leakage.append(f"leakage, {where}: {'; '.join(str(report).splitlines())}")
    design = [
        f"records: {evaluated}",
        f"held out: {held_out}; seeds of the runs: {', '.join(map(str, args.seeds))}",
        f"options of every run: `{' '.join(shared)}`",
        *leakage,
    ]
    return write_report(runs, evaluated, controls, job, log, inner, design, args.folds in LEFT_OUT and not args.test)


def _folds(args, data):
    """Return the (training, held-out) rows of each fold."""
    return make_folds(data.y, units_of(data, args.split), args.folds, args.split_seed, data.classes)


def _rows(args, starts, data):
    """Return all `Row`s: combinations, the chosen one, the control."""
    rows = expand_rows(starts, args.arch, args.recipe, args.subset)
    last = rows[-1]
    if args.chosen_by:
        rows.append(chosen_row(args.chosen_by, args.folds, args.split_seed, args.split, data.fingerprint()))
    if args.shuffled_labels:
        rows.append(dataclasses.replace(last, name=f"{last.name} shuffled labels", shuffled=True))
    return rows


def _check_rows(rows, data, parts, args, shared):
    """Refuse rows that some run would refuse, before any begins."""
    from finetuning.trainer import parse

    for flag in ("--stages", "--spectrogram", "--bins"):
        if not any(option.partition("=")[0] == flag for option in args.trainer_options):
            continue
        name = flag.removeprefix("--")
        given = getattr(parse(shared), name)
        own = {row.name: getattr(parse([*shared, *row.network]), name) for row in rows if flag in row.network}
        differing = {row: value for row, value in own.items() if value != given}
        if differing:
            raise OptionError(
                f"{flag} is that of the weights: {' or '.join(sorted(set(map(str, differing.values()))))} in "
                f"{shorten(list(differing))}. Received: {given} after --; leave it out"
            )
    for subset, folds in itertools.product(args.subset, parts):
        fold = ["--fold", *map(str, folds)] if folds else []
        check_subset(data, parse([*shared, "--subset", str(subset), *fold]))


def _parts(args, data):
    """Return what the runs hold out."""
    if args.chosen_by and (args.test or args.inner_folds):
        raise OptionError("--chosen-by is scored on --folds. Received: --test or --inner-folds; leave it out")
    if args.test:
        if args.inner_folds:
            raise OptionError("--inner-folds are of --folds. Received: --test; leave one of them out")
        return [()]
    if not args.inner_folds:
        return single_folds(len(_folds(args, data)))
    if args.folds in LEFT_OUT or args.folds < 3:
        raise OptionError(f"--inner-folds hold out two folds and train on the others. Received: --folds {args.folds}")
    return inner_folds(args.folds)


def trainer_options(args):
    """Return the options of `finetuning.trainer` that all runs share, a list of text."""
    options = ["--train", args.train, "--split-seed", str(args.split_seed), "--val-size", str(args.val_size)]
    options += ["--test", args.test] if args.test else ["--folds", str(args.folds)]
    options += ["--split", args.split]
    for name in ("epochs", "batch_size", "learning_rate", "mixed_precision"):
        value = getattr(args, name)
        options += [] if value is None else [f"--{name.replace('_', '-')}", str(value)]
    return [*options, *args.trainer_options]


def check_trainer_options(args):
    """Refuse what `finetuning.trainer` would refuse, before any run begins.

    Raises:
        OptionError: if an option is none of the trainer's, or is decided by the comparison.
    """
    from finetuning.trainer import DEFAULT_ARCH, parse

    prog = "python -m finetuning.compare, options of every run"
    wrong = [option for option in args.trainer_options if option.partition("=")[0] in _DECIDED]
    if wrong:
        raise OptionError(f"options after -- are the same for all runs. Received: {', '.join(wrong)}; leave them out")
    for arch in args.arch or [DEFAULT_ARCH]:
        for variant in args.recipe or default_variants(arch):
            check_ingredients(parse(["--arch", arch, *variant.options(), *trainer_options(args)], prog))

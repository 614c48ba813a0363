"""CPU minutes until a recipe scores what the paper's ends with: `python benchmarks/time_to_f1.py --train SET`."""

import argparse
import json
import pathlib
import statistics
import sys
import tempfile

from transplant.training.command_line import fraction, make_parser, positive_int, run, seed

DESCRIPTION = """\
CPU minutes (all threads, validation and earlier checkpoints included) until the
validation macro-F1 reaches what the paper's recipe ends with, fold by fold:
the best weights of `--recipe paper` set the mark, and each recipe is timed to
the first epoch that reaches it. Runs are processes of finetuning.trainer on
the same folds, from the same weights.

Without --train the records are synthetic, which shows that it works and
nothing else. Options of finetuning.trainer for all runs follow after --."""


def minutes_to(history, timing, mark):
    """Return the CPU minutes until the macro-F1 of an epoch is at least the mark, or None if none is.

    Args:
        history: pandas.DataFrame with epoch and f1.
        timing: pandas.DataFrame with epoch and cpu_seconds.
        mark: macro-F1.
    """
    reached = history.loc[history["f1"] >= mark, "epoch"]
    if reached.empty:
        return None
    return float(timing.loc[timing["epoch"] <= reached.iloc[0], "cpu_seconds"].sum() / 60)


def summarize(folds):
    """Return marks, minutes and medians of the folds as a JSON-ready dict.

    A run that never reaches the mark counts as longer than any other.

    Args:
        folds: list of dict recipe -> (history, timing).
    """
    marks = [float(fold["paper"][0]["f1"].max()) for fold in folds]
    minutes = {
        recipe: [minutes_to(*fold[recipe], mark) for fold, mark in zip(folds, marks)] for recipe in ("paper", "best")
    }
    medians = {
        recipe: statistics.median(float("inf") if value is None else value for value in values)
        for recipe, values in minutes.items()
    }
    finite = medians["best"] < float("inf")
    return {
        "mark": [round(mark, 4) for mark in marks],
        "cpu_minutes": minutes,
        "reached": {recipe: sum(value is not None for value in values) for recipe, values in minutes.items()},
        "median": {recipe: value if value < float("inf") else None for recipe, value in medians.items()},
        "best_over_paper": medians["best"] / medians["paper"] if finite else None,
    }


def benchmark(args):
    """Run and print what the parsed options ask for."""
    import pandas as pd

    from finetuning.data import synthetic_set
    from finetuning.rows import expand_rows
    from finetuning.runs import list_runs, perform, single_folds
    from finetuning.starts import Start
    from finetuning.variants import Variant
    from transplant.datasets.labelled_set import LabelledSet
    from transplant.training.job import open_job

    with tempfile.TemporaryDirectory() as scratch:
        job = pathlib.Path(args.job_dir or scratch)
        train = args.train
        if train is None:
            train = str(job / "synthetic.npz")
            print("no --train: synthetic records, not evidence")
            synthetic_set(args.seed, 64, length=1024).save(train)
        shared = ["--train", train, "--folds", str(args.folds), "--val-size", str(args.val_size)]
        shared += ["--stages", "1", "--epochs", "3", "--batch-size", "16"] if args.quick else []
        rows = expand_rows(
            [Start.parse(args.init)], ["resnet18"], [Variant(name, name) for name in ("paper", "best")], [1.0]
        )
        asked = {name: value for name, value in vars(args).items() if name != "job_dir"}
        asked["fingerprint"] = LabelledSet.load(train).fingerprint()
        open_job(job, "benchmarks.time_to_f1", asked, resume=True)
        by_fold = [{} for _ in range(args.folds)]
        for one in list_runs(rows, [args.seed], single_folds(args.folds), job):
            perform(one, [*shared, *args.trainer_options])
            tables = [pd.read_csv(one.folder / name) for name in ("history.csv", "timing.csv")]
            by_fold[one.folds[0]][one.row.variant.recipe] = tables
            print(
                f"{one}: best macro-F1 {tables[0]['f1'].max():.3f}, {tables[1]['cpu_seconds'].sum() / 60:.1f} CPU min"
            )
    summary = summarize(by_fold)
    for recipe, values in summary["cpu_minutes"].items():
        shown = ", ".join("never" if value is None else f"{value:.2f}" for value in values)
        print(f"{recipe:6} {shown} CPU minutes to the paper's macro-F1")
    print(json.dumps({"benchmark": "time_to_f1", **summary, "train": str(args.train), "init": args.init}))


def build_parser():
    """Return the parser of this command."""
    parser = make_parser("python benchmarks/time_to_f1.py", DESCRIPTION)
    parser.add_argument("--quick", action="store_true", help="one stage, three epochs: under two minutes")
    parser.add_argument("--train", metavar="FILE", help="labelled set; default: synthetic records")
    parser.add_argument("--init", default="random", metavar="W", help="`random`, weights file or job folder")
    parser.add_argument("--folds", type=positive_int, default=2, metavar="K", help="folds")
    parser.add_argument("--val-size", type=fraction, default=0.2, metavar="S", help="validation share of a fold")
    parser.add_argument("--seed", type=seed, default=2024, help="seed of the runs")
    parser.add_argument("--job-dir", metavar="J", help="keep the runs there; finished ones are not run again")
    parser.add_argument("trainer_options", nargs=argparse.REMAINDER, help="-- and options of finetuning.trainer")
    return parser


def main(argv=None):
    """Run the command; return its exit status."""
    args = build_parser().parse_args(argv)
    args.trainer_options = [option for option in args.trainer_options if option != "--"]
    return run(benchmark, args)


if __name__ == "__main__":
    sys.exit(main())

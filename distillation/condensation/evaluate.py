"""Judge a distilled set: `python -m distillation.condensation.evaluate --distilled FILE`."""

import argparse
import functools
import sys

from distillation.condensation.architectures import JUDGES
from distillation.condensation.classifiers import CLASSIFIERS
from distillation.data_options import add_data_flags, given_data_options
from transplant.errors import DataError, OptionError
from transplant.training.command_line import make_parser, positive_int, run, seed

DESCRIPTION = """\
Train fresh networks and classifiers on a distilled set, on as many real
examples drawn at random, and on the whole set, and score all on real test
records that took no part.

  python -m distillation.condensation.evaluate --distilled J/distilled.npz
  python -m distillation.condensation.evaluate --distilled J --arch convnet1 mlp3 --networks 10

The real data are read as they were for the distillation; what is given here
stands above that, and --train or another --dataset begins from the defaults.
The best epoch is chosen on validation.
Beside the file are written evaluation.json and evaluation.md."""

NONE = "none"


def build_parser():
    """Return the parser of this command."""
    parser = make_parser("python -m distillation.condensation.evaluate", DESCRIPTION)
    what = parser.add_argument_group("what is judged")
    what.add_argument("--distilled", required=True, metavar="FILE", help="distilled.npz, or the job folder with it")
    what.add_argument(
        "--arch",
        nargs="+",
        choices=JUDGES,
        metavar="NAME",
        help=f"networks to train: {', '.join(JUDGES)}; default: the one it was distilled for, and mlp3",
    )
    what.add_argument("--width", type=positive_int, metavar="N", help="filters of ConvNets; as distilled if not given")
    what.add_argument(
        "--augment",
        action=argparse.BooleanOptionalAction,
        help="augment all that networks are trained on, but for own steps; if not given, as it was distilled",
    )
    what.add_argument("--networks", type=positive_int, default=4, metavar="N", help="fresh networks of each")
    what.add_argument("--epochs", type=positive_int, metavar="N", help="epochs on a small set; 300, augmented 1,000")
    what.add_argument(
        "--classifiers",
        nargs="+",
        choices=(*CLASSIFIERS, NONE),
        default=list(CLASSIFIERS),
        help="of scikit-learn",
    )
    what.add_argument(
        "--whole",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="train on the whole set too, which takes longest",
    )
    what.add_argument("--balanced", action="store_true", help="score a test set with as many of every class too")
    what.add_argument("--seed", type=seed, default=1, help="of weights, orders and random sets")
    add_data_flags(parser)
    return parser


def evaluate(args, given):
    """Judge the set that the parsed options name; return the summary.

    Args:
        args: parsed options.
        given: dict of those of the real data that the command line gives.
    """
    import pathlib

    from transplant.training.quiet_start import start_tensorflow

    start_tensorflow()
    from distillation.condensation.comparison import Comparison
    from distillation.condensation.distilled_set import DistilledSet
    from distillation.condensation.judged_file import check_origin
    from distillation.problem import load_problem

    path = pathlib.Path(args.distilled)
    distilled = DistilledSet.load(path)
    check_origin(path, distilled)
    widths = _widths(args, distilled)
    args = _with_data_options(args, given, distilled)
    problem = load_problem(args, normalization=distilled.normalization)
    warnings = _warnings(path, distilled, problem, args.balanced)
    origin = distilled.provenance
    print(f"{path}: {len(distilled)} examples, {origin['method']} of {origin['dataset']} for {origin['arch']}")
    comparison = Comparison(distilled, problem, args.networks, args.seed, args.epochs, args.augment)
    rows = _rows(args, comparison, distilled.is_ordered, widths)
    summaries = _summaries(args, rows, problem, distilled.classes)
    _report(args, path, comparison, summaries, [*warnings, *comparison.notes])
    return summaries


def _widths(args, distilled):
    """Return dict name -> filters, None but of ConvNets, of the networks to train, which all fit the examples."""
    from transplant.modules.convnet import DEPTHS
    from transplant.modules.registry import check_fit

    own = distilled.provenance["arch"]
    archs = args.arch or list(dict.fromkeys([own, "mlp3"]))
    for arch in archs:
        check_fit(arch, distilled.input_shape)
    if args.width and not DEPTHS.keys() & set(archs):
        raise OptionError(f"--width is for {', '.join(DEPTHS)}. Received: {', '.join(archs)}; leave it out")
    width = args.width or (distilled.provenance["width"] if own in DEPTHS else None)
    return {arch: width if arch in DEPTHS else None for arch in archs}


def _warnings(path, distilled, problem, balanced):
    """Refuse real records that do not fit; return what a reader of the report must know of the others, a line each."""
    from distillation.condensation.judged_file import check_records

    absent = [name for name, count in problem.test.counts().items() if not count]
    if balanced and absent:
        raise DataError(f"a balanced test set has every class. Received: none of {', '.join(absent)}; leave it out")
    if check_records(path, distilled, problem):
        return []
    warnings = ["these are not the very records that the set was distilled from: the test may hold some of those"]
    print(warnings[0])
    return warnings


def _rows(args, comparison, is_ordered, widths):
    """Train everything that is asked for; return the `Row`s."""
    rows = [comparison.own_steps_row()] if is_ordered else []
    for arch, width in widths.items():
        rows += comparison.network_rows(arch, width, args.whole)
    for name in args.classifiers:
        if name != NONE:
            rows += comparison.classifier_rows(name, args.whole)
    return rows


def _summaries(args, rows, problem, classes):
    """Return dict title -> summary, of the test set as it is and, where asked for, balanced."""
    from distillation.condensation.comparison import summarise
    from transplant.training.balance import balanced_subset

    y, groups = problem.test.y, problem.test.group_ids
    summaries = {"natural test set": summarise(rows, y, groups)}
    if args.balanced:
        summaries["balanced test set"] = summarise(rows, y, groups, balanced_subset(y, args.seed, classes))
    return summaries


def _report(args, path, comparison, summaries, warnings):
    """Print the tables, and write them as evaluation.md and evaluation.json."""
    from distillation.condensation.comparison import table
    from distillation.condensation.distilled_set import EVALUATION
    from transplant.atomic import atomic_path
    from transplant.evaluation.report import write_metrics
    from transplant.training.description import collect_versions

    distilled, problem = comparison.distilled, comparison.problem
    lines = [f"{len(distilled)} examples against {len(problem.train):,}; {len(problem.test):,} test records"]
    for title, summary in summaries.items():
        lines += ["", title, table(summary, len(distilled.classes))]
    lines += ["", "mean +- standard deviation over fresh networks"]
    lines += ["above: difference and its 95% interval, over test records and networks, of random sets over those too"]
    lines += [f"networks: {comparison.recipe}"]
    if args.whole:
        lines += [f"on the whole set {comparison.whole_epochs} epochs"]
    print("\n".join(lines))  # what there is to warn of was printed before
    lines += warnings
    folder = path if path.is_dir() else path.parent
    write_metrics(
        folder / EVALUATION,
        {
            "distilled": str(path),
            "provenance": distilled.provenance,
            "options": vars(args),
            "recipe": str(comparison.recipe),
            "warnings": warnings,
            "test": problem.test.counts(),
            "fingerprints": problem.fingerprints(),
            "versions": collect_versions(),
            "summaries": summaries,
        },
    )
    with atomic_path(folder / "evaluation.md") as temporary:
        temporary.write_text("```\n" + "\n".join(lines) + "\n```\n", encoding="utf-8")
    print(f"wrote {folder / EVALUATION} and evaluation.md")


def _with_data_options(args, given, distilled):
    """Return the options, those of the real data as in the distillation, with what is given here above them."""
    recorded = distilled.provenance["data"]
    if args.train or (args.dataset and args.dataset != recorded.get("dataset")):
        recorded = {}  # other data, of which nothing that was said of the former ones holds
    options = vars(args) | recorded | given
    if not options["train"] and not options["dataset"]:
        raise OptionError("the set does not say what it was distilled from. Received: no --dataset, no --train")
    return argparse.Namespace(**options)


def main(argv=None):
    """Run the command; return its exit status."""
    args = build_parser().parse_args(argv)
    return run(functools.partial(evaluate, given=given_data_options(argv)), args)


if __name__ == "__main__":
    sys.exit(main())

"""Compare fine-tuned classifiers: `python -m finetuning.compare --train SET --init random W`."""

import argparse
import sys

from finetuning.presets import PRESETS, SHARES
from finetuning.recipes import RECIPES
from finetuning.variants import Variant, default_variants, leave_one_out
from transplant.modules.registry import ARCHITECTURES
from transplant.training.command_line import (
    add_precision_flag,
    fraction,
    make_parser,
    positive_float,
    positive_int,
    run,
    seed,
)
from transplant.training.fold_option import parse_folds
from transplant.training.split_options import add_split_flag

DESCRIPTION = """\
Fine-tune from several initial weights, with several networks, recipes and
shares of the records, on the same folds or test set; pool the held-out
predictions, and report scores, paired differences, costs and figures.

  python -m finetuning.compare --train D/all.npz --init random jobs/pretraining/beat-001 --job-dir J
  python -m finetuning.compare --train D/train.npz --test D/test.npz --seeds 1 2 3 --init random W --job-dir J
  python -m finetuning.compare --train D/all.npz --preset h2 --init jobs/pretraining/beat-001 --job-dir J

Two controls stand beside: a classifier that sees only how long a record is,
and, with --shuffled-labels, the last row on permuted labels. Finished runs are
kept: interrupted, run the same command again. Options of finetuning.trainer
that all runs share follow after --, as in `... -- --patience 10 --augment none`."""


def job_array(text):
    """Parse K/N, the K-th of N jobs, as (K, N)."""
    first, _, count = text.partition("/")
    k, n = int(first), int(count)
    if not 1 <= k <= n:
        raise argparse.ArgumentTypeError(f"must be K/N with K from 1 to N, not {text}")
    return k, n


def build_parser():
    """Return the parser of this command."""
    parser = make_parser("python -m finetuning.compare", DESCRIPTION)
    data = parser.add_argument_group("data")
    data.add_argument("--train", required=True, metavar="FILE", help="labelled set made by finetuning.prepare")
    data.add_argument("--test", metavar="FILE", help="test set; default: every record is held out once, by --folds")
    data.add_argument(
        "--folds",
        type=parse_folds,
        default=5,
        metavar="K",
        help="folds of the cross-validation; loo: each record alone is one, logo: each patient or recording",
    )
    add_split_flag(data, published=False)
    data.add_argument(
        "--inner-folds",
        action="store_true",
        help="hold out two neighbouring folds in each run and report which row the inner folds of each outer fold "
        "choose, so that an outer fold has no part in a choice that is made for it",
    )
    data.add_argument(
        "--val-size", type=fraction, default=0.2, metavar="S", help="share of the training part for validation"
    )
    data.add_argument("--split-seed", type=seed, default=2024, help="seed of folds, validation parts and subsets")
    rows = parser.add_argument_group("rows: every combination that makes sense")
    rows.add_argument(
        "--init",
        nargs="+",
        required=True,
        metavar="W",
        help="`random`, weights files or job folders; NAME=W names a row, W1+W2 gives a fusion both branches, W@0.1 "
        "says what share of the pretraining patients it has seen. Random weights get the network of the others. "
        "Differences are to the first row with as many records",
    )
    rows.add_argument(
        "--arch",
        nargs="+",
        choices=tuple(ARCHITECTURES),
        metavar="NAME",
        help=f"networks: {', '.join(ARCHITECTURES)}; default: resnet18",
    )
    rows.add_argument(
        "--recipe",
        nargs="+",
        type=Variant.parse,
        metavar="R",
        help=f"recipes: {', '.join(RECIPES)}, or one with changes, as in best:ema=0:crop=4096; NAME=R names it; "
        "default: best for the ResNets, plain for the plain networks",
    )
    rows.add_argument(
        "--ablate", action="store_true", help="add rows of the first recipe without one of its ingredients each"
    )
    rows.add_argument("--subset", nargs="+", type=fraction, default=[1.0], metavar="S", help="shares of the records")
    rows.add_argument(
        "--chosen-by",
        metavar="J",
        help="add the row that is run on each fold as the inner folds of comparison J chose: its score is that of the "
        "choosing",
    )
    rows.add_argument("--shuffled-labels", action="store_true", help="add the last row on permuted labels")
    rows.add_argument(
        "--preset",
        choices=tuple(PRESETS),
        help="a hypothesis of the report, with --init naming the pretraining job. "
        + "; ".join(f"{name}: {preset.summary}" for name, preset in PRESETS.items()),
    )
    runs = parser.add_argument_group("runs")
    runs.add_argument("--seeds", nargs="+", type=seed, default=[2024], metavar="N", help="seeds: a run of each")
    runs.add_argument("--epochs", type=positive_int, metavar="N", help="epochs of every run; default: the recipe's")
    runs.add_argument("--batch-size", type=positive_int, metavar="N", help="records in a batch; default: the recipe's")
    runs.add_argument("--learning-rate", type=positive_float, metavar="R", help="default: the recipe's")
    add_precision_flag(runs)
    runs.add_argument("--job-dir", required=True, metavar="J", help="folder of all runs and of the comparison")
    runs.add_argument(
        "--job-array",
        type=job_array,
        metavar="K/N",
        help="perform every N-th run from the K-th on, for N jobs of a scheduler that share --job-dir",
    )
    return parser


def parse(argv=None):
    """Return the options of a command line; `trainer_options` holds those after --."""
    argv = list(sys.argv[1:] if argv is None else argv)
    own, trainer_options = (argv[: argv.index("--")], argv[argv.index("--") + 1 :]) if "--" in argv else (argv, [])
    args = build_parser().parse_args(own)
    args.recipe = args.recipe or []
    args.trainer_options = trainer_options
    return args


def compare(args):
    """Run the comparison that the parsed options describe."""
    from transplant.training.quiet_start import start_tensorflow

    start_tensorflow()
    from finetuning.comparison import check_trainer_options, run_comparison, trainer_options
    from finetuning.presets import preset_starts
    from finetuning.starts import Start

    args.arch = args.arch or (list(PRESETS[args.preset].archs) if args.preset else ["resnet18"])
    check_trainer_options(args)
    if args.ablate:
        first, *others = args.recipe or default_variants(args.arch[0])
        args.recipe = [first, *others, *leave_one_out(first, ["--arch", args.arch[0], *trainer_options(args)])]
    if args.preset:
        starts = preset_starts(args.preset, args.init)
        if args.preset == "h2" and len(starts) <= len(SHARES):
            shares = ", ".join(start.name for start in starts[1:])
            print(f"the job's epochs are no finer shares of its patients than {shares}: --epochs 100 has one for 1%")
    else:
        starts = [Start.parse(text) for text in args.init]
    run_comparison(args, starts)


def main(argv=None):
    """Run the command; return its exit status."""
    return run(compare, parse(argv))


if __name__ == "__main__":
    sys.exit(main())

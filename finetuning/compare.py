"""Compare initial weights by cross-validation: `python -m finetuning.compare --train SET --init random W`."""

import sys

from transplant.training.command_line import (
    add_precision_flag,
    fraction,
    make_parser,
    positive_float,
    positive_int,
    run,
    seed,
)

DESCRIPTION = """\
Fine-tune from several initial weights on the same folds, pool the predictions
of the held-out folds, and report macro-F1 with paired bootstrap intervals.

  python -m finetuning.compare --train D/all.npz --init random jobs/pretraining/beat-001 --folds 5

Every run has the same number of epochs; its best weights are chosen on a
validation part of its training folds. Two controls stand beside them: a
classifier that sees only how long a record is, and, with --shuffled-labels,
the last of --init on permuted training and validation labels. Finished runs are kept:
interrupted, run the same command again."""


def build_parser():
    """Return the parser of this command."""
    parser = make_parser("python -m finetuning.compare", DESCRIPTION)
    parser.add_argument("--train", required=True, metavar="FILE", help="labelled set made by finetuning.prepare")
    parser.add_argument(
        "--init",
        nargs="+",
        required=True,
        metavar="W",
        help="`random`, weights files or job folders; NAME=W names a row. Differences are against the first",
    )
    parser.add_argument("--folds", type=positive_int, default=5, metavar="K", help="folds of the cross-validation")
    parser.add_argument("--shuffled-labels", action="store_true", help="add the control run on permuted labels")
    parser.add_argument("--val-size", type=fraction, default=0.2, metavar="S", help="validation share of a fold")
    parser.add_argument("--epochs", type=positive_int, default=20, metavar="N", help="epochs of every run")
    parser.add_argument("--batch-size", type=positive_int, default=16, metavar="N", help="records in a batch")
    parser.add_argument("--learning-rate", type=positive_float, default=1e-3, metavar="R", help="Adam's learning rate")
    add_precision_flag(parser)
    parser.add_argument("--seed", type=seed, default=2024, help="seed of the runs")
    parser.add_argument("--split-seed", type=seed, default=2024, help="seed of the folds")
    parser.add_argument("--job-dir", required=True, metavar="J", help="folder of all runs and of the comparison")
    return parser


def compare(args):
    """Run the comparison that the parsed options describe."""
    from transplant.training.quiet_start import start_tensorflow

    start_tensorflow()
    from finetuning.comparison import Candidate, run_comparison

    candidates = [Candidate.parse(text) for text in args.init]
    run_comparison(args, candidates)


def main(argv=None):
    """Run the command; return its exit status."""
    return run(compare, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

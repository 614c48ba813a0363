"""Compare RDPD with its ablations: `python -m distillation.rdpd.compare --poor-leads II --job-dir J`."""

import sys

from distillation.data_options import add_data_flags
from distillation.rdpd.flags import (
    DEFAULT_POOR_LEADS,
    NOISE_HELP,
    RICH_SHARE_HELP,
    TEMPERATURE_HELP,
    TERMS_IN_WORDS,
    add_loss_flags,
    add_network_flags,
    add_noise_kind_flag,
    add_training_flags,
    settle_records,
)
from distillation.rdpd.methods import METHODS
from transplant.training.command_line import (
    fraction,
    make_parser,
    non_negative_float,
    non_negative_int,
    positive_float,
    run,
    seed,
)

DESCRIPTION = """\
Train teachers, and students of every method, poor view and seed; report scores
as mean and standard deviation, paired differences with intervals, agreement of
attention, complexity, and figures of single records.

  python -m distillation.rdpd.compare --job-dir J               # embedded recordings of three leads
  python -m distillation.rdpd.compare --dataset physionet2012 --source DIR \\
      --variables HR,SysABP,DiasABP,MAP,RespRate,SaO2 --poor-leads HR SysABP,DiasABP,MAP --job-dir J
  python -m distillation.rdpd.compare ... --temperature 1 2.5 5 10    # a sweep: several values of
  python -m distillation.rdpd.compare ... --rich-share .1 .3 1        # one of these, and a figure
  python -m distillation.rdpd.compare ... --noise 0 .5 1 2

All methods of a seed imitate one teacher (one of each temperature and share).
Finished runs are kept: interrupted, or with further seeds, methods, views or
values beside the earlier ones, run the command again; the report is of all that
the command names."""


def build_parser():
    """Return the parser of this command."""
    parser = make_parser("python -m distillation.rdpd.compare", DESCRIPTION)
    rows = parser.add_argument_group("rows: every combination")
    rows.add_argument(
        "--methods",
        nargs="+",
        choices=tuple(METHODS),
        default=list(METHODS),
        metavar="M",
        help=f"terms of the student's loss: {TERMS_IN_WORDS}",
    )
    rows.add_argument(
        "--poor-leads",
        nargs="+",
        metavar="LIST",
        help=f"poor views: channels or variables with commas; of the embedded recordings {DEFAULT_POOR_LEADS}",
    )
    rows.add_argument("--temperature", nargs="+", type=positive_float, metavar="T", help=TEMPERATURE_HELP)
    rows.add_argument("--rich-share", nargs="+", type=fraction, default=[1.0], metavar="S", help=RICH_SHARE_HELP)
    rows.add_argument("--noise", nargs="+", type=non_negative_float, default=[0.0], metavar="A", help=NOISE_HELP)
    rows.add_argument("--seeds", nargs="+", type=seed, default=[1, 2, 3], metavar="N", help="a run of each")
    rows.add_argument(
        "--split-per-seed",
        action="store_true",
        help="divide the patients anew for each seed; intervals are then over the divisions",
    )
    shared = parser.add_argument_group("of all runs")
    add_loss_flags(shared)
    add_noise_kind_flag(shared)
    add_data_flags(parser)
    add_network_flags(parser)
    add_training_flags(parser)
    job = parser.add_argument_group("job")
    job.add_argument("--cases", type=non_negative_int, default=1, metavar="N", help="records of each class to draw")
    job.add_argument("--job-dir", required=True, metavar="J", help="folder of all runs and of the comparison")
    return parser


def compare(args):
    """Run the comparison that the parsed options describe; return its report."""
    from transplant.training.quiet_start import start_tensorflow

    settle_records(args, [DEFAULT_POOR_LEADS])
    start_tensorflow()
    from distillation.rdpd.comparison import run_comparison

    return run_comparison(args)


def main(argv=None):
    """Run the command; return its exit status."""
    return run(compare, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

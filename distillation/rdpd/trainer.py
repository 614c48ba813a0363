"""Teach a student of few channels by a teacher of many: `python -m distillation.rdpd.trainer --poor-leads HR`."""

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
from transplant.training.command_line import fraction, make_parser, non_negative_float, positive_float, run, seed

DESCRIPTION = """\
Train a teacher on all channels of a data set, freeze it, and train a student
that sees some of them to imitate what it predicts and what it attends to.

  python -m distillation.rdpd.trainer                           # embedded recordings of three leads
  python -m distillation.rdpd.trainer --dataset physionet2012 --source DIR \\
      --variables HR,SysABP,DiasABP,MAP,RespRate,SaO2 --poor-leads HR
  python -m distillation.rdpd.trainer ... --method direct       # the same student without a teacher
  python -m distillation.rdpd.trainer ... --teacher OTHER_JOB   # a teacher that is trained already
  python -m distillation.rdpd.trainer ... --teacher-backbone W  # a teacher on a pretrained network

The job folder gets student.keras, metrics.json, predictions and attention of
teacher and student, and the teacher's own folder. Interrupted? Add --resume
and --job-dir to the same command: it ends with the same numbers."""


def build_parser():
    """Return the parser of this command."""
    parser = make_parser("python -m distillation.rdpd.trainer", DESCRIPTION)
    method = parser.add_argument_group("method")
    method.add_argument(
        "--method", choices=tuple(METHODS), default="rdpd", help=f"terms of the student's loss: {TERMS_IN_WORDS}"
    )
    method.add_argument(
        "--poor-leads",
        metavar="LIST",
        help=f"channels or variables that the student sees, with commas; of the embedded ones {DEFAULT_POOR_LEADS}",
    )
    method.add_argument("--temperature", type=positive_float, metavar="T", help=TEMPERATURE_HELP)
    add_loss_flags(method)
    hardship = parser.add_argument_group("less and worse data")
    hardship.add_argument("--rich-share", type=fraction, default=1.0, metavar="S", help=RICH_SHARE_HELP)
    hardship.add_argument("--noise", type=non_negative_float, default=0.0, metavar="A", help=NOISE_HELP)
    add_noise_kind_flag(hardship)
    add_data_flags(parser)
    add_network_flags(parser).add_argument(
        "--teacher", metavar="JOB", help="take the teacher of this job; if not given, one is trained"
    )
    training = add_training_flags(parser)
    training.add_argument("--seed", type=seed, default=2024, help="of everything random but the split")
    job = parser.add_argument_group("job")
    job.add_argument("--job-dir", metavar="J", help="folder of the results; default: jobs/distillation/METHOD-NNN")
    job.add_argument("--resume", action="store_true", help="go on with the job in --job-dir")
    return parser


def train(args):
    """Run what the parsed options describe; return the job folder."""
    from transplant.errors import OptionError
    from transplant.training.job import FREE_ON_RESUME, job_folder
    from transplant.training.quiet_start import start_tensorflow

    settle_records(args, DEFAULT_POOR_LEADS)
    if args.method == "direct" and (args.teacher or args.teacher_backbone):
        raise OptionError("direct has no teacher. Received: --teacher or --teacher-backbone; leave it out")
    start_tensorflow()
    from distillation.rdpd.run import imitate

    # A teacher that is trained is kept, whatever becomes of its student.
    # More epochs may make another teacher, and its student would have imitated both.
    free = FREE_ON_RESUME - {"epochs"}
    with job_folder(args, "distillation.rdpd.trainer", args.method, "**/epoch_*", free) as job:
        print(f"job folder: {job}", flush=True)
        imitate(args, job)
    return job


def main(argv=None):
    """Run the command; return its exit status."""
    return run(train, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

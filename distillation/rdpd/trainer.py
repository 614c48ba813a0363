"""Teach a student of few channels by a teacher of many: `python -m distillation.rdpd.trainer --poor-leads HR`."""

import argparse
import sys

from distillation.data_options import add_data_flags
from distillation.rdpd.methods import METHODS, STUDENT_TEACHER, TEACHER_STUDENT
from distillation.rdpd.sizes import RATIO, WIDTHS
from transplant.training.command_line import make_parser, positive_float, positive_int, run, seed

DESCRIPTION = """\
Train a teacher on all channels of a data set, freeze it, and train a student
that sees some of them to imitate what it predicts and what it attends to.

  python -m distillation.rdpd.trainer                           # embedded recordings of three leads
  python -m distillation.rdpd.trainer --dataset physionet2012 --source DIR \\
      --variables HR,SysABP,DiasABP,MAP,RespRate,SaO2 --poor-leads HR
  python -m distillation.rdpd.trainer ... --method direct       # the same student without a teacher
  python -m distillation.rdpd.trainer ... --teacher OTHER_JOB   # a teacher that is trained already

The job folder gets student.keras, metrics.json, predictions and attention of
teacher and student, and the teacher's own folder. Interrupted? Add --resume
and --job-dir to the same command: it ends with the same numbers."""

DEFAULT_DATASET, DEFAULT_POOR_LEADS = "synthetic-leads", "II"


def build_parser():
    """Return the parser of this command."""
    parser = make_parser("python -m distillation.rdpd.trainer", DESCRIPTION)
    method = parser.add_argument_group("method")
    method.add_argument(
        "--method",
        choices=tuple(METHODS),
        default="rdpd",
        help="terms of the student's loss: "
        + "; ".join(f"{name}: {', '.join(terms)}" for name, terms in METHODS.items()),
    )
    method.add_argument(
        "--poor-leads",
        metavar="LIST",
        help=f"channels or variables that the student sees, with commas; of the embedded ones {DEFAULT_POOR_LEADS}",
    )
    method.add_argument("--temperature", type=positive_float, metavar="T", help="of soft labels; 5, of vitals 2.5")
    method.add_argument(
        "--teacher-temperature",
        type=positive_float,
        metavar="T",
        help="of the teacher's own loss; --temperature, as the paper's equation 8 has it, if not given; 1 is usual",
    )
    method.add_argument(
        "--attention-direction",
        choices=(STUDENT_TEACHER, TEACHER_STUDENT),
        default=STUDENT_TEACHER,
        help="of the attention's divergence: the paper's, KL(student, teacher), or its public code's",
    )
    method.add_argument(
        "--bias-per-class",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="combined labels with one b a class: the published scalar b has no gradient",
    )
    add_data_flags(parser)
    size = parser.add_argument_group("networks")
    size.add_argument("--teacher", metavar="JOB", help="take the teacher of this job; if not given, one is trained")
    size.add_argument("--segment", type=positive_int, metavar="N", help="samples of a segment; by --dataset")
    for name, text in {
        "filters": "of the teacher's first convolution",
        "kernel": "samples of a convolution",
        "stride": "of the convolutions",
        "hidden": "units of the teacher's LSTM each way",
        "convolutions": "of a segment, 1 or 2",
    }.items():
        size.add_argument(f"--{name}", type=positive_int, metavar="N", help=f"{text}; by --dataset")
    size.add_argument(
        "--student-widths",
        choices=tuple(WIDTHS),
        default=RATIO,
        help="filters and units of the student: " + "; ".join(f"{name}: {text}" for name, text in WIDTHS.items()),
    )
    size.add_argument("--student-filters", type=positive_int, metavar="N", help="in place of --student-widths'")
    size.add_argument("--student-hidden", type=positive_int, metavar="N", help="in place of --student-widths'")
    training = parser.add_argument_group("training")
    training.add_argument("--epochs", type=positive_int, default=200, metavar="N", help="at most")
    training.add_argument(
        "--patience", type=positive_int, default=20, metavar="N", help="epochs without a better score that end it"
    )
    training.add_argument("--batch-size", type=positive_int, default=128, metavar="N", help="records of a step")
    training.add_argument("--learning-rate", type=positive_float, default=1e-3, metavar="R", help="Adam's")
    training.add_argument(
        "--monitor",
        choices=("auc", "auprc", "f1", "acc", "loss"),
        default="auc",
        help="score of validation that chooses the best epoch",
    )
    training.add_argument("--seed", type=seed, default=2024, help="of everything random but the split")
    job = parser.add_argument_group("job")
    job.add_argument("--job-dir", metavar="J", help="folder of the results; default: jobs/distillation/METHOD-NNN")
    job.add_argument("--resume", action="store_true", help="go on with the job in --job-dir")
    return parser


def train(args):
    """Run what the parsed options describe; return the job folder."""
    from transplant.errors import OptionError
    from transplant.training.job import job_folder
    from transplant.training.quiet_start import start_tensorflow

    if not args.train and not args.dataset:
        args.dataset = DEFAULT_DATASET
        args.poor_leads = args.poor_leads or DEFAULT_POOR_LEADS
    if not args.poor_leads:
        raise OptionError("a student sees some channels of the data. Received: no --poor-leads; name them")
    start_tensorflow()
    from distillation.rdpd.run import imitate

    # A teacher that is trained is kept, whatever becomes of its student.
    with job_folder(args, "distillation.rdpd.trainer", args.method, "**/epoch_*") as job:
        print(f"job folder: {job}", flush=True)
        imitate(args, job)
    return job


def main(argv=None):
    """Run the command; return its exit status."""
    return run(train, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

"""Options that a single run and a comparison of RDPD share.

Command lines import this file for their help, so it imports nothing heavy.
"""

import argparse

from distillation.rdpd.methods import METHODS, STUDENT_TEACHER, TEACHER_STUDENT
from distillation.rdpd.noise import NOISES, NORMAL
from distillation.rdpd.sizes import RATIO, WIDTHS
from transplant.errors import OptionError
from transplant.training.command_line import fraction, positive_float, positive_int

DEFAULT_DATASET, DEFAULT_POOR_LEADS = "synthetic-leads", "II"
# With 20, networks of a few thousand records were stopped on the plateau that they begin with (RESULTS.md).
PATIENCE = 50
BACKBONE_RATE = 0.5  # that of finetuning.trainer's recipe `best`
TERMS_IN_WORDS = "; ".join(f"{name}: {', '.join(terms)}" for name, terms in METHODS.items())
TEMPERATURE_HELP = "of soft labels; 5, of hourly vitals (mimic3_vitals, physionet2012) 2.5"
RICH_SHARE_HELP = (
    "share of the training patients whose records have all channels: the teacher sees theirs alone, and a student's "
    "other records have hard and combined labels alone"
)
NOISE_HELP = "amplitude of noise on what the student sees, in training, validation and test; standard deviations"


def settle_records(args, poor_leads):
    """Take the embedded recordings where the options name no records.

    Args:
        args: options, `dataset` and `poor_leads` of which may change.
        poor_leads: of the embedded recordings, as `args.poor_leads` has them.

    Raises:
        OptionError: if no poor view is named.
    """
    if not args.train and not args.dataset:
        args.dataset = DEFAULT_DATASET
        args.poor_leads = args.poor_leads or poor_leads
    if not args.poor_leads:
        raise OptionError("a student sees some channels of the data. Received: no --poor-leads; name them")


def add_loss_flags(group):
    """Add the choices that the paper leaves open to a group of options."""
    group.add_argument(
        "--teacher-temperature",
        type=positive_float,
        metavar="T",
        help="of the teacher's own loss; --temperature, as the paper's equation 8 has it, if not given; 1 is usual",
    )
    group.add_argument(
        "--attention-direction",
        choices=(STUDENT_TEACHER, TEACHER_STUDENT),
        default=STUDENT_TEACHER,
        help="of the attention's divergence: the paper's, KL(student, teacher), or its public code's",
    )
    group.add_argument(
        "--bias-per-class",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="combined labels with one b a class: the published scalar b has no gradient",
    )


def add_noise_kind_flag(group):
    """Add what noise is drawn from to a group of options."""
    words = "; ".join(f"{name}: {text}" for name, text in NOISES.items())
    group.add_argument("--noise-kind", choices=tuple(NOISES), default=NORMAL, help=words)


def add_network_flags(parser):
    """Add what teacher and student are to a parser; return the group of where a teacher comes from."""
    size = parser.add_argument_group("networks")
    teacher = size.add_mutually_exclusive_group()
    teacher.add_argument(
        "--teacher-backbone",
        metavar="WEIGHTS",
        help="train a teacher that sees each lead through this pretrained 1-D ResNet: a weights file or a job folder",
    )
    size.add_argument(
        "--backbone-rate",
        type=fraction,
        default=BACKBONE_RATE,
        metavar="S",
        help="learning rate of --teacher-backbone, as a share of the head's",
    )
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
    return teacher


def add_training_flags(parser):
    """Add how teacher and student are trained to a parser; return their group."""
    training = parser.add_argument_group("training")
    training.add_argument("--epochs", type=positive_int, default=200, metavar="N", help="at most")
    training.add_argument(
        "--patience",
        type=positive_int,
        default=PATIENCE,
        metavar="N",
        help="epochs without a better score that end it; few records need more",
    )
    training.add_argument("--batch-size", type=positive_int, default=128, metavar="N", help="records of a step")
    training.add_argument("--learning-rate", type=positive_float, default=1e-3, metavar="R", help="Adam's")
    training.add_argument(
        "--monitor",
        choices=("auc", "auprc", "f1", "acc", "loss"),
        default="auc",
        help="score of validation that chooses the best epoch",
    )
    return training

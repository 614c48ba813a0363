"""Pretrain a network on frames of ECG: `python -m pretraining.trainer --task beat`."""

import pathlib
import sys

from pretraining.prepare import split_ids
from transplant.modules.registry import ARCHITECTURES
from transplant.tasks.task import get_task, task_names
from transplant.training.command_line import (
    add_optimizer_flags,
    add_run_flags,
    add_spectrogram_flags,
    fraction,
    fraction_or_count,
    make_parser,
    positive_int,
    run,
    seed,
)

DESCRIPTION = """\
Pretrain a network on frames drawn from long recordings, and leave a backbone
that finetuning.trainer starts from.

  python -m pretraining.trainer --task beat                       # embedded synthetic recordings
  python -m pretraining.trainer --task beat --train STORE --epochs 16 --steps-per-epoch 1024 \\
      --batch-size 512 --frame-size 4096 --samples-per-patient 4096 --val-metric f1

Interrupted? Add --resume and --job-dir to the same command: it ends with the same numbers."""

STEPS_PER_EPOCH = 100


def _networks():
    """Return the networks that can be pretrained: not the plain ones, which are built for one shape."""
    return tuple(name for name, entry in ARCHITECTURES.items() if not entry.is_plain)


def build_parser():
    """Return the parser of this command."""
    parser = make_parser("python -m pretraining.trainer", DESCRIPTION)
    data = parser.add_argument_group("data")
    data.add_argument(
        "--train",
        default="synthetic",
        help="a store, a folder of WFDB records or of Icentia11k's files, tfds:NAME, a file of windows, or `synthetic`",
    )
    data.add_argument("--task", required=True, choices=task_names(), help="what a frame is asked for")
    data.add_argument("--patient-ids", nargs="+", metavar="ID", help="patients to use, comma or space separated")
    data.add_argument(
        "--patient-fraction",
        type=fraction,
        default=1.0,
        metavar="S",
        help="train on this share of the training patients; smaller shares are parts of larger ones",
    )
    data.add_argument("--frame-size", type=positive_int, default=2048, metavar="N", help="samples in a frame")
    data.add_argument(
        "--samples-per-patient", type=positive_int, default=1000, metavar="N", help="frames of a patient in a pass"
    )
    data.add_argument(
        "--normalization",
        choices=("train", "paper", "none"),
        default="train",
        help="standardise with the training patients' mean and deviation, Icentia11k's published ones, or not at all",
    )
    data.add_argument(
        "--unzipped",
        nargs="?",
        const="True",
        metavar="BOOL",
        help="accepted for the commands of the public code: the layout of --train is found out",
    )
    data.add_argument(
        "--data-parallelism",
        type=positive_int,
        metavar="N",
        help="processes that decode zipped patients, or prepare recordings; default: as many as suit",
    )
    for task in task_names():
        get_task(task).add_flags(parser.add_argument_group(f"task {task}: {get_task(task).summary}"))
    validation = parser.add_argument_group("validation")
    validation.add_argument(
        "--val-patients",
        type=fraction_or_count,
        default=0.05,
        metavar="N",
        help="patients held out: a number, or below 1 a fraction; 0 for none",
    )
    validation.add_argument("--val-size", type=positive_int, default=2048, metavar="N", help="validation frames")
    validation.add_argument(
        "--val-samples-per-patient",
        type=positive_int,
        metavar="N",
        help="validation frames of a patient before the next; default: the same number of each",
    )
    validation.add_argument(
        "--val-file", metavar="FILE", help="score on these windows, and leave their patients out of training"
    )
    validation.add_argument("--cache-val", metavar="FILE", help="write the validation windows there, for --val-file")
    validation.add_argument(
        "--val-metric", choices=("loss", "acc", "f1"), default="loss", help="what the best weights are chosen by"
    )
    model = parser.add_argument_group("model")
    model.add_argument("--arch", choices=_networks(), default="resnet18", help="network")
    model.add_argument("--stages", type=positive_int, metavar="N", help="first N stages of it; default: all")
    add_spectrogram_flags(model)
    model.add_argument(
        "--weights-file",
        metavar="FILE",
        help="start from this backbone: a weights file, a job folder, or a TensorFlow checkpoint of the public code",
    )
    training = parser.add_argument_group("training")
    training.add_argument("--epochs", type=positive_int, default=1, metavar="N", help="epochs")
    training.add_argument(
        "--steps-per-epoch",
        type=positive_int,
        metavar="N",
        help=f"batches in an epoch; default: {STEPS_PER_EPOCH}, of a file of windows one pass",
    )
    training.add_argument("--batch-size", type=positive_int, default=32, metavar="N", help="frames in a batch")
    add_run_flags(training)
    training.add_argument("--seed", type=seed, default=2024, help="seed of split, stream and initial weights")
    training.add_argument("--job-dir", metavar="J", help="folder of the results; default: jobs/pretraining/TASK-NNN")
    training.add_argument("--resume", action="store_true", help="go on with the job in --job-dir")
    add_optimizer_flags(parser.add_argument_group("optimiser"), "1e-3, the paper's; of cpc 2e-4")
    return parser


def parse(argv=None):
    """Return the options of a command line."""
    return build_parser().parse_args(argv)


def pretrain(args):
    """Run the pretraining that the parsed options describe; return the job folder."""
    from transplant.training.job import job_folder
    from transplant.training.quiet_start import start_tensorflow

    args.patient_ids = split_ids(args.patient_ids)
    args.learning_rate = args.learning_rate or get_task(args.task).learning_rate
    if not pathlib.Path(args.train).is_file():
        args.steps_per_epoch = args.steps_per_epoch or STEPS_PER_EPOCH
    with job_folder(args, "pretraining.trainer", args.task) as job:
        print(f"job folder: {job}", flush=True)
        start_tensorflow()
        from pretraining.training import run_pretraining

        run_pretraining(args, job)
    return job


def main(argv=None):
    """Run the command; return its exit status."""
    return run(pretrain, parse(argv))


if __name__ == "__main__":
    sys.exit(main())

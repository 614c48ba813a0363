"""Fine-tune a classifier of whole records: `python -m finetuning.trainer --weights-file W`."""

import sys

from transplant.modules.registry import ARCHITECTURES
from transplant.training.command_line import (
    add_optimizer_flags,
    add_run_flags,
    add_spectrogram_flags,
    fraction,
    make_parser,
    positive_int,
    run,
    seed,
    share,
)

DESCRIPTION = """\
Train a classifier of whole ECG records, from random weights or from a
pretrained backbone, keep its best weights by the validation metric, and report.

  python -m finetuning.trainer --weights-file                   # newest pretraining job, embedded records
  python -m finetuning.trainer --train D/train.npz --test D/test.npz --weights-file W \\
      --batch-size 128 --epochs 200 --val-metric f1

Leave out --weights-file for random weights. Interrupted? Add --resume and
--job-dir to the same command: it ends with the same numbers."""

NEWEST = "newest"
METRICS = ("loss", "acc", "f1", "auc")


def build_parser():
    """Return the parser of this command."""
    parser = make_parser("python -m finetuning.trainer", DESCRIPTION)
    data = parser.add_argument_group("data")
    data.add_argument(
        "--train", metavar="FILE", help="labelled set made by finetuning.prepare; default: embedded synthetic records"
    )
    data.add_argument("--val", metavar="FILE", help="validation set; default: taken from the training set")
    data.add_argument("--test", metavar="FILE", help="test set")
    data.add_argument(
        "--val-size", type=share, default=0.0625, metavar="S", help="share taken for validation; 0 for none"
    )
    data.add_argument("--folds", type=positive_int, metavar="K", help="test on one of K stratified folds of --train")
    data.add_argument("--fold", type=int, metavar="I", help="which fold, from 0; goes with --folds")
    data.add_argument("--split-seed", type=seed, default=2024, help="seed of folds, validation split and subset")
    data.add_argument("--subset", type=fraction, default=1.0, metavar="S", help="share of the training set to use")
    data.add_argument("--channel", metavar="LEAD", help="use one lead of several, by name or column")
    data.add_argument(
        "--shuffle-labels", action="store_true", help="control run: training and validation labels are permuted"
    )
    data.add_argument(
        "--normalization",
        choices=("train", "paper", "none"),
        default="train",
        help="standardise with the training set's mean and deviation, the published ones, or not at all",
    )
    model = parser.add_argument_group("model")
    model.add_argument(
        "--weights-file",
        nargs="?",
        const=NEWEST,
        metavar="W",
        help="pretrained backbone: a weights file, a job folder, or a TensorFlow checkpoint of the public code; "
        "without a value the newest pretraining job",
    )
    model.add_argument("--arch", choices=tuple(ARCHITECTURES), default="resnet18", help="network")
    model.add_argument("--stages", type=positive_int, metavar="N", help="first N stages of it; default: all")
    add_spectrogram_flags(model)
    training = parser.add_argument_group("training")
    training.add_argument("--epochs", type=positive_int, default=10, metavar="N", help="epochs; the paper: up to 200")
    training.add_argument("--batch-size", type=positive_int, default=32, metavar="N", help="records in a batch")
    training.add_argument("--val-metric", choices=METRICS, default="f1", help="what the best weights are chosen by")
    training.add_argument("--early-stop-metric", choices=METRICS, help="default: --val-metric")
    training.add_argument(
        "--patience", type=positive_int, default=50, metavar="N", help="epochs without improvement before stopping"
    )
    add_run_flags(training)
    training.add_argument("--seed", type=seed, default=2024, help="seed of initial weights and order of records")
    training.add_argument("--job-dir", metavar="J", help="folder of the results; default: jobs/finetuning/ARCH-NNN")
    training.add_argument("--resume", action="store_true", help="go on with the job in --job-dir")
    training.add_argument("--verbose", action="store_true", help="print the network layer by layer")
    add_optimizer_flags(parser.add_argument_group("optimiser"))
    return parser


def finetune(args):
    """Run the fine-tuning that the parsed options describe; return the job folder."""
    from transplant.training.job import job_folder
    from transplant.training.quiet_start import start_tensorflow

    start_tensorflow()
    from finetuning.training import run_finetuning

    args.weights_file = _resolve_weights(args)
    with job_folder(args, "finetuning.trainer", args.arch) as job:
        print(f"job folder: {job}", flush=True)
        run_finetuning(args, job)
    return job


def _resolve_weights(args):
    """Return the weights file that `--weights-file` means, or None."""
    from transplant.training.job import read_config
    from transplant.training.transfer import find_weights

    if not args.weights_file:
        return None
    there = read_config(args.job_dir) if args.resume and args.job_dir else None
    if there and args.weights_file == NEWEST:
        # What was newest when the job began, not what is newest now.
        return there["options"].get("weights_file")
    return str(find_weights(args.weights_file))


def main(argv=None):
    """Run the command; return its exit status."""
    return run(finetune, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

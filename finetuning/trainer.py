"""Fine-tune a classifier of whole records: `python -m finetuning.trainer --weights-file W`."""

import argparse
import sys

from finetuning.recipes import BEST, RECIPES
from transplant.augmentation.augmentation import TRANSFORMS
from transplant.modules.registry import ARCHITECTURES
from transplant.training.class_weights import CLASS_WEIGHTS
from transplant.training.command_line import (
    add_optimizer_flags,
    add_run_flags,
    add_spectrogram_flags,
    fraction,
    make_parser,
    non_negative_float,
    non_negative_int,
    positive_int,
    run,
    seed,
    share,
)

DESCRIPTION = """\
Train a classifier of whole ECG records, from random weights or from a
pretrained backbone, keep its best weights by the validation metric, and report.

  python -m finetuning.trainer --weights-file                   # newest pretraining job, embedded records
  python -m finetuning.trainer --train D/train.npz --test D/test.npz --weights-file W
  python -m finetuning.trainer --train D/train.npz --test D/test.npz --weights-file W --recipe paper

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
    data.add_argument(
        "--fold", nargs="+", type=int, metavar="I", help="which fold, or folds, from 0; goes with --folds"
    )
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
    model.add_argument(
        "--second-weights-file", metavar="W", help="of --arch fusion: the pretrained backbone of the other branch"
    )
    model.add_argument("--arch", choices=tuple(ARCHITECTURES), default="resnet18", help="network")
    model.add_argument("--stages", type=positive_int, metavar="N", help="first N stages of it; default: all")
    add_spectrogram_flags(model)
    training = parser.add_argument_group("training")
    training.add_argument(
        "--recipe",
        choices=tuple(RECIPES),
        default=BEST,
        help="defaults of all options marked [recipe]: `paper` those of Weimann and Conrad (2021), `best` ours",
    )
    training.add_argument(
        "--epochs",
        type=positive_int,
        metavar="N",
        help="epochs; `best` has 20, of few records as many as make 600 steps [recipe]",
    )
    training.add_argument("--batch-size", type=positive_int, metavar="N", help="records in a batch [recipe]")
    training.add_argument("--val-metric", choices=METRICS, help="what the best weights are chosen by [recipe]")
    training.add_argument("--early-stop-metric", choices=METRICS, help="what ends a run early [recipe]")
    training.add_argument(
        "--patience",
        type=positive_int,
        metavar="N",
        help="epochs without improvement before stopping; `best` has none [recipe]",
    )
    add_run_flags(training)
    training.add_argument("--seed", type=seed, default=2024, help="seed of initial weights and order of records")
    training.add_argument("--job-dir", metavar="J", help="folder of the results; default: jobs/finetuning/ARCH-NNN")
    training.add_argument("--resume", action="store_true", help="go on with the job in --job-dir")
    training.add_argument(
        "--robustness",
        action="store_true",
        help="predict the test records upside down and with 50 Hz mains too: test_flipped_, test_mains_predictions.csv",
    )
    training.add_argument("--verbose", action="store_true", help="print the network layer by layer")
    _add_ingredients(parser)
    add_optimizer_flags(parser.add_argument_group("optimiser [recipe]"))
    return parser


def _add_ingredients(parser):
    """Add what recipes are made of, besides the optimiser."""
    transfer = parser.add_argument_group("pretrained backbone")
    transfer.add_argument(
        "--backbone-rate", type=fraction, metavar="S", help="its learning rate, as a share of the head's [recipe]"
    )
    transfer.add_argument(
        "--unfreeze-epochs",
        type=non_negative_int,
        metavar="N",
        help="epochs until one more stage of it learns, the last stage first; 0: all from the start [recipe]",
    )
    transfer.add_argument(
        "--freeze-backbone",
        action="store_true",
        help="train the head alone; where nothing is augmented the features are computed once",
    )
    data = parser.add_argument_group("what the network sees")
    data.add_argument(
        "--augment", metavar="LIST", help=f"none, all, or of {','.join(TRANSFORMS)} with commas between [recipe]"
    )
    data.add_argument(
        "--crop",
        type=non_negative_int,
        metavar="N",
        help="train on random stretches of N samples, validate and test on whole records; 0: on whole ones [recipe]",
    )
    data.add_argument(
        "--padding-aware",
        action=argparse.BooleanOptionalAction,
        help="padding changes nothing: neither features nor batch norm nor the mean over time see it [recipe]",
    )
    data.add_argument(
        "--by-length",
        action=argparse.BooleanOptionalAction,
        help="records of like length share a batch, without the padding; goes with --padding-aware [recipe]",
    )
    loss = parser.add_argument_group("loss and regularisation")
    loss.add_argument(
        "--class-weights",
        choices=CLASS_WEIGHTS,
        help="what a record counts: alike, or inversely to its class's frequency or the root of it [recipe]",
    )
    loss.add_argument(
        "--focal-gamma", type=non_negative_float, metavar="G", help="how much less right records count; 0: not [recipe]"
    )
    loss.add_argument("--label-smoothing", type=share, metavar="S", help="share of a label given to all [recipe]")
    loss.add_argument("--dropout", type=share, metavar="S", help="share of the pooled features dropped [recipe]")


def parse(argv=None, prog=None):
    """Return the options of a command line, those that were not given from the recipe.

    Args:
        argv: list of text. Defaults to the process's.
        prog: who speaks where they are wrong, without the usage. Defaults to this command, with it.
    """
    choice = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    choice.add_argument("--recipe", choices=tuple(RECIPES), default=BEST)
    parser = build_parser()
    if prog:
        parser.prog, parser.usage = prog, argparse.SUPPRESS
    parser.set_defaults(**RECIPES[choice.parse_known_args(argv)[0].recipe])
    return parser.parse_args(argv)


def finetune(args):
    """Run the fine-tuning that the parsed options describe; return the job folder."""
    from finetuning.data import check_data_options
    from transplant.training.job import job_folder
    from transplant.training.quiet_start import start_tensorflow

    check_data_options(args)
    start_tensorflow()
    from finetuning.training import run_finetuning
    from transplant.training.transfer import find_weights

    args.weights_file = _resolve_weights(args)
    if args.second_weights_file:
        args.second_weights_file = str(find_weights(args.second_weights_file))
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
    return run(finetune, parse(argv))


if __name__ == "__main__":
    sys.exit(main())

"""Fine-tune a classifier of whole records: `python -m finetuning.trainer --weights-file W`."""

import argparse
import sys

from finetuning.recipes import RECIPES, default_recipe, recipes_table
from transplant.augmentation.augmentation import TRANSFORMS
from transplant.datasets.registry import DATASETS
from transplant.modules.registry import ARCHITECTURES
from transplant.training.class_weights import CLASS_WEIGHTS
from transplant.training.command_line import (
    add_optimizer_flags,
    add_run_flags,
    add_spectrogram_flags,
    fraction,
    fraction_or_count,
    make_parser,
    non_negative_float,
    non_negative_int,
    parse_early,
    positive_int,
    run,
    seed,
    share,
)
from transplant.training.dataset_options import add_dataset_flags
from transplant.training.fold_option import parse_folds
from transplant.training.split_options import add_split_flag

DESCRIPTION = """\
Train a classifier of whole records, from random weights or from a
pretrained backbone, keep its best weights by the validation metric, and report.

  python -m finetuning.trainer --weights-file                   # newest pretraining job, embedded records
  python -m finetuning.trainer --train D/train.npz --test D/test.npz --weights-file W
  python -m finetuning.trainer --train D/train.npz --test D/test.npz --weights-file W --recipe paper
  python -m finetuning.trainer --dataset digits --arch mlp-512  # a data set by name, a plain network

Leave out --weights-file for random weights. Interrupted? Add --resume and
--job-dir to the same command: it ends with the same numbers."""

NEWEST = "newest"
DEFAULT_ARCH = "resnet18"
METRICS = ("loss", "acc", "f1", "auc", "auprc")


def _networks():
    own = ", ".join(f"{spec.name} {spec.default_arch}" for spec in DATASETS.values() if spec.is_whole)
    names = "; ".join(f"{entry.name}: {entry.description}" for entry in ARCHITECTURES.values())
    return f"network: {names}. Default: {DEFAULT_ARCH}; of --dataset {own}"


def build_parser():
    """Return the parser of this command."""
    parser = make_parser("python -m finetuning.trainer", DESCRIPTION)
    parser.epilog = f"what the recipes set:\n\n{recipes_table()}"
    data = parser.add_argument_group("data")
    data.add_argument(
        "--train", metavar="FILE", help="labelled set made by finetuning.prepare; default: embedded synthetic records"
    )
    data.add_argument("--val", metavar="FILE", help="validation set; default: taken from the training set")
    data.add_argument("--test", metavar="FILE", help="test set")
    data.add_argument(
        "--val-size", type=share, default=0.0625, metavar="S", help="share taken for validation; 0 for none"
    )
    data.add_argument(
        "--test-size",
        type=fraction_or_count,
        metavar="S",
        help="share of the records of --dataset that is held out as test, or their number; 0.2 if not given",
    )
    data.add_argument(
        "--folds",
        type=parse_folds,
        metavar="K",
        help="test on one of K stratified folds, on single records (loo), or on single groups (logo)",
    )
    data.add_argument(
        "--fold", nargs="+", type=int, metavar="I", help="which fold, or folds, from 0; goes with --folds"
    )
    data.add_argument("--split-seed", type=seed, default=2024, help="seed of folds, validation split and subset")
    data.add_argument("--subset", type=fraction, default=1.0, metavar="S", help="share of the training set to use")
    data.add_argument(
        "--training-set",
        choices=("natural", "balanced"),
        default="natural",
        help="train on all records, or on as many of every class as the rarest has; validation and test stay natural",
    )
    add_split_flag(data)
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
    model.add_argument("--arch", choices=tuple(ARCHITECTURES), metavar="NAME", help=_networks())
    model.add_argument("--stages", type=positive_int, metavar="N", help="first N stages of it; default: all")
    add_spectrogram_flags(model)
    training = parser.add_argument_group("training")
    training.add_argument(
        "--recipe",
        choices=tuple(RECIPES),
        help="defaults of all options marked [recipe]: `paper` those of Weimann and Conrad (2021), `best` ours for the "
        "ResNets, `plain` for the plain networks; default: best or plain, by --arch",
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
    training.add_argument(
        "--xla",
        action=argparse.BooleanOptionalAction,
        help="compile the training step with XLA; default: on a GPU. On a CPU a small recurrent network with small "
        "batches may train twice as fast, and dropout takes many times as long",
    )
    training.add_argument("--seed", type=seed, default=2024, help="seed of initial weights and order of records")
    training.add_argument("--job-dir", metavar="J", help="folder of the results; default: jobs/finetuning/ARCH-NNN")
    training.add_argument("--resume", action="store_true", help="go on with the job in --job-dir")
    training.add_argument(
        "--robustness",
        action="store_true",
        help="predict the test records upside down and with 50 Hz mains too: test_flipped_, test_mains_predictions.csv",
    )
    training.add_argument("--verbose", action="store_true", help="print the network layer by layer")
    add_dataset_flags(parser, required=False)
    _add_ingredients(parser)
    add_optimizer_flags(parser.add_argument_group("optimiser"), note=" [recipe]")
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
        prog: who speaks where they are wrong. Defaults to this command.
    """
    parser, chosen = build_parser(), parse_early(argv, "--recipe", "--arch", "--dataset")
    parser.prog = prog or parser.prog
    # Names that do not exist are refused by the parser itself.
    own = DATASETS[chosen.dataset].default_arch if chosen.dataset in DATASETS else DEFAULT_ARCH
    recipe = chosen.recipe or default_recipe(chosen.arch if chosen.arch in ARCHITECTURES else own)
    parser.set_defaults(arch=own, recipe=recipe, **RECIPES.get(recipe, {}))
    return parser.parse_args(argv)


def finetune(args):
    """Run the fine-tuning that the parsed options describe; return the job folder."""
    from finetuning.data import check_data_options
    from finetuning.ingredients import check_ingredients
    from transplant.training.job import job_folder
    from transplant.training.quiet_start import start_tensorflow

    check_ingredients(args)
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

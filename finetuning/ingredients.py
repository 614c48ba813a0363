"""Which options of a fine-tuning run go together; nothing is read for it but weights files."""

from transplant.errors import OptionError
from transplant.modules.registry import FUSION, choose_spectrogram, get_architecture


def check_ingredients(args):
    """Refuse options that do not go together, before data are read.

    Args:
        args: options of `finetuning.trainer`.

    Raises:
        OptionError: with the rule that is broken.
    """
    entry = get_architecture(args.arch)
    choose_spectrogram(args.arch, args.spectrogram, args.bins)
    if entry.is_plain:
        _check_plain(entry, args)
    if args.by_length and not args.padding_aware:
        raise OptionError(
            "--by-length takes away padding that a network without --padding-aware sees. Received: --no-padding-aware; "
            "add --no-by-length"
        )
    if args.second_weights_file and (args.arch != FUSION or not args.weights_file):
        raise OptionError(
            f"--second-weights-file stands beside --weights-file, with --arch {FUSION}. Received: --arch {args.arch}, "
            f"--weights-file {args.weights_file or 'none'}"
        )
    if args.freeze_backbone and (not args.weights_file or (args.arch == FUSION and not args.second_weights_file)):
        raise OptionError(
            "--freeze-backbone needs a pretrained backbone, of a fusion two. Received: too few; give --weights-file"
        )


def check_branches(weights_file, second_weights_file):
    """Refuse two files for one branch of a fusion.

    Args:
        weights_file, second_weights_file: paths of weights files.

    Raises:
        OptionError: if both are of one network.
    """
    from transplant.training.weights import read_weights

    branches = [read_weights(path).description.architecture for path in (weights_file, second_weights_file)]
    if branches[0] == branches[1]:
        raise OptionError(
            f"--weights-file and --second-weights-file start one branch each. Received: two of {branches[0]}; "
            "give one of the 1-D and one of the 2-D network"
        )


def _check_plain(entry, args):
    """Refuse what a plain network, or the regression that is none, does not have."""
    asked = {
        "--padding-aware": args.padding_aware,
        "--crop": args.crop,
        "--stages": args.stages not in (None, 1),
    }
    what = f"{entry.name} is built for the whole records and"
    if entry.is_all_head:
        what = f"{entry.name} is all head and"
        asked |= {"--weights-file": args.weights_file, "--unfreeze-epochs": args.unfreeze_epochs}
    if not entry.is_network:
        what = f"{entry.name} is fitted at once and"
        asked |= {
            "--weights-file": args.weights_file,
            "--augment": args.augment != "none",
            "--class-weights": args.class_weights != "none",
            "--focal-gamma": args.focal_gamma,
            "--label-smoothing": args.label_smoothing,
            "--dropout": args.dropout,
            "--mixed-precision": args.mixed_precision,
            "--tensorboard": args.tensorboard,
        }
    given = [flag for flag, value in asked.items() if value]
    if given:
        raise OptionError(f"{what} has no {', '.join(given)}. Received: it; leave it out, or take --recipe plain")

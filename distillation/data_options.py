"""Which real data a distillation and its evaluation read, and how they are divided.

Command lines import this file for their help, so it imports nothing heavy.
"""

import argparse

from transplant.training.command_line import fraction_or_count, seed, share
from transplant.training.dataset_options import add_dataset_flags
from transplant.training.split_options import TEST_SHARE, add_split_flag


def add_data_flags(parser):
    """Add the flags of the real data to a parser."""
    data = add_dataset_flags(parser, required=False)
    data.add_argument("--train", metavar="FILE", help="labelled set made by finetuning.prepare, in place of --dataset")
    data.add_argument("--val", metavar="FILE", help="validation set; default: taken from the training set")
    data.add_argument("--test", metavar="FILE", help="test set; goes with --train")
    data.add_argument(
        "--test-size",
        type=fraction_or_count,
        metavar="S",
        help=f"share or number of the records of --dataset that test; the publisher's, or {TEST_SHARE}, if not given",
    )
    data.add_argument(
        "--val-size", type=share, default=0.1, metavar="S", help="share of the training records for validation"
    )
    data.add_argument("--split-seed", type=seed, default=2024, help="seed of the splits")
    add_split_flag(data)


def data_options(args):
    """Return dict option -> value of those among parsed options that `add_data_flags` made."""
    return {name: getattr(args, name) for name in vars(_data_parser().parse_args([]))}


def given_data_options(argv=None):
    """Return dict option -> value of those of `add_data_flags` that a command line gives, their defaults too.

    Args:
        argv: list of text, which the command's own parser has let pass. Defaults to None: the process's.
    """
    parser, not_given = _data_parser(), object()
    options = argparse.Namespace(**dict.fromkeys(vars(parser.parse_args([])), not_given))
    parsed, _ = parser.parse_known_args(argv, options)
    return {name: value for name, value in vars(parsed).items() if value is not not_given}


def _data_parser():
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    add_data_flags(parser)
    return parser

"""What every entry point shares: parsing, quiet start, one-line errors."""

import argparse
import difflib
import math
import os
import sys

from transplant.datasets.publishers import MIRROR_VARIABLE, PHYSIONET
from transplant.errors import TransplantError
from transplant.signals.spectrogram import PRESETS

_ALIKE = 0.7  # share of letters, above which a name is offered for a misspelt one


class HelpFormatter(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """Keeps the description's lines and shows defaults."""

    def _get_help_string(self, action):
        if action.default is None or action.default is False or not action.option_strings:
            return action.help
        if action.help and action.help.endswith("[recipe]"):  # the recipes' table has it
            return action.help
        return super()._get_help_string(action)


def make_parser(prog, description):
    """Return a parser that refuses unknown and abbreviated flags and shows defaults."""
    return _Parser(prog=prog, description=description, formatter_class=HelpFormatter, allow_abbrev=False)


class _Parser(argparse.ArgumentParser):
    def parse_args(self, args=None, namespace=None):
        """Parse, and tell a misspelt option the nearest one."""
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            words = [word.partition("=")[0] for word in unknown if word.startswith("-")]
            near = [_nearest(word, self._option_string_actions) for word in words]
            hint = f"; did you mean {', '.join(filter(None, near))}?" if any(near) else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return parsed

    def error(self, message):
        """Say what is wrong in one line: the usage of commands with many flags would hide it."""
        self.exit(2, f"{self.prog}: error: {message}; --help lists the options\n")


def parse_early(argv, *flags):
    """Return what a command line gives for some flags, on which defaults of others depend.

    Args:
        argv: list of text; None for the process's.
        *flags: of one value each; one that is wrong is left to the command's own parser.

    Returns:
        `argparse.Namespace`, None where a flag is not given.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for flag in flags:
        parser.add_argument(flag, nargs="?")
    return parser.parse_known_args(argv)[0]


def _nearest(text, names):
    """Return the name most like a misspelt one, or None; dashes in front are all alike and do not count."""
    likeness = {name: difflib.SequenceMatcher(None, text.lstrip("-"), name.lstrip("-")).ratio() for name in names}
    best = max(likeness, key=likeness.get)
    return best if likeness[best] >= _ALIKE else None


def run(main, args):
    """Call `main(args)`, turning errors a user can mend into one line and status 2.

    Returns:
        The exit status: 0, 2 after a `TransplantError`, 130 after Ctrl-C.
    """
    try:
        main(args)
    except TransplantError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever read the output has seen enough, as in `... | head`; Python would complain once more on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        # A disk that is full, a folder that may not be written: nothing a traceback would explain better.
        print(f"error: {error.filename or 'input or output'}: {error.strerror or error}", file=sys.stderr)
        return 2
    except MemoryError as error:
        print(f"error: not enough memory ({error}); ask for less", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        print(f"interrupted; {str(interrupt) or 'run the same command again'}", file=sys.stderr)
        return 130
    return 0


def one_of(names):
    """Return a parser of one of many names, which tells a misspelt one the nearest and not the whole list.

    Args:
        names: the names.
    """

    def parse(text):
        if text not in names:
            near = _nearest(text, names)
            raise argparse.ArgumentTypeError(f"there is no {text}" + (f"; did you mean {near}?" if near else ""))
        return text

    return parse


def positive_int(text):
    """Parse an integer of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {text}")
    return value


def non_negative_int(text):
    """Parse an integer of at least 0."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must not be negative, not {text}")
    return value


def positive_float(text):
    """Parse a finite number above 0."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be above 0, not {text}")
    return value


def non_negative_float(text):
    """Parse a finite number of at least 0."""
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"must not be negative, not {text}")
    return value


def sampling_rate(text):
    """Parse a sampling rate from 1 to 10,000 Hz."""
    value = float(text)
    if not 1 <= value <= 10_000:
        raise argparse.ArgumentTypeError(f"must be from 1 to 10000 Hz, not {text}")
    return value


def seed(text):
    """Parse a seed: an integer from 0 to 2**32 - 1, which every generator takes."""
    value = int(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"must be from 0 to 4294967295, not {text}")
    return value


def fraction(text):
    """Parse a number in (0, 1]."""
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most 1, not {text}")
    return value


def share(text):
    """Parse a number in [0, 1)."""
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"must be from 0 to below 1, not {text}")
    return value


def fraction_or_count(text):
    """Parse a whole number, or a fraction below 1; not negative."""
    value = float(text)
    if not 0 <= value < math.inf or (value >= 1 and value != int(value)):
        raise argparse.ArgumentTypeError(f"must be a whole number, or a fraction below 1, not {text}")
    return value


def add_download_flags(parser, out):
    """Add `--download-dir` and `--mirror` to a parser or argument group.

    Args:
        parser: parser or argument group.
        out: the command's flag for its output.
    """
    parser.add_argument(
        "--download-dir", metavar="D", help=f"keep downloads in D/NAME; default: the folder `downloads` beside {out}"
    )
    parser.add_argument(
        "--mirror",
        metavar="URL",
        help=f"root of PhysioNet's file tree; default: ${MIRROR_VARIABLE} where it is set, else {PHYSIONET}",
    )


def add_spectrogram_flags(parser):
    """Add `--spectrogram` and `--bins`, of a network that takes one, to a parser or argument group."""
    parser.add_argument(
        "--spectrogram", choices=PRESETS, help="of a 2-D network: hop 64, 64 bins, or hop 32, 128 bins; default: final"
    )
    parser.add_argument(
        "--bins", type=positive_int, metavar="N", help="frequency bins of the spectrogram; default: all of its preset"
    )


def devices(text):
    """Parse a number of devices of at least 1, or "all"."""
    return text if text == "all" else positive_int(text)


def add_precision_flag(parser):
    """Add `--mixed-precision` to a parser or argument group."""
    parser.add_argument(
        "--mixed-precision", choices=("float16", "bfloat16"), help="compute in half precision (V100: float16)"
    )


def add_run_flags(parser):
    """Add `--mixed-precision`, `--devices` and `--tensorboard` to a parser or argument group."""
    add_precision_flag(parser)
    parser.add_argument(
        "--devices",
        type=devices,
        default="all",
        metavar="N",
        help="GPUs that share every batch, or `all`; without a GPU the run takes the CPU",
    )
    parser.add_argument("--tensorboard", action="store_true", help="write scalars of every epoch to JOB/tensorboard")


def add_optimizer_flags(parser, learning_rate=1e-3, note=""):
    """Add the fields of `transplant.training.optimization.OptimizerSettings` to a parser or argument group.

    Args:
        parser: parser or argument group.
        learning_rate: its default; or a text that says what it is where the
            command sets it later.
        note: end of each option's help. Defaults to none.
    """
    parser.add_argument(
        "--optimizer", choices=("adam", "sgd"), default="adam", help=f"Adam, or gradient descent without momentum{note}"
    )
    settled = not isinstance(learning_rate, str)
    parser.add_argument(
        "--learning-rate",
        type=positive_float,
        default=learning_rate if settled else None,
        metavar="R",
        help="the optimiser's learning rate" + ("" if settled else f"; default: {learning_rate}") + note,
    )
    parser.add_argument(
        "--schedule",
        choices=("constant", "cosine"),
        default="constant",
        help=f"of the learning rate; cosine falls to 0 at the last epoch, and --epochs stays when a job goes on{note}",
    )
    parser.add_argument(
        "--warmup-steps",
        type=non_negative_int,
        default=0,
        metavar="N",
        help=f"steps until the full learning rate{note}",
    )
    parser.add_argument(
        "--weight-decay",
        type=share,
        default=0.0,
        metavar="D",
        help=f"decoupled, as AdamW's; biases and batch-norm scales and offsets do not decay{note}",
    )
    parser.add_argument(
        "--clip-norm",
        type=non_negative_float,
        default=0.0,
        metavar="G",
        help=f"largest norm of all gradients together; 0: any{note}",
    )
    parser.add_argument(
        "--ema",
        type=share,
        default=0.0,
        metavar="D",
        help=f"validate and keep the average of the weights with this decay, e.g. 0.999; 0 for none{note}",
    )

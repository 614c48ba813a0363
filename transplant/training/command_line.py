"""What every entry point shares: parsing, quiet start, one-line errors."""

import argparse
import sys

from transplant.errors import TransplantError


class HelpFormatter(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """Keeps the description's lines and shows defaults."""

    def _get_help_string(self, action):
        if action.default is None or action.default is False or not action.option_strings:
            return action.help
        return super()._get_help_string(action)


def make_parser(prog, description):
    """Return a parser that refuses unknown and abbreviated flags and shows defaults."""
    return argparse.ArgumentParser(
        prog=prog, description=description, formatter_class=HelpFormatter, allow_abbrev=False
    )


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
    except KeyboardInterrupt:
        print("interrupted; continue with --resume where the command has it", file=sys.stderr)
        return 130
    return 0


def positive_int(text):
    """Parse an integer of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {text}")
    return value


def fraction(text):
    """Parse a number in (0, 1]."""
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most 1, not {text}")
    return value


def fraction_or_count(text):
    """Parse a whole number, or a fraction below 1; not negative."""
    value = float(text)
    if value < 0 or (value >= 1 and value != int(value)):
        raise argparse.ArgumentTypeError(f"must be a whole number, or a fraction below 1, not {text}")
    return value

"""The kinds of cross-validation as an option of a command line; numpy is not needed to parse it."""

import argparse

LEFT_OUT = ("loo", "logo")


def parse_folds(text):
    """Parse `--folds`: a number of folds, or `loo` or `logo`.

    Args:
        text: "5", "loo" (leave one record out) or "logo" (leave one group out).

    Returns:
        int of at least 2, or str.

    Raises:
        argparse.ArgumentTypeError: for anything else.
    """
    if text.lower() in LEFT_OUT:
        return text.lower()
    if not text.isdecimal() or int(text) < 2:
        raise argparse.ArgumentTypeError(
            f"must be a number of folds from 2, loo (leave one record out) or logo (leave one group out), not {text}"
        )
    return int(text)

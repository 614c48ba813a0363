"""Exceptions a user can act on.

Every one of them is a `TransplantError`; its message names what was wrong, in
which file, what was received and what to do. Entry points print the message
as one line and exit with status 2.
"""


def shorten(names, limit=4):
    """Return the first names of a list for a message, and how many more there are."""
    names = [str(name) for name in names]
    shown = ", ".join(names[:limit]) or "none"
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


class TransplantError(Exception):
    """Base of all errors that a user can put right."""


class DataError(TransplantError):
    """A recording, label file or prepared set cannot be used.

    Remedy: replace the file that the message names, or leave it out
    (`--skip-bad` in the prepare commands).
    """


class UnsafeFileError(DataError):
    """A file asks for code to be run while it is read.

    Remedy: do not open it; obtain the data from its publisher again.
    """


class SplitError(TransplantError):
    """Records cannot be divided as asked.

    Remedy: give more records of the class or patients that the message names.
    """


class WeightsError(TransplantError):
    """A weights file does not fit the model that should receive it.

    Remedy: use the architecture, stages, rate and normalisation that the
    message quotes from the file.
    """


class JobError(TransplantError):
    """A job folder cannot be used.

    Remedy: choose another `--job-dir`, or continue with `--resume`.
    """


class OptionError(TransplantError):
    """Options contradict each other or the data."""


class TrainingError(TransplantError):
    """Training cannot go on, e.g. because the loss is no longer a number.

    Remedy: lower the learning rate, or look at the data the message names.
    """

"""How large teachers and students are: published settings of data sets, and widths of a student.

Command lines import this file for their help, so it imports nothing heavy.
"""

import dataclasses

from transplant.errors import OptionError

RATIO, RELEASE, SAME = "ratio", "release", "same"
WIDTHS = {
    RATIO: "the teacher's times the share of channels that the student sees, as the paper says",
    RELEASE: "16 filters and 8 units, as its public code has it for every data set",
    SAME: "the teacher's",
}
_RELEASE_FILTERS, _RELEASE_HIDDEN = 16, 8
_FEWEST = 2  # filters, and units each way


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a publication, or we, chose for a data set.

    Attributes:
        segment_s: length of a segment in seconds.
        filters, kernel, stride, hidden, convolutions: see `SegmentRnnSize`.
        temperature: T.
    """

    segment_s: float
    filters: int
    kernel: int
    stride: int
    hidden: int
    temperature: float
    convolutions: int = 1


_HOUR = 3600.0
SETTINGS = {
    # Hong et al. (2019), section 4.1; the two convolutions of PTBDB are told by its table 5.
    "pamap2": Setting(1.28, 64, 8, 4, 32, 5.0),
    "ptbdb": Setting(2.5, 64, 32, 8, 32, 5.0, 2),
    "mimic3_vitals": Setting(12 * _HOUR, 64, 4, 2, 32, 2.5),
    # Ours, after the hourly tables and the ECGs above.
    "physionet2012": Setting(12 * _HOUR, 64, 4, 2, 32, 2.5),
    "mitbih_two_leads": Setting(0.375, 64, 8, 4, 32, 5.0),
}
FALLBACK = Setting(2.5, 64, 16, 4, 32, 5.0)


def student_width(widths, filters, hidden, rich, poor):
    """Return (filters, hidden) of a student.

    Args:
        widths: "ratio", "release" or "same".
        filters, hidden: the teacher's.
        rich, poor: numbers of channels.

    Raises:
        OptionError: if there are no such widths.
    """
    if widths == RATIO:
        return max(_FEWEST, round(filters * poor / rich)), max(_FEWEST, round(hidden * poor / rich))
    if widths == RELEASE:
        return _RELEASE_FILTERS, _RELEASE_HIDDEN
    if widths == SAME:
        return filters, hidden
    raise OptionError(f"widths of a student are {', '.join(WIDTHS)}. Received: {widths}")

"""The usual paper of an ECG: small squares of 40 ms x 0.1 mV, bold ones of 0.2 s x 0.5 mV."""

import math

import numpy as np

SQUARE_S, SQUARE_MV = 0.2, 0.5
"""The bold squares: 5 mm at 25 mm/s and 10 mm/mV."""

_MOST_SQUARES = 8  # an artefact of 50 mV does not blacken the page


def voltage_limits(signal, for_marks=False):
    """Return limits (low, high) in mV, on bold lines, that hold a signal.

    Args:
        signal: array in mV; what is not finite does not count.
        for_marks: whether there is room above it, for marks of beats. Defaults to False.
    """
    finite = np.asarray(signal)[np.isfinite(signal)]
    if not finite.size:
        return -1.0, 1.0
    low = math.floor(finite.min() / SQUARE_MV - 0.1) * SQUARE_MV
    high = math.ceil(finite.max() / SQUARE_MV + 0.1) * SQUARE_MV
    if for_marks:
        high += SQUARE_MV * math.ceil(0.15 * (high - low) / SQUARE_MV)
    return low, max(high, low + 2 * SQUARE_MV)


def draw_ecg_paper(axes, start, end, low, high):
    """Draw the squares between two times (s) and voltages (mV), and limit the axes to them.

    Returns:
        The height of the bold squares in mV: .5, or a multiple of it where the voltages span more than eight.
    """
    bold_mv = SQUARE_MV * max(1, math.ceil((high - low) / _MOST_SQUARES))
    for step_s, step_mv, width, colour in (
        (SQUARE_S / 5, bold_mv / 5, 0.4, "#F6D5D0"),
        (SQUARE_S, bold_mv, 0.8, "#E8A79E"),
    ):
        columns = start + step_s * np.arange(round((end - start) / step_s) + 1)
        lines = low + step_mv * np.arange(math.floor((high - low) / step_mv + 1e-9) + 1)
        axes.vlines(columns, low, high, color=colour, linewidth=width, zorder=0)
        axes.hlines(lines, start, end, color=colour, linewidth=width, zorder=0)
    axes.set_xlim(start, end)
    axes.set_ylim(low, high)
    return bold_mv

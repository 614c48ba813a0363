"""What the numbers of a distillation say about it, in words."""

import numpy as np
from scipy import stats

_FAR = 1.0  # standard deviations: beside the background of images, which is their smallest value, lie many nearer
_WORTH_SAYING = 0.005  # share of values
_FEWEST_OF_QUARTER = 3  # iterations: of fewer no test tells anything
_LEVEL = 0.05


def advice(x, real, history, start):
    """Return lines on a finished distillation, with what to try, where something is to be said.

    Args:
        x: standardised distilled examples.
        real: standardised real ones.
        history: list of dicts with `loss`, one an iteration.
        start: "noise" or "real", what the examples began with.
    """
    lines, outside = [], share_outside(x, real)
    if outside > _WORTH_SAYING + (share_of_noise_outside(real) if start == "noise" else 0.0):
        lines.append(
            f"{outside:.1%} of the values lie more than a standard deviation outside those of real examples "
            "(values.png): --keep-range holds them in, a smaller --data-rate too"
        )
    if may_not_have_fallen([row["loss"] for row in history]):
        others = "" if start == "real" else "--start real, "
        lines.append(
            "the loss shows no sign of falling (learning_curves.png): try another --data-rate, smaller where values "
            f"grow and else larger, {others}or more --iterations"
        )
    return lines


def share_outside(x, real):
    """Return the share of values far beyond the smallest and largest real one of their channel or column.

    Args:
        x, real: arrays (examples, ..., channels), standardised.
    """
    low, high = _limits(real)
    return float(np.mean((x < low) | (x > high)))


def share_of_noise_outside(real):
    """Return the share of standard normal noise, which examples may begin as, that lies there.

    Args:
        real: array (examples, ..., channels), standardised.
    """
    low, high = _limits(real)
    return float(np.mean(stats.norm.cdf(low) + stats.norm.sf(high)))


def _limits(real):
    axes = tuple(range(real.ndim - 1))
    return real.min(axis=axes) - _FAR, real.max(axis=axes) + _FAR


def may_not_have_fallen(losses):
    """Return whether the last quarter of a run's losses is not clearly below the first (Mann and Whitney's test).

    Args:
        losses: one an iteration; of fewer than twelve nothing is said.
    """
    quarter = len(losses) // 4
    if quarter < _FEWEST_OF_QUARTER:
        return False
    return stats.mannwhitneyu(losses[:quarter], losses[-quarter:], alternative="greater").pvalue > _LEVEL

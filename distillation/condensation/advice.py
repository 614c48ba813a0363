"""What the numbers of a distillation say about it, in words."""

import numpy as np

_FEWEST_ITERATIONS = 4
_FAR = 1.0  # standard deviations: beside the background of images, which is their smallest value, lie many nearer
_WORTH_SAYING = 0.005  # share of values


def advice(x, real, history):
    """Return lines on a finished distillation, with what to try.

    Args:
        x: standardised distilled examples.
        real: standardised real ones.
        history: list of dicts with `loss`, one an iteration.
    """
    lines, outside = [], share_outside(x, real)
    if outside > _WORTH_SAYING:
        lines.append(
            f"{outside:.1%} of the values lie more than a standard deviation outside those of real examples "
            "(values.png): --keep-range holds them in, a smaller --data-rate too"
        )
    first, last = first_and_last_loss([row["loss"] for row in history])
    if last >= first:
        lines.append(
            f"the loss did not fall ({first:.4g} at first, {last:.4g} at last): try another --data-rate, smaller where "
            "values grow and else larger, --start real, or more --iterations"
        )
    return lines


def share_outside(x, real):
    """Return the share of values far beyond the smallest and largest real one of their channel or column.

    Args:
        x, real: arrays (examples, ..., channels), standardised.
    """
    axes = tuple(range(real.ndim - 1))
    return float(np.mean((x < real.min(axis=axes) - _FAR) | (x > real.max(axis=axes) + _FAR)))


def first_and_last_loss(losses):
    """Return the medians of a run's first and last quarter; (inf, 0) of a run too short to tell.

    Args:
        losses: one an iteration.
    """
    if len(losses) < _FEWEST_ITERATIONS:
        return np.inf, 0.0
    quarter = len(losses) // 4
    return float(np.median(losses[:quarter])), float(np.median(losses[-quarter:]))

"""Figure of a sweep: a score of every method over the amount of rich data, of noise, or the temperature."""

import itertools
import math

from transplant.errors import DataError
from transplant.evaluation.figure_file import SERIES_STYLES, new_figure, save_figure, ticks_apart, tidy_axes

_WIDE = 8.0  # greatest by least value, above which the axis is logarithmic
_MARGIN, _DODGE = 0.06, 0.012  # of the axis' span: beside the outer values; between series
_MOST_OF_GAP = 0.6  # between two values, which all series together take up
_LEGEND_CHARACTERS, _MARK_CHARACTERS, _LEGEND_COLUMNS = 80, 8, 3  # of one line; as wide as a mark; of several lines


def plot_sweep(path, points, xlabel, ylabel, title):
    """Plot a score against what was varied, with the standard deviations of the runs as bars.

    The axis is logarithmic where the values are above 0 and span more than a factor of 8. Series stand a little
    beside each other, so that no bar hides another.

    Args:
        path: the .png file to write.
        points: dict name of a series -> list of (value, mean, standard deviation or None).
        xlabel: what was varied, with its unit.
        ylabel: what the score is.
        title: figure title.

    Returns:
        The matplotlib figure.

    Raises:
        DataError: without points, or if one is not finite.
    """
    places = sorted({value for series in points.values() for value, *_ in series})
    numbers = [number for series in points.values() for point in series for number in point[:2]]
    if not points or not all(points.values()) or not all(map(_is_finite, numbers)):
        raise DataError(
            f"{title}: a sweep has points of finite value and mean. Received: "
            f"{next((number for number in numbers if not _is_finite(number)), 'none')}"
        )
    is_log = places[0] > 0 and places[-1] > _WIDE * places[0]
    across = [math.log10(place) for place in places] if is_log else places
    low, high = across[0], across[-1]
    span = high - low or 1.0
    gap = min((after - before for before, after in itertools.pairwise(across)), default=span)
    dodge = min(_DODGE * span, _MOST_OF_GAP * gap / len(points))
    figure = new_figure(7.5, 4.8)
    axes = figure.subplots()
    handles = []
    for number, (name, series) in enumerate(points.items()):
        aside = dodge * (number - (len(points) - 1) / 2)
        values, means, stds = zip(*sorted(series, key=lambda point: point[0]))
        colour, marker = SERIES_STYLES[number % len(SERIES_STYLES)]
        handles.append(
            axes.errorbar(
                [value * 10**aside if is_log else value + aside for value in values],
                means,
                yerr=[math.nan if std is None else std for std in stds],
                color=colour, marker=marker, markersize=6.5, linewidth=1.6, elinewidth=1.3, capsize=3.5, label=name,
            )
        )  # fmt: skip
    limits = low - _MARGIN * span, high + _MARGIN * span
    if is_log:
        axes.set_xscale("log")
        limits = [10**limit for limit in limits]
    axes.set_xlim(limits)
    ticks_apart(axes, places, [f"{value:g}" for value in places])
    has_bars = any(std is not None for series in points.values() for *_, std in series)
    axes.set_xlabel(xlabel, fontsize=11)
    axes.set_ylabel(f"{ylabel}\n(mean ± standard deviation)" if has_bars else ylabel, fontsize=11)
    axes.set_title(title, fontsize=13)
    tidy_axes(axes)
    characters = sum(len(handle.get_label()) + _MARK_CHARACTERS for handle in handles)
    columns = len(handles) if characters <= _LEGEND_CHARACTERS else _LEGEND_COLUMNS
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, fontsize=10, frameon=False)
    return save_figure(figure, path)


def _is_finite(number):
    return number is not None and math.isfinite(number)

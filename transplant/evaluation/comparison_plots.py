"""Figures of a comparison: a score over epochs, over the share of the pretraining patients, over the fine-tuning set.

Every function writes a PNG, whole or not at all, and returns the figure.
"""

import math

import numpy as np

from transplant.errors import DataError
from transplant.evaluation.figure_file import SERIES_STYLES, new_figure, save_figure, ticks_apart, tidy_axes
from transplant.evaluation.run_table import mean_and_std

_COLUMNS = {
    "f1": "Macro-F1 (validation)",
    "auc": "AUROC (validation)",
    "auprc": "AUPRC (validation)",
    "loss": "Loss (training)",
    "acc": "Accuracy (training)",
    "val_loss": "Loss (validation)",
    "val_acc": "Accuracy (validation)",
}
_DODGE = 0.012  # of the x axis, between series, so that error bars do not hide one another
_LONG_LABEL = 40  # characters; two of these do not fit side by side
_MOST_BANDS = 4
_MOST_INSIDE = 2  # rows whose names find a free place among the curves
_LINES = ("-", ":", "-.")  # of the first six rows, the next six, ..


def plot_history_bands(rows, path, column="f1", title="Fine-tuning"):
    """Plot a history column over epochs: the mean of several runs in a band from their least to their greatest.

    The line is dashed from where some run of a row had stopped: it is the mean
    of those that went on, which were often the better ones. More than four rows
    have no bands, which would hide one another, and their names stand beside.

    Args:
        rows: sequence of (name, histories); histories are pandas.DataFrames with
            `epoch` and the column, one for each seed or fold.
        path: the .png file to write.
        column: of the histories. Defaults to "f1".
        title: figure title.

    Returns:
        The matplotlib figure.

    Raises:
        DataError: if a row has no histories, or one of them lacks a column.
    """
    from matplotlib.ticker import MaxNLocator

    banded = len(rows) <= _MOST_BANDS
    inside = len(rows) <= _MOST_INSIDE
    figure = new_figure(7.5 if inside else 10.5, 4.6)
    axes = figure.subplots()
    stopped = False
    for number, ((name, histories), (colour, _)) in enumerate(zip(rows, _styles(rows))):
        epochs, values = _by_epoch(name, list(histories), column)
        mean = np.nanmean(values, axis=0)
        if banded:
            axes.fill_between(
                epochs, np.nanmin(values, axis=0), np.nanmax(values, axis=0), color=colour, alpha=0.18, linewidth=0
            )
        line = _LINES[number // len(SERIES_STYLES) % len(_LINES)]
        complete = next(iter(np.flatnonzero(np.isnan(values).any(axis=0))), len(epochs))
        label = _label(name, [len(values)])
        mark = "o" if complete == 1 else None  # a line of one point is not seen
        axes.plot(epochs[:complete], mean[:complete], line, color=colour, linewidth=1.9, label=label, marker=mark)
        if complete < len(epochs):
            stopped = True
            start = max(complete - 1, 0)
            axes.plot(epochs[start:], mean[start:], "--", color=colour, linewidth=1.3)
    note = "; dashed: some runs had stopped" if stopped else ""
    several = max(len(histories) for _, histories in rows) > 1
    drawn = f"({'line: mean, band: minimum to maximum' if banded else 'mean'} of the runs{note})" if several else ""
    axes.set_xlabel(f"Epoch\n{drawn}", fontsize=11)
    axes.set_ylabel(_COLUMNS.get(column, column), fontsize=11)
    axes.set_title(title, fontsize=13)
    axes.set_xlim(0.5, 0.5 + max(float(history["epoch"].max()) for _, histories in rows for history in histories))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    tidy_axes(axes)
    axes.legend(fontsize=10, framealpha=0.9, **({} if inside else {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}))
    return save_figure(figure, path)


def plot_pretraining_share(rows, path, title="Share of the pretraining patients", ylabel="Macro-F1"):
    """Plot a score against the share of the patients that the weights were pretrained on.

    The share is drawn on a logarithmic axis. A share of 0, random weights, has
    no place there: it is a dashed line across, with its standard deviation as a
    band.

    Args:
        rows: sequence of (name, points); points are (share, scores of the runs), a
            share in [0, 1].
        path: the .png file to write.
        title: figure title.
        ylabel: what the scores are. Defaults to "Macro-F1".

    Returns:
        The matplotlib figure.

    Raises:
        DataError: on a share out of range, or one without runs.
    """
    return _plot_shares(rows, path, title, "Share of the pretraining patients", ylabel)


def plot_subset_share(rows, path, title="Share of the fine-tuning set", ylabel="Macro-F1"):
    """Plot a score against the share of the fine-tuning records that were trained on (`--subset`).

    Args:
        rows: sequence of (name, points); points are (share, scores of the runs), a
            share in (0, 1].
        path, title, ylabel: as in `plot_pretraining_share`.

    Returns:
        The matplotlib figure.

    Raises:
        DataError: on a share out of range, or one without runs.
    """
    for name, points in rows:
        if any(share == 0 for share, _ in points):
            raise DataError(f"{name}: a share of the fine-tuning set is above 0. Received: 0")
    return _plot_shares(rows, path, title, "Share of the fine-tuning records", ylabel)


def _plot_shares(rows, path, title, xlabel, ylabel):
    rows = [(name, sorted(points, key=lambda point: point[0])) for name, points in rows]
    shares = sorted({share for _, points in rows for share, _ in points})
    if not shares or not all(0 <= share <= 1 for share in shares):
        raise DataError(f"Shares lie in 0 to 1, 1 being all. Received: {', '.join(map(str, shares)) or 'none'}")
    places = [share for share in shares if share > 0] or [1.0]
    span = max(math.log10(places[-1] / places[0]), 0.3)
    figure = new_figure(7.5, 4.8 + 0.1 * len(rows))
    axes = figure.subplots()
    axes.set_xscale("log")
    handles = []
    for number, ((name, points), (colour, marker)) in enumerate(zip(rows, _styles(rows))):
        aside = 10 ** (span * _DODGE * (number - (len(rows) - 1) / 2))
        handles += _draw_row(axes, name, points, colour, marker, aside)
    axes.set_xlim(places[0] * 10 ** (-0.08 * span), places[-1] * 10 ** (0.08 * span))
    ticks_apart(axes, places, [f"{100 * share:.3g}%" for share in places])
    axes.set_xlabel(xlabel, fontsize=11)
    axes.set_ylabel(f"{ylabel}\n(mean ± standard deviation, ddof=1)", fontsize=11)
    axes.set_title(title, fontsize=13)
    tidy_axes(axes)
    columns = 1 if max(len(handle.get_label()) for handle in handles) > _LONG_LABEL else 2
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, fontsize=10, frameon=False)
    return save_figure(figure, path)


def _draw_row(axes, name, points, colour, marker, aside):
    """Draw one row's points, times `aside` to the right, and its random weights; return what the legend shows."""
    scores = [(share, mean_and_std(values)) for share, values in points]
    trained = [(share, score) for share, score in scores if share > 0]
    handles = []
    if trained:
        line = axes.errorbar(
            [share * aside for share, _ in trained],
            [score["mean"] for _, score in trained],
            yerr=[math.nan if score["std"] is None else score["std"] for _, score in trained],
            color=colour, marker=marker, markersize=6.5, linewidth=1.6, elinewidth=1.3, capsize=3.5,
            label=_label(name, [score["n"] for _, score in trained]),
        )  # fmt: skip
        handles.append(line)
    for share, score in scores:
        if share == 0:
            label = _label(f"{name}, random weights", [score["n"]])
            handles.append(axes.axhline(score["mean"], color=colour, linestyle="--", linewidth=1.4, label=label))
            if score["std"] is not None:
                low, high = score["mean"] - score["std"], score["mean"] + score["std"]
                axes.axhspan(low, high, color=colour, alpha=0.12, linewidth=0)
    return handles


def _by_epoch(name, histories, column):
    """Return epochs (epochs,) and the column of every run (runs, epochs), NaN where a run had stopped."""
    if not histories:
        raise DataError(f"{name}: a band is made of one history or more. Received: none")
    series = []
    for history in histories:
        missing = [wanted for wanted in ("epoch", column) if wanted not in history]
        if missing or not len(history):
            raise DataError(
                f"{name}: a history has columns epoch and {column}. Received: {', '.join(history)}, {len(history)} rows"
            )
        series.append(dict(zip(history["epoch"], history[column])))
    epochs = np.array(sorted(set().union(*series)))
    values = np.array([[one.get(epoch, np.nan) for epoch in epochs] for one in series], np.float64)
    drawn = ~np.isnan(values).all(axis=0)
    return epochs[drawn], values[:, drawn]


def _styles(rows):
    return [SERIES_STYLES[number % len(SERIES_STYLES)] for number in range(len(rows))]


def _label(name, counts):
    runs = f"n = {min(counts)}" if min(counts) == max(counts) else f"n = {min(counts)} to {max(counts)}"
    return f"{name} ({runs})"

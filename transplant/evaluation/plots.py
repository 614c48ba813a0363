"""Figures of a run: learning curves, confusion matrix, a frame with its beats, macro-F1 with intervals.

Every function writes a PNG, whole or not at all, and returns the figure.
"""

import math

import numpy as np

from transplant.evaluation.ecg_paper import SQUARE_MV, SQUARE_S, draw_ecg_paper, voltage_limits
from transplant.evaluation.figure_file import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    new_figure,
    save_figure,
    tidy_axes,
)

_PANELS = {"loss": "Loss", "acc": "Accuracy", "f1": "Macro-F1", "auc": "AUROC", "auprc": "AUPRC"}
_VALIDATED = ("f1", "auc", "auprc")  # of the validation set alone
_BEAT_STYLES = ((BLUE, "o"), (ORANGE, "v"), (GREEN, "s"), (PURPLE, "D"), (BLACK, "X"), (SKY, "P"))
_PREFERRED_STYLES = {"normal": 0, "pvc": 1, "pac": 2, "aberrated": 3, "undefined": 4}

_STRIP_S = 6.0
_SQUARE_INCH = 0.36


def plot_learning_curves(history, path, title="Learning curves", best_epoch=None):
    """Plot loss and metrics over epochs, training and validation in the same panel.

    Args:
        history: pandas.DataFrame with `epoch` (from 1) and any of `loss`, `acc`,
            `val_loss`, `val_acc`, `f1`, `auc`, `auprc`, `val_f1`, `val_auc`; a lone `f1`,
            `auc` or `auprc` is a validation metric. Other columns are ignored.
        path: the .png file to write.
        title: figure title.
        best_epoch: epoch to mark. Defaults to None: the best `f1`, else `auc`, `auprc`,
            `val_acc`, `val_loss`, whichever comes first in the history.

    Returns:
        The matplotlib figure.
    """
    from matplotlib.ticker import MaxNLocator

    panels = [name for name in _PANELS if name in history or f"val_{name}" in history]
    if best_epoch is None:
        best_epoch = _best_epoch(history)
    figure = new_figure(1 + 4.2 * max(1, len(panels)), 3.9)
    figure.suptitle(title, fontsize=14)
    for axes, name in zip(figure.subplots(1, max(1, len(panels)), squeeze=False)[0], panels):
        validation_only = name in _VALIDATED and f"val_{name}" not in history
        for column, label, colour, line in (
            (name, "validation" if validation_only else "train", ORANGE if validation_only else BLUE, "-"),
            (f"val_{name}", "validation", ORANGE, "-"),
        ):
            if column in history:
                marker = "s" if colour == ORANGE else "o"
                axes.plot(
                    history["epoch"], history[column], line, color=colour, label=label, marker=marker,
                    markersize=4 if len(history) <= 40 else 0, linewidth=1.8,
                )  # fmt: skip
        if best_epoch is not None:
            axes.axvline(best_epoch, color="0.35", linestyle="--", linewidth=1.2, label=f"best epoch {best_epoch}")
        axes.set_xlabel("Epoch", fontsize=11)
        axes.set_ylabel(_PANELS[name], fontsize=11)
        axes.set_title(_PANELS[name], fontsize=12)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        tidy_axes(axes)
        axes.legend(fontsize=9, framealpha=0.9)
    return save_figure(figure, path)


def _best_epoch(history):
    for column, lowest in (*((name, False) for name in _VALIDATED), ("val_acc", False), ("val_loss", True)):
        if column in history and history[column].notna().any():
            row = history[column].idxmin() if lowest else history[column].idxmax()
            return int(history.loc[row, "epoch"])
    return None


def plot_confusion(confusion, classes, path, title="Confusion matrix"):
    """Plot a confusion matrix: counts, and the share of each true class in percent and colour.

    Args:
        confusion: counts (classes, classes), rows true.
        classes: class names.
        path: the .png file to write.
        title: figure title.

    Returns:
        The matplotlib figure.
    """
    confusion = np.asarray(confusion)
    totals = confusion.sum(axis=1, keepdims=True)
    share = np.divide(confusion, totals, out=np.zeros(confusion.shape), where=totals > 0)
    size = max(4.2, 1.9 + 0.95 * len(classes))
    figure = new_figure(size + 0.9, size)
    axes = figure.subplots()
    image = axes.imshow(100 * share, cmap="Blues", vmin=0, vmax=100)
    for row in range(len(classes)):
        for column in range(len(classes)):
            percent = f"{100 * share[row, column]:.1f}%" if totals[row, 0] else "no record"
            axes.text(
                column, row, f"{confusion[row, column]:,}\n{percent}", ha="center", va="center", fontsize=11,
                color="white" if share[row, column] > 0.55 else "black",
            )  # fmt: skip
    axes.set_xticks(range(len(classes)), classes, fontsize=11, rotation=30 if max(map(len, classes)) > 6 else 0)
    axes.set_yticks(range(len(classes)), [f"{c} (n={t:,})" for c, t in zip(classes, totals[:, 0])], fontsize=11)
    axes.set_xlabel("Predicted class", fontsize=12)
    axes.set_ylabel("True class", fontsize=12)
    axes.set_title(title, fontsize=13)
    axes.set_xticks(np.arange(len(classes) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(classes) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="both", length=0)
    figure.colorbar(image, ax=axes, shrink=0.8, label="Share of the true class (%)")
    return save_figure(figure, path)


def plot_frame(signal_mv, sampling_rate_hz, beat_positions, beat_names, path, title="ECG frame", leads=None):
    """Plot a frame with its beats on ECG paper: bold squares of 0.2 s x 0.5 mV, fine ones of 0.04 s x 0.1 mV.

    A frame longer than 6 s is broken into strips, one below the other.

    Args:
        signal_mv: (time, leads) or (time,) in mV; NaN leaves a gap.
        sampling_rate_hz: samples per second.
        beat_positions: sample indices (beats,) inside the frame; others are left out.
        beat_names: class name of each beat, such as "normal" or "pvc".
        path: the .png file to write.
        title: figure title.
        leads: lead names. Defaults to None: lead 1, 2, ..

    Returns:
        The matplotlib figure.
    """
    signal = np.asarray(signal_mv, np.float64)
    signal = signal[:, None] if signal.ndim == 1 else signal
    leads = list(leads or (f"lead {number + 1}" for number in range(signal.shape[1])))
    seconds = np.arange(len(signal)) / sampling_rate_hz
    duration = len(signal) / sampling_rate_hz
    strips = max(1, math.ceil(duration / _STRIP_S - 1e-9))
    strip_s = math.ceil(duration / strips / SQUARE_S - 1e-9) * SQUARE_S
    low, high = voltage_limits(signal, for_marks=True)
    panel_height = min(max((high - low) / SQUARE_MV * _SQUARE_INCH, 1.4), 3.6)
    rows = strips * signal.shape[1]
    figure = new_figure(max(6.0, strip_s / SQUARE_S * _SQUARE_INCH) + 1.0, rows * (panel_height + 0.5) + 1.0)
    figure.suptitle(title, fontsize=14)
    inside = [
        (position, str(name)) for position, name in zip(beat_positions, beat_names) if 0 <= position < len(signal)
    ]
    styles = _beat_styles([name for _, name in inside])
    for row, axes in enumerate(figure.subplots(rows, 1, squeeze=False)[:, 0]):
        strip, lead = divmod(row, signal.shape[1])
        start, end = strip * strip_s, (strip + 1) * strip_s
        bold_mv = draw_ecg_paper(axes, start, end, low, high)
        axes.set_xticks(np.arange(math.ceil(start - 1e-9), end + 1e-9))
        axes.tick_params(labelsize=10)
        shown = (seconds >= start) & (seconds <= end)
        axes.plot(seconds[shown], signal[shown, lead], color=BLACK, linewidth=1.0)
        for position, name in inside:
            at = position / sampling_rate_hz
            if start <= at < end:
                colour, marker = styles[name]
                axes.axvline(at, color=colour, linewidth=0.9, linestyle=":")
                axes.plot(
                    [at], [high - 0.1 * (high - low)], marker, color=colour, markersize=7, clip_on=False, zorder=4
                )
        axes.set_ylabel(f"{leads[lead]} (mV)", fontsize=11)
    axes.set_xlabel(f"Time (s); bold squares {SQUARE_S:g} s x {bold_mv:g} mV", fontsize=11)
    if inside:
        _beat_legend(figure, [name for _, name in inside], styles)
    return save_figure(figure, path)


def _beat_styles(names):
    """Give each beat class a colour and marker; the known classes always have the same one."""
    styles = {}
    free = [number for number in range(len(_BEAT_STYLES)) if number not in _PREFERRED_STYLES.values()]
    for name in sorted(set(names)):
        if name in _PREFERRED_STYLES:
            styles[name] = _BEAT_STYLES[_PREFERRED_STYLES[name]]
        else:
            styles[name] = _BEAT_STYLES[free.pop(0) if free else len(styles) % len(_BEAT_STYLES)]
    return styles


def _beat_legend(figure, names, styles):
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle=":", label=f"{name} beat ({names.count(name)})")
        for name, (colour, marker) in styles.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=10, frameon=False)


def plot_macro_f1_comparison(rows, path, title="Macro-F1"):
    """Plot the macro-F1 of several models with their bootstrap intervals.

    Args:
        rows: sequence of (name, metrics) as for `report.results_table`.
        path: the .png file to write.
        title: figure title.

    Returns:
        The matplotlib figure.
    """
    figure = new_figure(7.5, 1.6 + 0.55 * len(rows))
    axes = figure.subplots()
    for row, (_, metrics) in enumerate(rows):
        interval = (metrics.get("intervals") or {}).get("macro_f1")
        if interval is not None:
            axes.plot([interval["low"], interval["high"]], [row, row], color=BLUE, linewidth=2.5, alpha=0.6)
        axes.plot([metrics["macro_f1"]], [row], "o", color=BLUE, markersize=9)
        axes.annotate(
            f"{metrics['macro_f1']:.3f}", (metrics["macro_f1"], row), xytext=(0, 8), textcoords="offset points",
            ha="center", fontsize=10,
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), [str(name) for name, _ in rows], fontsize=11)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.margins(x=0.08)
    axes.set_xlabel("Macro-F1, with 95% interval where known", fontsize=11)
    axes.set_title(title, fontsize=13)
    tidy_axes(axes, "x")
    return save_figure(figure, path)

"""Figures of examples beside real ones: ECGs on their usual paper, images, signals, hourly tables."""

import itertools

import numpy as np

from distillation.condensation.methods import METHODS
from transplant.evaluation.ecg_paper import SQUARE_MV, SQUARE_S, draw_ecg_paper, voltage_limits
from transplant.evaluation.figure_file import BLACK, BLUE, new_figure, save_figure, tidy_axes

_MOST_TABLE_ROWS = 60
_MOST_IMAGES, _MOST_PANELS = (10, 2), (4, 1)  # distilled and real ones of a class
_MOST_BEATS, _MOST_STRIPS = (5, 3), (2, 1)
_LONGEST_BEAT_S, _SHOWN_S = 2.0, 6.0
_SQUARE_INCH = 0.24
_MOST_TICKS = 7


def draw_examples(distilled, problem, path, title):
    """Draw examples beside real ones of their class, as suits what they are.

    Args:
        distilled: `DistilledSet`.
        problem: `Problem` that it was distilled from.
        path: the .png file.
        title: of the figure.

    Returns:
        The matplotlib figure.
    """
    if distilled.x.ndim == 4:
        return plot_images(distilled, problem.train, path, title)
    if distilled.unit == "mV" and distilled.sampling_rate_hz:
        return plot_ecg(distilled, problem.train, path, title)
    return plot_courses(distilled, problem, path, title)


def plot_images(distilled, real, path, title):
    """Draw images, a column a class: examples, and real ones below them, all in the real ones' range of grey.

    Args:
        distilled: `DistilledSet` of images.
        real: `LabelledSet` that it was distilled from.
        path: the .png file.
        title: of the figure.

    Returns:
        The matplotlib figure.
    """
    most, most_real = _MOST_IMAGES
    values, n_classes = distilled.values(), len(distilled.classes)
    limits = real.x.min(), real.x.max()
    shown = min(most, np.bincount(distilled.y, minlength=n_classes).max())
    figure = new_figure(1.0 + 1.0 * n_classes, 1.0 + 1.05 * (shown + most_real))
    figure.suptitle(title, fontsize=12)
    grid = figure.subplots(shown + most_real, n_classes, squeeze=False)
    for label, name in enumerate(distilled.classes):
        own, beside = values[distilled.y == label][:shown], _real_ones(real.x, real.y, label, most_real)
        for axes, image in zip((*grid[: len(own), label], *grid[shown:, label]), (*own, *beside)):
            _draw_image(axes, image, *limits)
        for axes in (*grid[len(own) : shown, label], *grid[shown + len(beside) :, label]):
            axes.axis("off")
        grid[0, label].set_title(name, fontsize=10)
    grid[0, 0].set_ylabel(kind_of(distilled), fontsize=10)
    grid[shown, 0].set_ylabel("real", fontsize=10)
    return save_figure(figure, path)


def plot_courses(distilled, problem, path, title):
    """Draw signals in their unit, or tables as pictures of standardised values, a row a class, real ones at the right.

    Args:
        distilled: `DistilledSet` of examples (steps, channels).
        problem: `Problem` that it was distilled from.
        path: the .png file.
        title: of the figure.

    Returns:
        The matplotlib figure.
    """
    is_signal, n_classes = distilled.x.shape[-1] <= 2, len(distilled.classes)
    most, most_real = _MOST_PANELS
    # Columns of a table have different units: drawn as they were standardised.
    values = distilled.values() if is_signal else distilled.x
    real = problem.train.x if is_signal else problem.inputs("train")
    shown = min(most, np.bincount(distilled.y, minlength=n_classes).max())
    figure = new_figure(1.2 + 2.6 * (shown + most_real), 0.7 + 1.5 * n_classes)
    figure.suptitle(title, fontsize=12)
    grid = figure.subplots(n_classes, shown + most_real, squeeze=False)
    for label, row in enumerate(grid):
        own, beside = values[distilled.y == label][:shown], _real_ones(real, problem.train.y, label, most_real)
        for axes, example, colour in _panels(row, kind_of(distilled), own, beside, shown):
            if is_signal:
                _draw_signal(axes, example, colour, distilled.sampling_rate_hz)
            else:
                table = example.T[:_MOST_TABLE_ROWS]
                axes.imshow(table, cmap="RdBu_r", vmin=-3, vmax=3, aspect="auto", interpolation="nearest")
                axes.set_xticks([])
                axes.set_yticks([])
        row[0].set_ylabel(distilled.classes[label], fontsize=10)
    return save_figure(figure, path)


def plot_ecg(distilled, real, path, title):
    """Draw ECG examples on the usual paper, a row a class, with real records of the class beside them.

    Of records longer than six seconds the last ones are shown, of several leads the first.

    Args:
        distilled: `DistilledSet` in mV.
        real: `LabelledSet` that it was distilled from; of each class the records are chosen evenly.
        path: the .png file.
        title: of the figure.

    Returns:
        The matplotlib figure.
    """
    rate, n_classes = distilled.sampling_rate_hz, len(distilled.classes)
    samples = min(distilled.x.shape[1], round(_SHOWN_S * rate))
    seconds = np.arange(samples) / rate
    end = np.ceil(samples / rate / SQUARE_S - 1e-9) * SQUARE_S
    most, most_real = _MOST_BEATS if end <= _LONGEST_BEAT_S else _MOST_STRIPS
    values = distilled.values()
    of_class = [values[distilled.y == label][:most, -samples:, 0] for label in range(n_classes)]
    beside = [_real_ones(real.x, real.y, label, most_real)[:, -samples:, 0] for label in range(n_classes)]
    low, high = voltage_limits(np.concatenate([*of_class, *beside]))
    shown = max(len(examples) for examples in of_class)
    panel_s, panel_mv = end / SQUARE_S * _SQUARE_INCH, min((high - low) / SQUARE_MV * _SQUARE_INCH, 2.4)
    figure = new_figure(1.0 + (shown + most_real) * (panel_s + 0.3), 1.0 + n_classes * (panel_mv + 0.5))
    figure.suptitle(title, fontsize=12)
    grid = figure.subplots(n_classes, shown + most_real, squeeze=False, sharey=True)
    for label, row in enumerate(grid):
        for axes, example, colour in _panels(row, kind_of(distilled), of_class[label], beside[label], shown):
            bold_mv = draw_ecg_paper(axes, 0, end, low, high)
            axes.plot(seconds, example, color=colour, linewidth=1.1)
            axes.set_xticks(_times_on_bold_lines(end))
            axes.tick_params(labelsize=7)
        row[0].set_ylabel(f"{distilled.classes[label]} (mV)", fontsize=10)
    lead = f"lead {distilled.leads[0]}; " if len(distilled.leads) > 1 else ""
    last = f"the last {_SHOWN_S:g} s; " if samples < distilled.x.shape[1] else ""
    figure.supxlabel(f"s; {lead}{last}bold squares {SQUARE_S:g} s x {bold_mv:g} mV", fontsize=9)
    return save_figure(figure, path)


def kind_of(distilled):
    """Return what a `DistilledSet`'s examples are called: "distilled", or of a coreset "chosen"."""
    return "chosen" if METHODS[distilled.provenance["method"]].is_coreset else "distilled"


def _panels(row, kind, own, beside, shown):
    """Title a row's panels, `shown` of a set's own examples and the rest of real ones, and leave the others empty.

    Yields:
        axes, example and its colour.
    """
    panels = [(kind, BLUE, example) for example in own] + [None] * (shown - len(own))
    panels += [("real", BLACK, example) for example in beside]
    for axes, panel in itertools.zip_longest(row, panels):
        if panel is None:
            axes.axis("off")
            continue
        title, colour, example = panel
        axes.set_title(title, fontsize=9, color=colour)
        yield axes, example, colour


def _real_ones(x, y, label, count):
    """Return up to `count` real records of a class, chosen evenly."""
    rows = np.flatnonzero(y == label)
    return x[rows[np.unique(np.linspace(0, len(rows) - 1, count).round().astype(int))]]


def _times_on_bold_lines(end):
    """Return times in s from 0 to `end`, on bold lines of the paper."""
    squares = round(end / SQUARE_S)
    every = next(step for step in (1, 2, 5, 10, 25, 50) if squares / step < _MOST_TICKS)
    return SQUARE_S * np.arange(0, squares + 1, every)


def _draw_image(axes, image, darkest, brightest):
    picture = np.clip((image - darkest) / max(brightest - darkest, 1e-9), 0, 1)
    axes.imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])


def _draw_signal(axes, example, colour, rate):
    axes.plot(np.arange(len(example)) / (rate or 1.0), example, color=colour, linewidth=1)
    axes.tick_params(labelsize=7)
    axes.set_xlabel("s" if rate else "step", fontsize=8)
    tidy_axes(axes)

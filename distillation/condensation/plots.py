"""Figures of a distillation: the examples (ECGs on their usual paper beside real ones), their values, the course."""

import numpy as np

from distillation.condensation.methods import METHODS
from transplant.evaluation.ecg_paper import SQUARE_MV, SQUARE_S, draw_ecg_paper, voltage_limits
from transplant.evaluation.figure_file import BLACK, BLUE, ORANGE, new_figure, save_figure, tidy_axes

_MOST_COLUMNS = 10
_MOST_TABLE_ROWS = 60
_MOST_BEATS, _MOST_STRIPS = (5, 3), (2, 1)  # distilled and real ones of a class, side by side
_LONGEST_BEAT_S, _SHOWN_S = 2.0, 6.0
_SQUARE_INCH = 0.24


def draw_distillation(job, distilled, problem, history):
    """Draw what there is of a run into its folder.

    Args:
        job: job folder.
        distilled: `DistilledSet`.
        problem: `Problem`, for real examples beside.
        history: pandas.DataFrame with iteration, loss and val_score; empty of a coreset.
    """
    title = f"{distilled.provenance['method']} of {distilled.provenance['dataset']}"
    if _is_ecg(distilled):
        plot_ecg(distilled, problem.train, job / "examples.png", title)
    else:
        plot_examples(distilled, job / "examples.png", title)
    plot_values(distilled, problem.inputs("train"), job / "values.png", title)
    if len(history):
        plot_course(history, job / "learning_curves.png", title)


def plot_examples(distilled, path, title):
    """Draw examples in their unit, a row a class: images, signals, or tables as pictures.

    Args:
        distilled: `DistilledSet`.
        path: the .png file.
        title: of the figure.

    Returns:
        The matplotlib figure.
    """
    values = distilled.values()
    n_classes = len(distilled.classes)
    shown = min(_MOST_COLUMNS, np.bincount(distilled.y, minlength=n_classes).max())
    is_image, is_signal = values.ndim == 4, values.ndim == 3 and values.shape[-1] <= 2
    width, height = (1.1, 1.1) if is_image else (2.6, 1.5)
    figure = new_figure(1.2 + width * shown, 0.7 + height * n_classes)
    figure.suptitle(title, fontsize=12)
    grid = figure.subplots(n_classes, shown, squeeze=False)
    low, high = (np.percentile(values, share) for share in (0.5, 99.5))
    for label, row in enumerate(grid):
        examples = values[distilled.y == label]
        for column, axes in enumerate(row):
            if column >= len(examples):
                axes.axis("off")
                continue
            if is_image:
                picture = np.clip((examples[column] - low) / max(high - low, 1e-9), 0, 1)
                axes.imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            elif is_signal:
                _draw_signal(axes, examples[column], distilled)
            else:
                # Columns of a table have different units: drawn as they were standardised.
                table = distilled.x[distilled.y == label][column].T[:_MOST_TABLE_ROWS]
                axes.imshow(table, cmap="RdBu_r", vmin=-3, vmax=3, aspect="auto", interpolation="nearest")
            if not is_signal:
                axes.set_xticks([])
                axes.set_yticks([])
            if column == 0:
                axes.set_ylabel(distilled.classes[label], fontsize=10)
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
    beside = []
    for label in range(n_classes):
        rows = np.flatnonzero(real.y == label)
        chosen = rows[np.unique(np.linspace(0, len(rows) - 1, most_real).round().astype(int))]
        beside.append(real.x[chosen, -samples:, 0])
    low, high = voltage_limits(np.concatenate([*of_class, *beside]))
    own = "chosen" if METHODS[distilled.provenance["method"]].is_coreset else "distilled"
    shown = max(len(examples) for examples in of_class)
    panel_s, panel_mv = end / SQUARE_S * _SQUARE_INCH, min((high - low) / SQUARE_MV * _SQUARE_INCH, 2.4)
    figure = new_figure(1.0 + (shown + most_real) * (panel_s + 0.3), 1.0 + n_classes * (panel_mv + 0.5))
    figure.suptitle(title, fontsize=12)
    grid = figure.subplots(n_classes, shown + most_real, squeeze=False, sharey=True)
    for label, row in enumerate(grid):
        panels = [(BLUE, own, example) for example in of_class[label]]
        panels += [None] * (shown - len(panels)) + [(BLACK, "real", example) for example in beside[label]]
        panels += [None] * (len(row) - len(panels))
        for axes, panel in zip(row, panels):
            if panel is None:
                axes.axis("off")
                continue
            colour, kind, example = panel
            bold_mv = draw_ecg_paper(axes, 0, end, low, high)
            axes.plot(seconds, example, color=colour, linewidth=1.1)
            axes.tick_params(labelsize=7)
            axes.set_title(kind, fontsize=9, color=colour)
        row[0].set_ylabel(f"{distilled.classes[label]} (mV)", fontsize=10)
    lead = f"lead {distilled.leads[0]}; " if len(distilled.leads) > 1 else ""
    last = f"the last {_SHOWN_S:g} s; " if samples < distilled.x.shape[1] else ""
    figure.supxlabel(f"s; {lead}{last}bold squares {SQUARE_S:g} s x {bold_mv:g} mV", fontsize=9)
    return save_figure(figure, path)


def _is_ecg(distilled):
    return distilled.x.ndim == 3 and distilled.unit == "mV" and bool(distilled.sampling_rate_hz)


def _draw_signal(axes, example, distilled):
    rate = distilled.sampling_rate_hz or 1.0
    axes.plot(np.arange(len(example)) / rate, example, color=BLUE, linewidth=1)
    axes.tick_params(labelsize=7)
    axes.set_xlabel("s" if distilled.sampling_rate_hz else "step", fontsize=8)
    tidy_axes(axes)


def plot_values(distilled, real, path, title):
    """Draw the histogram of standardised values beside that of the real ones.

    Args:
        distilled: `DistilledSet`.
        real: standardised values of the training part.
        path: the .png file.
        title: of the figure.

    Returns:
        The matplotlib figure.
    """
    figure = new_figure(6, 3.6)
    axes = figure.subplots()
    some = real.ravel()[:: max(1, real.size // 1_000_000)]
    edges = np.linspace(*np.percentile(np.concatenate([some, distilled.x.ravel()]), [0.1, 99.9]), 80)
    for values, name, colour in ((some, "real", BLUE), (distilled.x.ravel(), "distilled", ORANGE)):
        axes.hist(values, edges, density=True, histtype="step", color=colour, label=name, linewidth=1.6)
    axes.set_yscale("log")
    axes.set_xlabel("standardised value")
    axes.set_ylabel("density")
    axes.set_title(title, fontsize=12)
    axes.legend()
    tidy_axes(axes)
    return save_figure(figure, path)


def plot_course(history, path, title):
    """Draw the loss and the validation score over iterations.

    Args:
        history: pandas.DataFrame with iteration, loss and, in some rows, val_score.
        path: the .png file.
        title: of the figure.

    Returns:
        The matplotlib figure.
    """
    figure = new_figure(9, 3.6)
    figure.suptitle(title, fontsize=12)
    left, right = figure.subplots(1, 2)
    left.plot(history["iteration"], history["loss"], color=BLUE, linewidth=1.2)
    left.set_ylabel("loss")
    seen = history.dropna(subset=["val_score"])
    right.plot(seen["iteration"], seen["val_score"], "s-", color=ORANGE, linewidth=1.4, markersize=4)
    right.set_ylabel("score of one fresh network on validation")
    for axes in (left, right):
        axes.set_xlabel("iteration")
        tidy_axes(axes)
    return save_figure(figure, path)

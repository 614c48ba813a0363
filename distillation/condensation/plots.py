"""Figures of a distillation: the examples, their values, the course of the run."""

import numpy as np

from transplant.evaluation.figure_file import BLUE, ORANGE, new_figure, save_figure, tidy_axes

_MOST_COLUMNS = 10
_MOST_TABLE_ROWS = 60


def draw_distillation(job, distilled, problem, history):
    """Draw what there is of a run into its folder.

    Args:
        job: job folder.
        distilled: `DistilledSet`.
        problem: `Problem`, for real examples beside.
        history: pandas.DataFrame with iteration, loss and val_score; empty of a coreset.
    """
    title = f"{distilled.provenance['method']} of {distilled.provenance['dataset']}"
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

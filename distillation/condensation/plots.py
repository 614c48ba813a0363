"""Figures of a distillation: the examples, their values, the course."""

import numpy as np

from distillation.condensation.evaluation import main_measure
from distillation.condensation.example_plots import draw_examples, kind_of
from transplant.evaluation.figure_file import BLUE, ORANGE, new_figure, save_figure, tidy_axes


def draw_distillation(job, distilled, problem, history):
    """Draw what there is of a run into its folder.

    Args:
        job: job folder.
        distilled: `DistilledSet`.
        problem: `Problem`, for real examples beside.
        history: pandas.DataFrame with iteration, loss and val_score; empty of a coreset.
    """
    title = f"{distilled.provenance['method']} of {distilled.provenance['dataset']}"
    draw_examples(distilled, problem, job / "examples.png", title)
    plot_values(distilled, problem.inputs("train"), job / "values.png", title)
    if len(history):
        plot_course(history, main_measure(len(distilled.classes))[1], job / "learning_curves.png", title)


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
    # All distilled values, and the real ones but for outliers, which would leave no room for the others.
    ends = np.concatenate([np.percentile(some, [0.1, 99.9]), [distilled.x.min(), distilled.x.max()]])
    edges = np.linspace(ends.min(), ends.max(), 80)
    for values, name, colour in ((some, "real", BLUE), (distilled.x.ravel(), kind_of(distilled), ORANGE)):
        axes.hist(values, edges, density=True, histtype="step", color=colour, label=name, linewidth=1.6)
    axes.set_yscale("log")
    axes.set_xlabel("standardised value")
    axes.set_ylabel("density")
    axes.set_title(title, fontsize=12)
    axes.legend()
    tidy_axes(axes)
    return save_figure(figure, path)


def plot_course(history, measure, path, title):
    """Draw the loss and the validation score over iterations.

    Args:
        history: pandas.DataFrame with iteration, loss and, in some rows, val_score.
        measure: name of the score.
        path: the .png file.
        title: of the figure.

    Returns:
        The matplotlib figure.
    """
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(9, 3.6)
    figure.suptitle(title, fontsize=12)
    left, right = figure.subplots(1, 2)
    left.plot(history["iteration"], history["loss"], color=BLUE, linewidth=1.2)
    left.set_ylabel("loss")
    seen = history.dropna(subset=["val_score"])
    right.plot(seen["iteration"], seen["val_score"], "s-", color=ORANGE, linewidth=1.4, markersize=4)
    right.set_ylabel(f"{measure} of one fresh network, validation")
    right.set_ylim(0, 1)
    for axes in (left, right):
        axes.set_xlabel("iteration")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        tidy_axes(axes)
    return save_figure(figure, path)

"""Figure of the course of a student's loss, term by term."""

from distillation.rdpd.methods import ATTENTION, COMBINED, HARD
from transplant.evaluation.figure_file import SERIES_STYLES, new_figure, save_figure, tidy_axes

# The soft term without its floor: the floor is the teacher's, and would hide what is learned.
_PANELS = {
    HARD: "hard labels: cross entropy",
    "soft_kl": "soft labels: T² KL(teacher, student)",
    ATTENTION: "attention: KL",
    COMBINED: "combined labels: cross entropy",
}


def plot_terms(history, path, title, best_epoch):
    """Draw every term of the loss over epochs, each on an axis of its own from 0.

    Args:
        history: pandas.DataFrame with epoch and the terms of the method.
        path: the .png file to write.
        title: figure title.
        best_epoch: epoch to mark.

    Returns:
        The matplotlib figure.
    """
    panels = [name for name in _PANELS if name in history]
    figure = new_figure(0.8 + 3.6 * len(panels), 3.4)
    figure.suptitle(title, fontsize=13)
    for number, (axes, name) in enumerate(zip(figure.subplots(1, len(panels), squeeze=False)[0], panels)):
        axes.plot(history["epoch"], history[name], color=SERIES_STYLES[number][0], linewidth=1.6)
        axes.axvline(best_epoch, color="0.35", linestyle="--", linewidth=1.2, label=f"best epoch {best_epoch}")
        axes.set_title(_PANELS[name], fontsize=10)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("epoch")
        axes.set_ylabel("nats")
        tidy_axes(axes)
    axes.legend(fontsize=9)
    return save_figure(figure, path)

"""What networks say of one record: attention over its segments, probabilities of the classes."""

import textwrap

import numpy as np

from transplant.evaluation.figure_file import SERIES_STYLES, tidy_axes

_TEACHER_COLOUR = "0.45"  # grey
_MOST_NUMBERED = 16  # segments whose numbers fit into their cells
_NAME_CHARACTERS = 18  # of a class on one line


def draw_attention(axes, attention, time):
    """Draw a row of shaded cells a network, white at 0, over the time of their segments.

    Args:
        axes: of matplotlib.
        attention: dict name of a network -> (segments,).
        time: `TimeAxis`.
    """
    weights = np.array(list(attention.values()), np.float64)
    count, segments = weights.shape
    edges = np.linspace(0, time.end, segments + 1)
    largest = weights.max()
    axes.pcolormesh(edges, np.arange(count + 1), weights, cmap="Blues", vmin=0, vmax=largest, edgecolors="white")
    if segments <= _MOST_NUMBERED:
        for (row, segment), weight in np.ndenumerate(weights):
            axes.text(
                (edges[segment] + edges[segment + 1]) / 2, row + 0.5, f"{weight:.2f}", ha="center", va="center",
                fontsize=8, color="white" if weight > 0.6 * largest else "black",
            )  # fmt: skip
    axes.set_ylim(count, 0)
    axes.set_yticks(np.arange(count) + 0.5, list(attention), fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.set_title(f"Attention of the segments: white 0, darkest {largest:.2f}", fontsize=9, loc="left")


def draw_probabilities(axes, probabilities, classes, truth):
    """Draw a group of bars a class, the true one's on grey.

    Args:
        axes: of matplotlib.
        probabilities: dict name of a network -> (classes,), the teacher first.
        classes: class names.
        truth: index of the true class.

    Returns:
        The bars of each network, for a legend.
    """
    names, count = list(probabilities), len(classes)
    filled = 0.8 if count > 2 else 0.5
    places, thickness = np.arange(count), filled / len(names)
    axes.axhspan(truth - 0.5, truth + 0.5, color="0.92", zorder=0)
    handles = []
    for number, (name, colour) in enumerate(zip(names, _colours(names))):
        offset = thickness * (number - (len(names) - 1) / 2)
        handles.append(axes.barh(places + offset, probabilities[name], thickness, color=colour, label=name))
    labels = [textwrap.fill(name, _NAME_CHARACTERS) for name in classes]
    labels[truth] += "\n(truth)"
    axes.set_yticks(places, labels, fontsize=8)
    axes.get_yticklabels()[truth].set_fontweight("bold")
    axes.set_ylim(count - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.set_xlabel("class probability", fontsize=10)
    tidy_axes(axes, "x")
    axes.tick_params(axis="y", length=0)
    return handles


def _colours(names):
    """Return one colour a network: the teacher, the first, is grey."""
    return [_TEACHER_COLOUR, *(SERIES_STYLES[number % len(SERIES_STYLES)][0] for number in range(len(names) - 1))]

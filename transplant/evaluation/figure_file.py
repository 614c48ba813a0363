"""What all figures share: a canvas without global state, colours, axes, and a file that is whole or absent.

matplotlib's object interface is used, so that no display is needed. Colours
are those of Okabe and Ito, told apart with any colour vision; each is paired
with a marker or line style of its own.
"""

from transplant.atomic import atomic_path

BLUE, ORANGE, GREEN, PURPLE, SKY, BLACK = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#000000"
SERIES_STYLES = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (PURPLE, "D"), (BLACK, "v"), (SKY, "P"))
"""(colour, marker) of the first, second, .. series of a figure; they start again after the last."""

_DPI = 120
_CLOSE_TICKS = 0.075  # of the x axis; labels nearer than this stand on two lines
_TICK_LINES = (3.5, 18.0)  # points below the axis


def new_figure(width, height):
    """Return an empty figure of this size in inches, on a canvas that draws PNG files."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure, path):
    """Write the figure to the .png file `path`, whole or not at all, and return it."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=_DPI)
    return figure


def tidy_axes(axes, grid="both"):
    """Put a light grid behind the data and leave out the frame's upper and right side.

    Args:
        axes: of matplotlib.
        grid: "x", "y" or "both". Defaults to "both".
    """
    axes.grid(True, axis=grid, color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def ticks_apart(axes, places, labels):
    """Put a tick with a label at each place of the x axis, whose limits and scale are set.

    A label that would touch one beside it stands a line lower; where it would touch one there too, the tick has none.

    Args:
        axes: of matplotlib.
        places: numbers, rising.
        labels: one text a place.
    """
    axes.set_xticks(places, labels, fontsize=11)
    axes.set_xticks([], minor=True)
    to_axes = axes.transData - axes.transAxes
    across = [to_axes.transform((place, axes.get_ylim()[0]))[0] for place in places]
    last = dict.fromkeys(_TICK_LINES, float("-inf"))
    for tick, here in zip(axes.xaxis.get_major_ticks(), across):
        line = next((line for line in _TICK_LINES if here - last[line] >= _CLOSE_TICKS), None)
        if line is None:
            tick.label1.set_visible(False)
        else:
            last[line] = here
            tick.set_pad(line)

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

"""Drawing of a record's channels over time: large ones on axes of their own, small ones as lanes above each other."""

import dataclasses

import numpy as np

from transplant.evaluation.figure_file import tidy_axes

_TABLE_STEP_S = 60.0  # of one value after another; a value of a table holds until the next
_LONGEST_IN_S = 7200.0
_LANE_FILLED = 0.8  # of a lane's height
_MOST_CATEGORY_TICKS = 6
_NEVER = "never measured"


@dataclasses.dataclass(frozen=True)
class TimeAxis:
    """The time of a record of equal steps.

    Attributes:
        steps: number of values.
        step: length of one, in `unit`.
        unit: "s", "h" or "step".
        holds: whether a value stands for all of its step, as in a table, and is not a sample of a signal.
    """

    steps: int
    step: float
    unit: str
    holds: bool

    @property
    def end(self):
        """Time after the last step."""
        return self.steps * self.step

    @classmethod
    def of(cls, steps, sampling_rate_hz):
        """Return the axis: seconds, of records above two hours hours, and steps where there is no rate."""
        if not sampling_rate_hz:
            return cls(steps, 1.0, "step", True)
        step_s = 1.0 / sampling_rate_hz
        in_hours = steps * step_s > _LONGEST_IN_S
        return cls(steps, step_s / 3600 if in_hours else step_s, "h" if in_hours else "s", step_s >= _TABLE_STEP_S)


def draw_channel(axes, channel, time, unit, colour):
    """Draw one channel on an axis of its own; dots are where a table's value was measured.

    Args:
        axes: of matplotlib.
        channel: `Channel`.
        time: `TimeAxis`.
        unit: of the values; empty where it is not known.
        colour: of the line.
    """
    _draw_course(axes, channel.values, time, colour, 1.3)
    if time.holds and channel.measured is not None:
        rows = np.flatnonzero(channel.measured & np.isfinite(channel.values))
        axes.plot((rows + 0.5) * time.step, channel.values[rows], "o", color=colour, markersize=3.2)
        if not len(rows):
            behind = {"facecolor": "white", "edgecolor": "none"}
            axes.text(0.5, 0.6, _NEVER, transform=axes.transAxes, ha="center", va="bottom", fontsize=9, bbox=behind)
    low, high = _limits(channel.values)
    edge = 0.08 * (high - low) or 0.5
    axes.set_ylim(low - edge, high + edge)
    if channel.categories:
        shown = np.unique(channel.values[np.isfinite(channel.values)])[:_MOST_CATEGORY_TICKS]
        axes.set_yticks(shown, [channel.say(value) for value in shown])
    else:
        axes.locator_params(axis="y", nbins=4)
    axes.tick_params(axis="y", labelsize=8)
    axes.set_ylabel(f"{channel.name} ({unit})" if unit and not channel.categories else channel.name, fontsize=9)
    tidy_axes(axes, "y")


def draw_lanes(axes, channels, time, colour):
    """Draw channels above each other, the first on top, each from its least to its greatest value, which are told.

    Args:
        axes: of matplotlib.
        channels: list of `Channel`.
        time: `TimeAxis`.
        colour: of the lines.
    """
    for lane, channel in enumerate(channels):
        low, high = _limits(channel.values)
        height = (channel.values - low) / (high - low) if high > low else 0.5 + 0 * channel.values
        _draw_course(axes, -lane - 0.5 + _LANE_FILLED * (height - 0.5), time, colour, 0.9)
    axes.set_ylim(-len(channels), 0)
    axes.set_yticks([-lane - 0.5 for lane in range(len(channels))], [_range_in_words(one) for one in channels])
    axes.tick_params(axis="y", labelsize=7.5, length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def mark_segments(axes, time, segments):
    """Draw a line wherever a segment ends and another one begins; of a table these times have the ticks."""
    edges = np.linspace(0, time.end, segments + 1)
    for edge in edges[1:-1]:
        axes.axvline(edge, color="0.55", linewidth=0.9, linestyle=(0, (4, 3)), zorder=0.5)
    if time.holds:
        axes.set_xticks(edges)


def _draw_course(axes, values, time, colour, width):
    edges = np.arange(time.steps + 1) * time.step
    if time.holds:
        axes.stairs(values, edges, baseline=None, color=colour, linewidth=width)
    else:
        axes.plot(edges[:-1], values, color=colour, linewidth=width)


def _limits(values):
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def _range_in_words(channel):
    if channel.measured is not None and not channel.measured.any():
        return f"{channel.name}  {_NEVER}"
    low, high = _limits(channel.values)
    if low == high:
        return f"{channel.name}  {channel.say(low)}"
    return f"{channel.name}  {channel.say(low)} to {channel.say(high)}"

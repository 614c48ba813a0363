"""Case studies: single records, what each network attends to in them, and what it takes them for.

Source: figures 6 to 8 of Hong et al., "RDPD: Rich Data Helps Poor Data via Imitation" (IJCAI 2019).
"""

import dataclasses

import numpy as np

from distillation.rdpd.channel_plots import TimeAxis, draw_channel, draw_lanes, mark_segments
from distillation.rdpd.network_panels import draw_attention, draw_probabilities
from distillation.rdpd.value_channels import value_channels
from distillation.rdpd.views import poor_columns
from transplant.errors import DataError
from transplant.evaluation.figure_file import BLACK, new_figure, save_figure

_RICH_COLOUR = "0.5"  # grey
_MOST_PANELS, _MOST_LANES = 3, 20
_PANEL_INCH, _ROW_INCH = 1.3, 0.36  # height of a channel's own axes, of a network's attention
_LANE_INCH, _TALL_LANE_INCH, _LANES_INCH = 0.24, 0.6, 1.4  # least and greatest height of a lane; of all if it fits
_BAR_INCH, _BARS_INCH, _LEAST_INCH = 0.105, 8.0, 2.5


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """One record and what the networks say of it.

    Attributes:
        record_id: of the record.
        values: (time, columns) of the rich view as recorded, NaN where there is padding.
        leads: names of the columns.
        poor_leads: what the students see, as `poor_columns` takes it: a list of names, or text with commas.
        sampling_rate_hz: of the record; None where it has no time in seconds.
        unit: of the values; "mixed" or "1" where there is not one.
        attention: dict name of a network -> (segments,), the teacher first.
        probabilities: dict name of a network -> (classes,), the same names.
        classes: class names.
        truth: index of the record's class.

    Raises:
        DataError: if these do not fit together.
    """

    record_id: str
    values: np.ndarray
    leads: tuple
    poor_leads: tuple | str
    sampling_rate_hz: float | None
    unit: str
    attention: dict
    probabilities: dict
    classes: tuple
    truth: int

    def __post_init__(self):
        segments = {np.shape(row) for row in self.attention.values()}
        classes = {np.shape(row) for row in self.probabilities.values()}
        if (
            list(self.attention) != list(self.probabilities)
            or np.shape(self.values)[1:] != (len(self.leads),)
            or len(segments) != 1
            or classes != {(len(self.classes),)}
            or not 0 <= self.truth < len(self.classes)
        ):
            raise DataError(
                f"{self.record_id}: a case has attention (segments,) and probabilities (classes,) of the same "
                f"networks, values (time, leads) and a true class. Received: values {np.shape(self.values)} of "
                f"{len(self.leads)} leads, attention {segments} of {', '.join(self.attention)}, probabilities "
                f"{classes} of {', '.join(self.probabilities)}, class {self.truth} of {len(self.classes)}"
            )

    @classmethod
    def of_record(cls, data, row, poor_leads, attention, probabilities):
        """Return the case of one record of a set.

        Args:
            data: `LabelledSet` of all channels, as recorded.
            row: of the record.
            poor_leads: names of what the students see, as above.
            attention: dict name of a network -> (records, segments), the teacher first.
            probabilities: dict name of a network -> (records, classes).
        """
        values = np.array(data.x[row], np.float32)
        values[: data.length - data.lengths[row]] = np.nan
        return cls(
            str(data.record_ids[row]), values, data.leads, poor_leads, data.sampling_rate_hz, data.unit,
            {name: of_all[row] for name, of_all in attention.items()},
            {name: of_all[row] for name, of_all in probabilities.items()},
            data.classes, int(data.y[row]),
        )  # fmt: skip


def choose_cases(y, teacher_probabilities, per_class=1):
    """Choose records by the teacher alone, so that the choice favours no student.

    Of each class that is there: the records in the middle of those that the teacher has right, in the order of the
    probability that it gives to the truth (of an even number the less probable of the middle two). Where it has too
    few right, all of these and then the most probable of the others.

    Args:
        y: class indices (records,).
        teacher_probabilities: (records, classes).
        per_class: how many of a class, at most. Defaults to 1.

    Returns:
        list of rows, class by class, of a class the least probable first.

    Raises:
        DataError: if there is not one row of probabilities a record.

    Example:
        >>> choose_cases([0, 0, 0, 1], [[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.8, 0.2]])
        [2, 3]
    """
    y, probabilities = np.asarray(y), np.asarray(teacher_probabilities)
    if probabilities.ndim != 2 or y.shape != probabilities.shape[:1]:
        raise DataError(
            f"cases are chosen by one row of probabilities a record. Received: shapes {y.shape} and "
            f"{probabilities.shape}"
        )
    of_truth, is_right = probabilities[np.arange(len(y)), y], probabilities.argmax(axis=1) == y
    chosen = []
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        rows = rows[np.argsort(of_truth[rows], kind="stable")]
        right, wrong = rows[is_right[rows]], rows[~is_right[rows]]
        if len(right) < per_class:
            chosen += [*wrong[max(len(wrong) - (per_class - len(right)), 0) :], *right]
        else:
            start = (len(right) - per_class) // 2
            chosen += [*right[start : start + per_class]]
    return [int(row) for row in chosen]


def plot_case_study(path, case):
    """Draw a record: what students see of it, the rest of the rich view in grey, attention, and class probabilities.

    Many channels are drawn as lanes, each from its least to its greatest value; where there are too many, those that
    students do not see are counted only.

    Args:
        path: the .png file to write.
        case: `Case`.

    Returns:
        The matplotlib figure.

    Raises:
        OptionError: if the poor view has names that are none of the record's.
    """
    channels = value_channels(np.asarray(case.values, np.float64), case.leads)
    seen = {case.leads[column] for column in poor_columns(case.leads, case.poor_leads)}
    poor = [one for one in channels if seen & set(one.columns)]
    rich = [one for one in channels if one not in poor]
    time = TimeAxis.of(len(case.values), case.sampling_rate_hz)
    unit = "" if case.unit in ("mixed", "1") else case.unit
    shown = rich if len(poor) + len(rich) <= _MOST_LANES else []
    drawings = [(_lanes_inch(len(shown)), lambda axes: draw_lanes(axes, shown, time, _RICH_COLOUR))] if shown else []
    if len(poor) <= _MOST_PANELS:
        drawings += [(_PANEL_INCH, lambda axes, one=one: draw_channel(axes, one, time, unit, BLACK)) for one in poor]
    else:
        drawn = poor[:_MOST_LANES]
        drawings.append((_lanes_inch(len(drawn)), lambda axes: draw_lanes(axes, drawn, time, BLACK)))
    drawings.append((_ROW_INCH * len(case.attention), lambda axes: draw_attention(axes, case.attention, time)))

    heights = [height for height, _ in drawings]
    bars = min(_BAR_INCH * (len(case.probabilities) + 1.5) * len(case.classes), _BARS_INCH)
    figure = new_figure(10.5, 1.5 + max(sum(heights) + 0.15 * len(heights), bars, _LEAST_INCH))
    figure.suptitle(f"Record {case.record_id}, truth: {case.classes[case.truth]}", fontsize=13)
    grid = figure.add_gridspec(len(drawings), 2, width_ratios=(2.1, 1), height_ratios=heights)
    first = None
    for row, (_, draw) in enumerate(drawings):
        axes = figure.add_subplot(grid[row, 0], sharex=first)
        first = first or axes
        draw(axes)
        mark_segments(axes, time, len(next(iter(case.attention.values()))))
        axes.tick_params(axis="x", labelbottom=row == len(drawings) - 1)
    first.set_xlim(0, time.end)
    first.set_title(_what_is_drawn(poor, rich, shown), fontsize=9, loc="left")
    axes.set_xlabel(time.unit, fontsize=10)
    handles = draw_probabilities(figure.add_subplot(grid[:, 1]), case.probabilities, case.classes, case.truth)
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=10, frameon=False)
    return save_figure(figure, path)


def _lanes_inch(count):
    return count * min(max(_LANES_INCH / count, _LANE_INCH), _TALL_LANE_INCH)


def _what_is_drawn(poor, rich, shown):
    seen = f"black: what students see ({len(poor)} of {len(poor) + len(rich)} channels)"
    if len(poor) > _MOST_LANES:
        seen += f", the first {_MOST_LANES}"
    elif len(poor) <= _MOST_PANELS and any(one.measured is not None for one in poor):
        seen += ", dots where measured"
    if shown:
        return f"{seen}; grey: what the teacher sees too"
    return f"{seen}; the teacher sees {len(rich)} more" if rich else seen

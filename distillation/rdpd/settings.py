"""What the options of the command line come to for the data at hand: sizes, temperature, training."""

import dataclasses

from distillation.rdpd.sizes import FALLBACK, SETTINGS, student_width
from distillation.rdpd.views import poor_columns
from transplant.errors import DataError
from transplant.modules.segment_rnn import SegmentRnnSize, check_segments


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained.

    Attributes:
        epochs: at most.
        patience: epochs without a better score before it stops.
        batch_size: records of a step.
        learning_rate: Adam's.
        monitor: what the best epoch is chosen by on validation, "auc", "auprc", "f1", "acc" or "loss".
        seed: of weights, orders and dropout.
        shows_progress: whether its steps move a progress line.
    """

    epochs: int
    patience: int
    batch_size: int
    learning_rate: float
    monitor: str
    seed: int
    shows_progress: bool = True


def teacher_size(args, data, trained=None):
    """Return the `SegmentRnnSize` of a teacher: what is given above the setting of the data set.

    Args:
        args: options of `distillation.rdpd.trainer`.
        data: `LabelledSet`.
        trained: dict of the size of a teacher that is there already, which stands in the place of the setting.
            Defaults to None.

    Raises:
        OptionError: if records are no whole number of segments.
    """
    setting = SETTINGS.get(data.dataset, FALLBACK)
    defaults = {name: getattr(setting, name) for name in ("filters", "kernel", "stride", "hidden", "convolutions")}
    defaults["segment"] = round(setting.segment_s * (data.sampling_rate_hz or 1.0))
    defaults |= trained or {}
    size = SegmentRnnSize(**{name: getattr(args, name) or value for name, value in defaults.items()})
    check_segments(data.length, size)
    return size


def student_size(args, teacher, rich, poor):
    """Return the `SegmentRnnSize` of a student, which sees the same segments through the same convolutions.

    Args:
        args: options of `distillation.rdpd.trainer`.
        teacher: `SegmentRnnSize` of the teacher.
        rich, poor: numbers of channels.
    """
    filters, hidden = student_width(args.student_widths, teacher.filters, teacher.hidden, rich, poor)
    return dataclasses.replace(teacher, filters=args.student_filters or filters, hidden=args.student_hidden or hidden)


def temperature_of(args, data):
    """Return T: what is given, or that of the data set's setting."""
    return args.temperature or SETTINGS.get(data.dataset, FALLBACK).temperature


@dataclasses.dataclass(frozen=True)
class Design:
    """What the options come to for the data at hand.

    Attributes:
        columns: of the channels that the student sees.
        rich_size, poor_size: `SegmentRnnSize`s of teacher and student.
        temperature: T.
        teacher_temperature: of the teacher's own loss.
        training: `TrainingSettings` of both.
    """

    columns: tuple
    rich_size: SegmentRnnSize
    poor_size: SegmentRnnSize
    temperature: float
    teacher_temperature: float
    training: TrainingSettings


def design_of(args, data, shows_progress=True, trained=None):
    """Return the `Design` of a run.

    Args:
        args: options of `distillation.rdpd.trainer`.
        data: `LabelledSet`.
        shows_progress: as `TrainingSettings` takes it. Defaults to True.
        trained: as `teacher_size` takes it.

    Raises:
        DataError: if the records are images.
        OptionError: if the poor view is none, or records are no whole number of segments.
    """
    if data.x.ndim != 3:
        raise DataError(f"{data.dataset}: signals or tables are needed. Received: images; choose another data set")
    columns = tuple(poor_columns(data.leads, args.poor_leads))
    rich = teacher_size(args, data, trained)
    temperature = temperature_of(args, data)
    return Design(
        columns=columns,
        rich_size=rich,
        poor_size=student_size(args, rich, len(data.leads), len(columns)),
        temperature=temperature,
        teacher_temperature=temperature if args.teacher_temperature is None else args.teacher_temperature,
        training=TrainingSettings(
            args.epochs,
            args.patience,
            args.batch_size,
            args.learning_rate,
            args.monitor,
            args.seed,
            shows_progress,
        ),
    )

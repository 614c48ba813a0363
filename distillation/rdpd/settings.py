"""What the options of the command line come to for the data at hand: sizes, temperature, training."""

import dataclasses

from distillation.rdpd.sizes import FALLBACK, SETTINGS, student_width
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
    """

    epochs: int = 200
    patience: int = 20
    batch_size: int = 128
    learning_rate: float = 1e-3
    monitor: str = "auc"
    seed: int = 2024


def teacher_size(args, data):
    """Return the `SegmentRnnSize` of a teacher: what is given above the setting of the data set.

    Args:
        args: options of `distillation.rdpd.trainer`.
        data: `LabelledSet`.

    Raises:
        OptionError: if records are no whole number of segments.
    """
    setting = SETTINGS.get(data.dataset, FALLBACK)
    names = ("filters", "kernel", "stride", "hidden", "convolutions")
    chosen = {name: getattr(args, name) or getattr(setting, name) for name in names}
    segment = args.segment or round(setting.segment_s * (data.sampling_rate_hz or 1.0))
    size = SegmentRnnSize(segment, **chosen)
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

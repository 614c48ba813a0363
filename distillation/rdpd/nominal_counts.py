"""Published parameter counts of RDPD line by line, beside those of the networks here."""

import dataclasses
import sys

from distillation.rdpd.sizes import RELEASE, SETTINGS, student_width
from transplant.training.command_line import make_parser, run

DESCRIPTION = """\
Print the parameters of the six published networks (Hong et al. 2019, table 5)
line by line, as published and as the networks here have them, and what makes
the difference. No data are read, and nothing is trained.

  python -m distillation.rdpd.nominal_counts"""

LINES = {
    "conv1": "conv1",
    "conv2": "conv2",
    "bilstm": "BiLSTM",
    "attention": "attention",
    "dense": "dense",
    "combination": "w1, w2, b",
    "total": "total",
}
"""Line of a count -> head of its column."""

NOTES = (
    "nominal: as published; live: count_params() of the network here, and of each of its layers",
    "conv2: in brackets where a network of one convolution never uses it; the public code creates it all the same",
    "BiLSTM: PyTorch adds two bias vectors each way, Keras has one, which can say as much: 8 h fewer, of h units",
    "w1, w2, b: weights of the combined labels; they belong to the loss of a student (rdpd, rdpd-r1), to no network",
)
_LAYERS = {  # of `build_segment_rnn`
    "conv1": "stage1_conv1",
    "conv2": "stage1_conv2",
    "bilstm": "stage1_lstm",
    "attention": "stage1_scores",
    "dense": "head",
}
_SEGMENTS = 4  # of every published record
_COMBINATION = 3


@dataclasses.dataclass(frozen=True)
class PublishedModel:
    """A network of table 5.

    Attributes:
        name: data set and role.
        channels: of the record that it sees.
        classes: number of classes.
        samples: of a record, which has 4 segments.
        filters, hidden: of the first convolution; units of the LSTM each way.
        kernel, stride: of the convolutions, samples.
        convolutions: those that the network uses, 1 or 2.
    """

    name: str
    channels: int
    classes: int
    samples: int
    filters: int
    hidden: int
    kernel: int
    stride: int
    convolutions: int


def published_models():
    """Return the six `PublishedModel`s of table 5, a teacher and a student of each data set.

    Source: Hong et al., "RDPD: Rich Data Helps Poor Data via Imitation" (IJCAI 2019), section 4.1 and table 5: its
    students have the widths of the public code.
    """
    models = []
    for key, title, rich, poor, classes, samples in (
        ("pamap2", "PAMAP2", 52, 17, 12, 256),
        ("ptbdb", "PTBDB", 15, 1, 6, 2000),
        ("mimic3_vitals", "MIMIC-III", 6, 1, 8, 48),
    ):
        setting = SETTINGS[key]
        widths = setting.filters, setting.hidden
        for role, channels, (filters, hidden) in (
            ("teacher", rich, widths),
            ("student", poor, student_width(RELEASE, *widths, rich, poor)),
        ):
            convolutions = setting.kernel, setting.stride, setting.convolutions
            models.append(PublishedModel(f"{title} {role}", channels, classes, samples, filters, hidden, *convolutions))
    return models


def nominal_counts(model):
    """Return dict line of `LINES` -> parameters of a `PublishedModel` as published, whether used or not."""
    filters, hidden, kernel = model.filters, model.hidden, model.kernel
    features = filters * model.convolutions
    counts = {
        "conv1": (kernel * model.channels + 1) * filters,
        "conv2": (kernel * filters + 1) * 2 * filters,
        # Two directions of four gates, each with weights of inputs and states and, in PyTorch, two biases.
        "bilstm": 2 * 4 * hidden * (features + hidden + 2),
        "attention": 2 * hidden,
        "dense": (2 * hidden + 1) * model.classes,
        "combination": _COMBINATION,
    }
    return counts | {"total": sum(counts.values())}


def live_counts(model):
    """Return dict line of `LINES` -> parameters of the network that `build_segment_rnn` makes of a `PublishedModel`."""
    from transplant.modules.segment_rnn import SegmentRnnSize, build_segment_rnn

    size = SegmentRnnSize(
        model.samples // _SEGMENTS, model.filters, model.kernel, model.stride, model.hidden, model.convolutions
    )
    network = build_segment_rnn((model.samples, model.channels), model.classes, size)
    layers = {layer.name: layer.count_params() for layer in network.layers}
    counts = {line: layers.get(name, 0) for line, name in _LAYERS.items()}
    return counts | {"combination": 0, "total": network.count_params()}


def count_table():
    """Return the counts of all published models as text: two rows a model, and what makes the difference."""
    from transplant.evaluation.report import fixed_width

    rows = [["", *LINES.values()]]
    for model in published_models():
        nominal, live = nominal_counts(model), live_counts(model)
        cells = {line: f"{count:,}" for line, count in nominal.items()}
        if model.convolutions == 1:
            cells["conv2"] = f"({cells['conv2']})"
        rows.append([f"{model.name}, nominal", *cells.values()])
        rows.append([f"{model.name}, live", *(f"{live[line]:,}" if live[line] else "-" for line in LINES)])
    return "\n".join([fixed_width(rows), "", *NOTES])


def build_parser():
    """Return the parser of this command."""
    return make_parser("python -m distillation.rdpd.nominal_counts", DESCRIPTION)


def print_counts(args):
    """Print the table."""
    from transplant.training.quiet_start import start_tensorflow

    start_tensorflow()
    print(count_table())


def main(argv=None):
    """Run the command; return its exit status."""
    return run(print_counts, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

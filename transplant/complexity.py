"""What a model costs, layer by layer: `python -m transplant.complexity --arch mlp-16 --dataset seizure`."""

import argparse
import pathlib
import sys
import zipfile

from transplant.datasets.registry import DATASETS, get_dataset
from transplant.errors import DataError, OptionError
from transplant.modules.registry import ARCHITECTURES, check_fit, choose_spectrogram, get_architecture
from transplant.training.command_line import add_spectrogram_flags, make_parser, positive_int, run

DESCRIPTION = """\
Print what a model costs for one input, layer by layer: output shape,
parameters, multiply-adds, floating-point operations (a multiply-add is two),
and memory of activations. No data are read, and nothing is trained.

  python -m transplant.complexity                                  # ResNet-18 on records of 16,384 samples
  python -m transplant.complexity --arch mlp-16 --dataset seizure
  python -m transplant.complexity --arch cnn1d --shape 48,76 --classes 2
  python -m transplant.complexity --model JOB/best_model.keras --length 4096
  python -m transplant.complexity --arch cnn --dataset seizure --convention course

A layer that nothing says how to count is listed as not counted."""

MODELS_OF_JOBS = ("best_model.keras", "student.keras")
STANDARD, COURSE = CONVENTIONS = ("standard", "course")
DEFAULT_ARCH, DEFAULT_DATASET = "resnet18", "synthetic"


def build_parser():
    """Return the parser of this command."""
    parser = make_parser("python -m transplant.complexity", DESCRIPTION)
    networks = ", ".join(entry.name for entry in ARCHITECTURES.values() if entry.is_network)
    model = parser.add_argument_group("model")
    model.add_argument("--arch", metavar="A", help=f"network: {networks}; default: {DEFAULT_ARCH}")
    model.add_argument("--stages", type=positive_int, metavar="N", help="first N stages of it; default: all")
    add_spectrogram_flags(model)
    model.add_argument("--model", metavar="FILE", help="a `.keras` file, or a job folder with one, in place of --arch")
    size = parser.add_argument_group("input")
    size.add_argument(
        "--dataset",
        metavar="NAME",
        help=f"whose records and classes it is for: {', '.join(DATASETS)}; default: {DEFAULT_DATASET}",
    )
    size.add_argument(
        "--shape", type=shape, metavar="S", help="of one record instead: TIME,CHANNELS or HEIGHT,WIDTH,CHANNELS"
    )
    size.add_argument("--classes", type=positive_int, metavar="N", help="number of classes; default: the data set's")
    size.add_argument(
        "--length", type=positive_int, metavar="N", help="steps of one record; default: the data set's"
    )
    report = parser.add_argument_group("report")
    report.add_argument(
        "--convention",
        choices=CONVENTIONS,
        default=STANDARD,
        help="how it is counted; `course`: as a course counted its networks for seizures, and where that is wrong",
    )
    report.add_argument("--calculation", action="store_true", help="show how each number is made (course: always)")
    report.add_argument("--json", metavar="FILE", help="write the report there too")
    return parser


def shape(text):
    """Parse a shape: two or three whole numbers of at least 1 with commas between."""
    sizes = tuple(positive_int(size) for size in text.split(","))
    if len(sizes) not in (2, 3):
        raise argparse.ArgumentTypeError(f"must be two or three numbers with commas between, not {text}")
    return sizes


def report_complexity(args):
    """Print the report of the model that the options name; return it.

    Returns:
        A `ComplexityReport`, or a `CourseReport` with `--convention course`.

    Raises:
        OptionError: if options contradict each other, or the network does not fit the records.
        DataError: if the file is no model.
    """
    build, input_shape = _from_file(args) if args.model is not None else _from_registry(args)
    model = build()
    if input_shape is None:
        input_shape = _own_shape(model, args)
    if args.convention == COURSE:
        from transplant.evaluation.course_costs import course_report_of

        report = course_report_of(model, input_shape)
    else:
        from transplant.evaluation.complexity_counts import complexity_of

        report = complexity_of(model, input_shape)
    print(report)
    if args.calculation and args.convention != COURSE:
        print(f"\n{report.calculation()}")
    if args.json:
        from transplant.evaluation.report import write_metrics

        write_metrics(args.json, report.to_dict())
    return report


def _from_registry(args):
    """Return a function that builds the network of the options, and the shape of its records."""
    arch = args.arch or DEFAULT_ARCH
    get_architecture(arch)
    spectrogram = choose_spectrogram(arch, args.spectrogram, args.bins)
    input_shape, n_classes = _records(args)
    check_fit(arch, input_shape)

    def build():
        _start()
        from transplant.modules.classifier import build_classifier

        return build_classifier(
            arch, n_classes, input_shape=input_shape, stages=args.stages, spectrogram=spectrogram
        )

    return build, input_shape


def _records(args):
    """Return the shape of a record and the number of classes that the options say."""
    if args.dataset is None and args.shape is not None:
        input_shape, n_classes = args.shape, args.classes
    else:
        spec = get_dataset(args.dataset or DEFAULT_DATASET)
        input_shape, n_classes = args.shape or spec.shape, args.classes or spec.n_classes
        if input_shape is None:
            raise OptionError(
                f"the records of {spec.name} have the shape that its files give them. Received: no --shape; "
                "give it, e.g. --shape 48,76"
            )
    if n_classes is None:
        raise OptionError("a classifier needs a number of classes. Received: --shape alone; add --classes")
    return _with_length(tuple(input_shape), args.length), n_classes


def _with_length(input_shape, length):
    if length is None:
        return input_shape
    if len(input_shape) != 2:
        raise OptionError(
            f"--length is of records of (time, channels). Received: --length {length} for shape {input_shape}; "
            "give --shape"
        )
    return (length, *input_shape[1:])


def _from_file(args):
    """Return a function that reads the model of the options, and the shape of its input where they say it."""
    refused = [f"--{name}" for name in ("arch", "stages", "spectrogram", "bins", "classes") if getattr(args, name)]
    if refused:
        raise OptionError(f"--model is complete as it is. Received: {', '.join(refused)} too; leave them out")
    if args.dataset is None and args.shape is None:
        return lambda: _load(args.model), None
    input_shape = args.shape or get_dataset(args.dataset).shape
    if input_shape is None:
        raise OptionError(
            f"the records of {args.dataset} have the shape that its files give them. Received: no --shape; give it"
        )
    return lambda: _load(args.model), _with_length(input_shape, args.length)


def _own_shape(model, args):
    """Return the shapes of a model's inputs, the data set's length or --length where it takes any."""
    length = args.length or get_dataset(DEFAULT_DATASET).shape[0]
    shapes = []
    for tensor in getattr(model, "inputs", None) or ():
        sizes = tuple(tensor.shape[1:])
        takes_any = sizes[:1] == (None,)
        if not takes_any and args.length is not None and sizes[:1] != (args.length,):
            raise OptionError(
                f"--length is for a model that takes any. Received: --length {args.length} for {args.model}, which "
                f"takes {sizes[0] if sizes else 'none'}; leave it out"
            )
        shapes.append((length, *sizes[1:]) if takes_any else sizes)
    return shapes or None


def _load(path):
    """Return the model of a `.keras` file.

    Raises:
        DataError: if the file holds none that can be read safely.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        kept = [path / name for name in MODELS_OF_JOBS if (path / name).is_file()]
        if not kept:
            raise DataError(
                f"{path}: a job folder has a {' or a '.join(MODELS_OF_JOBS)}. Received: none in it; name the file"
            )
        path = kept[0]
    if path.suffix != ".keras":
        raise DataError(f"{path}: a model is a .keras file. Received: a file of another name; save it as one")
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise DataError(f"{path}: a .keras file is a zip archive. Received: another file; save the model again")
    _start()
    import keras

    try:
        # Only a model that runs no code of its own: safe mode refuses others.
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # A file that is damaged fails in zip, JSON, HDF5 or a layer, each with its own error.
        reason = (str(error).strip() or type(error).__name__).split("\n")[0].split(". ")[0].rstrip(".")
        raise DataError(
            f"{path}: a .keras file must hold a model of Keras' and this package's layers. Received: {reason}; "
            "save the model again"
        ) from error
    if not isinstance(model, keras.Model):
        raise DataError(f"{path}: a .keras file must hold a model. Received: a {type(model).__name__}")
    return model


def _start():
    from transplant.training.quiet_start import start_tensorflow

    start_tensorflow()


def main(argv=None):
    """Run the command; return its exit status."""
    return run(report_complexity, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

"""Which data set a command reads, and how: flags that the preparation and the trainer share, and the reading itself."""

import argparse

from transplant.datasets.registry import DATASETS, PAPER_LENGTH, PAPER_RATE_HZ, get_dataset
from transplant.errors import OptionError
from transplant.training.command_line import one_of, positive_int, sampling_rate

DEFAULT_RECORDS = 200


def add_dataset_flags(parser, required):
    """Add the flags that choose a data set, and those that its reader takes.

    Args:
        parser: the command's parser.
        required: whether `--dataset` must be given.

    Returns:
        The argument group of the data, for flags of the command's own.
    """
    data = parser.add_argument_group("data set")
    data.add_argument(
        "--dataset",
        type=one_of(tuple(DATASETS)),
        required=required,
        metavar="NAME",
        help="; ".join(f"{spec.name}: {spec.description}" for spec in DATASETS.values()),
    )
    data.add_argument("--source", metavar="DIR", help="folder of the data set's files")
    data.add_argument("--skip-bad", action="store_true", help="leave out records that cannot be used, and list them")
    shape = parser.add_argument_group("challenge2017 and synthetic")
    shape.add_argument("--label-version", choices=("v1", "v2", "v3"), help="of challenge2017; v2 if not given")
    shape.add_argument("--records", metavar="FILE", help="file that lists the records to use; all if not given")
    shape.add_argument(
        "--records-count", type=positive_int, metavar="N", help=f"synthetic records to make; {DEFAULT_RECORDS}"
    )
    shape.add_argument(
        "--length", type=positive_int, metavar="N", help=f"samples of a prepared record; {PAPER_LENGTH:,}"
    )
    shape.add_argument(
        "--rate", type=sampling_rate, metavar="HZ", help=f"sampling rate of a prepared record; {PAPER_RATE_HZ:g} Hz"
    )
    shape.add_argument(
        "--windows",
        action=argparse.BooleanOptionalAction,
        help="keep all windows of --length samples of a record, side by side; the last one alone if not given",
    )
    own = parser.add_argument_group("options of single data sets")
    for option, names in _options_of_sets().values():
        flag, text = _flag(option.name), f"{', '.join(names)}: {option.help}"
        # None where it is not given, so that one given to another data set can be refused.
        if isinstance(option.default, bool):
            own.add_argument(flag, action=argparse.BooleanOptionalAction, help=text)
        else:
            default = "" if option.default is None else f"; {option.default} if not given"
            own.add_argument(
                flag,
                choices=option.choices or None,
                metavar=None if option.choices else option.metavar,
                help=text + default,
            )
    return data


def read_dataset(args, seed, skipped=None, fetch=None):
    """Read the data set that the options describe.

    Args:
        args: options that `add_dataset_flags` made.
        seed: of synthetic records.
        skipped: list that receives what was left out; None where nothing may be.
        fetch: function that returns the folder of a data set's downloaded files. Defaults to None: without
            `--source` a data set that has files is refused.

    Returns:
        `WholeSet`, and the file of the labels or None.

    Raises:
        OptionError: if an option belongs to another data set.
        DataError: if files cannot be used.
    """
    from transplant.datasets.preparation import prepare_records
    from transplant.datasets.whole_set import WholeSet
    from transplant.training.progress import Progress

    spec = get_dataset(args.dataset)
    settle_dataset_options(args)
    source = args.source
    if spec.needs_source and not source:
        if fetch is None:
            raise OptionError(
                f"--dataset {spec.name} is read from files. Received: no --source; give its folder, or fetch and "
                "prepare it with finetuning.prepare and give --train"
            )
        source = fetch(spec)
    if not spec.is_whole:
        if spec.needs_source:
            records = spec.open(source, args.label_version, args.records, skipped)
        else:
            print(f"synthetic records, seed {seed}: not evidence")
            records = spec.open(args.records_count, seed)
        progress = Progress(len(records), "records")
        data = prepare_records(
            records,
            spec.classes,
            args.length,
            args.rate,
            spec.name,
            records.label_version,
            skipped,
            progress.step,
            bool(args.windows),
        )
        return WholeSet(data), getattr(records, "label_file", None)
    chosen = {option.name: getattr(args, option.name) for option in spec.options}
    progress = Progress(None, "read")
    whole = spec.open(source, skipped=skipped, on_record=progress.step, **chosen)
    progress.clear()
    return whole, None


def settle_dataset_options(args):
    """Give the options of `--dataset` that were left out their defaults, so that a job's record has what was used.

    Args:
        args: options that `add_dataset_flags` made.

    Raises:
        OptionError: if an option belongs to another data set.
    """
    spec = get_dataset(args.dataset)
    _refuse_options_of_others(spec, args)
    if args.windows and args.length is None:
        raise OptionError("--windows cuts records into windows of --length samples. Received: no --length; give it")
    defaults = {option.name: option.default for option in spec.options}
    if not spec.is_whole:
        defaults |= {"length": PAPER_LENGTH, "rate": PAPER_RATE_HZ}
    if not spec.is_whole and not spec.needs_source:
        defaults["records_count"] = DEFAULT_RECORDS
    for name, default in defaults.items():
        if getattr(args, name) is None:
            setattr(args, name, default)


def dataset_values(args):
    """Return dict flag -> value of the options that go with `--dataset`, None where they are not given.

    Args:
        args: options that `add_dataset_flags` made.
    """
    names = ["source", "label_version", "records", "records_count", "length", "rate", "windows", *_options_of_sets()]
    return {_flag(name): getattr(args, name) for name in names}


def _options_of_sets():
    """Return dict name -> (`DatasetOption`, names of the data sets that have it)."""
    found = {}
    for spec in DATASETS.values():
        for option in spec.options:
            found.setdefault(option.name, (option, []))[1].append(spec.name)
    return found


def _refuse_options_of_others(spec, args):
    """Refuse options that are for other data sets."""
    if not spec.needs_source:
        given = [name for name in ("source", "download_dir", "mirror") if getattr(args, name, None) is not None]
        if given:
            raise OptionError(
                f"--dataset {spec.name} reads no files. Received: {', '.join(map(_flag, given))}; leave it out"
            )
    owners = {name: names for name, (_, names) in _options_of_sets().items()}
    owners |= {name: ["challenge2017"] for name in ("label_version", "records")}
    owners |= {name: ["challenge2017", "synthetic"] for name in ("length", "rate", "windows")}
    owners["records_count"] = ["synthetic"]
    for name, names in owners.items():
        if spec.name not in names and getattr(args, name) is not None:
            raise OptionError(
                f"{_flag(name)} is for --dataset {' or '.join(names)}. Received: --dataset {spec.name}; leave it out"
            )


def _flag(name):
    return f"--{name.replace('_', '-')}"

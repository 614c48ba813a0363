"""Prepare a labelled data set for fine-tuning.

python -m finetuning.prepare --dataset challenge2017 --out-dir D
python -m finetuning.prepare --dataset challenge2017 --source DIR --out-dir D
"""

import contextlib
import json
import pathlib
import sys

from transplant.datasets.registry import DATASETS, get_dataset
from transplant.errors import DataError, OptionError
from transplant.training.command_line import (
    add_download_flags,
    make_parser,
    positive_int,
    run,
    sampling_rate,
    seed,
    share,
)

_DESCRIPTION = """\
Prepare a labelled data set for fine-tuning: read, resample, pad or cut, split.

Whole records are resampled to --rate with an anti-aliasing filter; shorter ones
are padded on the left with zeros, of longer ones the last --length samples are
kept. The result stays in millivolts: the trainer standardises it, with numbers
from its training part only. A split keeps every patient whole.

Without --source the files of challenge2017 are downloaded from PhysioNet and
verified against its checksums. Interrupted? Run the same command again: what
was fetched is kept.
"""
_FILES = ("all.npz", "train.npz", "test.npz", "prepare.json")
_DEFAULT_COUNT = 200
_SHOWN = 20


def build_parser():
    """Return the command's parser."""
    parser = make_parser("python -m finetuning.prepare", _DESCRIPTION)
    data = parser.add_argument_group("data")
    data.add_argument("--dataset", choices=tuple(DATASETS), required=True, help="which data set to read")
    data.add_argument("--source", metavar="DIR", help="folder of the data set; default: download it")
    add_download_flags(data, "--out-dir")
    data.add_argument(
        "--label-version", choices=("v1", "v2", "v3"), help="label version of challenge2017; v2 if not given"
    )
    data.add_argument("--records", metavar="FILE", help="file that lists the records to use; all if not given")
    data.add_argument(
        "--records-count",
        type=positive_int,
        metavar="N",
        help=f"synthetic records to make; {_DEFAULT_COUNT} if not given",
    )
    data.add_argument("--skip-bad", action="store_true", help="leave out records that cannot be used, and list them")
    shape = parser.add_argument_group("prepared records")
    shape.add_argument("--length", type=positive_int, default=16384, help="samples of a prepared record")
    shape.add_argument("--rate", type=sampling_rate, default=250.0, help="sampling rate of a prepared record, Hz")
    split = parser.add_argument_group("split")
    split.add_argument(
        "--test-size", type=share, default=0.2, help="share of the records held out as test; 0: no split"
    )
    split.add_argument("--seed", type=seed, default=2024, help="of the split, and of synthetic records")
    output = parser.add_argument_group("output")
    output.add_argument("--out-dir", metavar="D", required=True, help="folder for the .npz files and prepare.json")
    output.add_argument("--overwrite", action="store_true", help="replace a prepared set that is there")
    return parser


def prepare(args):
    """Read, prepare, split and write what the parsed `args` ask for.

    Returns:
        {file name without extension: `LabelledSet`}.

    Raises:
        TransplantError: if options or data cannot be used; nothing is written then.
    """
    from finetuning.preparation import prepare_records, split_set
    from transplant.training.progress import Progress

    spec = get_dataset(args.dataset)
    out_dir = pathlib.Path(args.out_dir)
    _check_out_dir(out_dir, args.overwrite)
    if args.source and (args.download_dir or args.mirror):
        raise OptionError("--download-dir and --mirror are for downloads. Received: --source too; leave them out")
    skipped = [] if args.skip_bad else None
    source = _open(spec, args, skipped)
    progress = Progress(len(source), "records")
    whole = prepare_records(
        source,
        spec.classes,
        args.length,
        args.rate,
        spec.name,
        source.label_version,
        skipped,
        progress.step,
    )
    parts = {"all": whole}
    if args.test_size:
        train, test = split_set(whole, args.test_size, args.seed)
        parts = {"train": train, "test": test}
    _write(out_dir, parts, _description(args, source, parts, skipped or []))
    _report(out_dir, parts, skipped or [])
    return parts


def main(argv=None):
    """Run the command and return its exit status."""
    return run(prepare, build_parser().parse_args(argv))


def _check_out_dir(out_dir, overwrite):
    if out_dir.exists() and not out_dir.is_dir():
        raise OptionError(f"{out_dir}: --out-dir is a folder. Received: a file of that name; choose another")
    there = [name for name in _FILES if (out_dir / name).exists()]
    if there and not overwrite:
        raise OptionError(
            f"{out_dir}: a prepared set is not overwritten. Received: a folder with {', '.join(there)}; "
            "choose another --out-dir or give --overwrite"
        )


def _open(spec, args, skipped):
    """Return the data set's `RecordSource`, refusing options that it does not have."""
    if not spec.needs_source:
        given = [
            f"--{name}"
            for name in ("source", "download-dir", "mirror", "label-version", "records")
            if getattr(args, name.replace("-", "_"))
        ]
        if given:
            raise OptionError(f"--dataset {spec.name} reads no files. Received: {', '.join(given)}; leave it out")
        print(f"synthetic records, seed {args.seed}: not evidence")
        return spec.open(args.records_count or _DEFAULT_COUNT, args.seed)
    if args.records_count is not None:
        raise OptionError(
            f"--records-count is for --dataset synthetic. Received: --dataset {spec.name}; name records with --records"
        )
    return spec.open(args.source or _download(spec, args), args.label_version, args.records, skipped)


def _download(spec, args):
    """Return the folder of the data set's files, fetched where they are not there."""
    from transplant.datasets.download import DOWNLOADERS, download_folder

    if spec.name not in DOWNLOADERS:
        raise OptionError(f"--dataset {spec.name} is read from files. Received: no --source; give its folder")
    folder = download_folder(spec.name, args.out_dir, args.download_dir)
    return DOWNLOADERS[spec.name](folder, args.mirror)


def _description(args, source, parts, skipped):
    import platform

    import numpy
    import scipy

    import transplant

    return {
        "command": "finetuning.prepare",
        "options": {name: value for name, value in sorted(vars(args).items())},
        "dataset": source.name,
        "label_version": source.label_version,
        "label_file": str(getattr(source, "label_file", "")) or None,
        "rules": "resample_poly on whole records, zeros on the left or the last samples, millivolts",
        "parts": {
            name: {
                "file": f"{name}.npz",
                "records": len(part),
                "patients": len(set(part.group_ids.tolist())),
                "counts": part.counts(),
                "fingerprint": part.fingerprint(),
            }
            for name, part in parts.items()
        },
        "skipped": [record._asdict() for record in skipped],
        "versions": {
            "transplant": transplant.__version__,
            "python": platform.python_version(),
            "numpy": numpy.__version__,
            "scipy": scipy.__version__,
        },
    }


def _write(out_dir, parts, description):
    """Write all files beside their places first, then move them there; on an error none is left."""
    from transplant.atomic import atomic_path

    files = {f"{name}.npz": part.write for name, part in parts.items()}
    text = json.dumps(description, indent=2, ensure_ascii=False) + "\n"
    existed = out_dir.exists()
    try:
        with contextlib.ExitStack() as stack:
            # Contexts close in reverse: prepare.json is entered first and appears last.
            targets = {name: stack.enter_context(atomic_path(out_dir / name)) for name in ("prepare.json", *files)}
            targets["prepare.json"].write_text(text, encoding="utf-8")
            for name, write in files.items():
                write(targets[name])
        for name in _FILES:
            if name not in targets:
                (out_dir / name).unlink(missing_ok=True)
    except OSError as error:
        if not existed and out_dir.is_dir() and not any(out_dir.iterdir()):
            out_dir.rmdir()
        raise DataError(
            f"{out_dir}: the prepared set cannot be written. Received: {error.strerror or error}; free space or choose "
            "another --out-dir"
        ) from error


def _report(out_dir, parts, skipped):
    for name, part in parts.items():
        print(f"{out_dir / name}.npz: {part}; fingerprint {part.fingerprint()}")
    print(f"{out_dir / 'prepare.json'}: options, versions, counts, skipped records")
    if skipped:
        print(f"skipped {len(skipped)} records:")
        names_by_reason = {}
        for record in skipped:
            names_by_reason.setdefault(record.reason, []).append(record.name)
        for reason, names in list(names_by_reason.items())[:_SHOWN]:
            print(f"  {', '.join(names[:5])}{', ...' if len(names) > 5 else ''} ({len(names)}): {reason}")
        if len(names_by_reason) > _SHOWN:
            print(f"  and more, all in {out_dir / 'prepare.json'}")
    for name, part in parts.items():
        present = [label for label, count in part.counts().items() if count]
        if len(present) < 2:
            print(f"{name} has records of {', '.join(present)} alone: a classifier needs two classes or more")
    if "train" in parts:
        print(f"next: python -m finetuning.trainer --train {out_dir}/train.npz --test {out_dir}/test.npz")
    else:
        print(f"next: python -m finetuning.compare --train {out_dir}/all.npz --init random W --job-dir J")


if __name__ == "__main__":
    sys.exit(main())

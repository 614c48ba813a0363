"""Prepare a labelled data set: `python -m finetuning.prepare --dataset NAME --source DIR --out-dir D`."""

import contextlib
import json
import pathlib
import sys

from transplant.datasets.registry import get_dataset
from transplant.errors import DataError, OptionError
from transplant.modules.registry import ARCHITECTURES
from transplant.training.command_line import add_download_flags, fraction_or_count, make_parser, run, seed
from transplant.training.dataset_options import add_dataset_flags, read_dataset
from transplant.training.split_options import (
    PUBLISHED,
    RANDOM,
    TEST_SHARE,
    add_split_flag,
    check_leakage_of,
    hold_out,
    split_in_words,
    warn_of_random,
)

_DESCRIPTION = """\
Prepare a labelled data set for fine-tuning: read, bring to one shape, split.

  python -m finetuning.prepare --dataset challenge2017 --out-dir D
  python -m finetuning.prepare --dataset physionet2012 --source DIR --out-dir D
  python -m finetuning.prepare --dataset medical_mnist --source DIR --out-dir D --test-size 16954

ECG records are resampled to --rate with an anti-aliasing filter; shorter ones
are padded on the left with zeros, of longer ones the last --length samples are
kept, or with --windows as many windows as they hold. Values stay as they were
recorded: the trainer standardises them, with numbers from its training part
only. A split keeps every patient, or recording, whole.

Without --source the files of challenge2017 are downloaded from PhysioNet and
verified against its checksums. Interrupted? Run the same command again: what
was fetched is kept.
"""
_FILES = ("all.npz", "train.npz", "test.npz", "prepare.json")
_SHOWN = 20


def build_parser():
    """Return the command's parser."""
    parser = make_parser("python -m finetuning.prepare", _DESCRIPTION)
    data = add_dataset_flags(parser, required=True)
    add_download_flags(data, "--out-dir")
    split = parser.add_argument_group("split")
    split.add_argument(
        "--test-size",
        type=fraction_or_count,
        metavar="S",
        help=f"share of the records held out as test, or their number; 0: no split; {TEST_SHARE} if not given",
    )
    add_split_flag(split)
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
    out_dir = pathlib.Path(args.out_dir)
    _check_out_dir(out_dir, args.overwrite)
    if args.source and (args.download_dir or args.mirror):
        raise OptionError("--download-dir and --mirror are for downloads. Received: --source too; leave them out")
    if args.split == PUBLISHED and args.test_size is not None:
        raise OptionError(
            "--split published has a test set of its own. Received: --test-size too; leave one of them out"
        )
    if args.split != PUBLISHED and args.test_size is None:
        args.test_size = TEST_SHARE
    skipped = [] if args.skip_bad else None
    whole, label_file = read_dataset(args, args.seed, skipped, lambda spec: _download(spec, args))
    parts = {"all": whole.data}
    if args.test_size != 0:
        train, test = hold_out(whole, args.test_size, args.split, args.seed)
        parts = {"train": train, "test": test}
        warn_of_random(args.split, parts)
    if args.check_leakage:
        check_leakage_of(parts)
    _write(out_dir, parts, _description(args, whole.data, label_file, parts, skipped or []))
    _report(out_dir, parts, skipped or [], args)
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


def _download(spec, args):
    """Return the folder of the data set's files, fetched where they are not there."""
    from transplant.datasets.download import DOWNLOADERS, download_folder

    if spec.name not in DOWNLOADERS:
        raise OptionError(f"--dataset {spec.name} is read from files. Received: no --source; give its folder")
    folder = download_folder(spec.name, args.out_dir, args.download_dir)
    return DOWNLOADERS[spec.name](folder, args.mirror)


def _description(args, data, label_file, parts, skipped):
    import platform

    import numpy
    import scipy

    import transplant

    return {
        "command": "finetuning.prepare",
        "options": {name: value for name, value in sorted(vars(args).items())},
        "dataset": data.dataset,
        "label_version": data.label_version,
        "label_file": label_file and str(label_file),
        "shape": list(data.input_shape),
        "sampling_rate_hz": data.sampling_rate_hz,
        "unit": data.unit,
        "notes": list(data.notes),
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


def _report(out_dir, parts, skipped, args):
    first = next(iter(parts.values()))
    for note in first.notes:
        print(note)
    if len(parts) > 1:
        print(f"split: {split_in_words(first, args.split)}")
    for name, part in parts.items():
        print(f"{out_dir / name}.npz: {part.summary}; fingerprint {part.fingerprint()}")
    print(f"{out_dir / 'prepare.json'}: options, versions, counts, skipped records")
    if skipped:
        print(f"skipped {len(skipped)} record{'s' if len(skipped) > 1 else ''}:")
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
    if any(sum(count > 0 for count in part.counts().values()) < 2 for part in parts.values()):
        return
    if "train" in parts:
        random = " --split random" if args.split == RANDOM else ""
        arch = _networks(parts["train"])[:1]
        arch = f" --arch {arch[0]}" if arch else ""
        print(f"next: python -m finetuning.trainer --train {out_dir}/train.npz --test {out_dir}/test.npz{arch}{random}")
    else:
        archs = _networks(parts["all"])
        with_what = f"random --arch {' '.join(archs)}" if archs else "random W"
        print(f"next: python -m finetuning.compare --train {out_dir}/all.npz --init {with_what} --job-dir J")


def _networks(data):
    """Return plain networks to begin with, the data set's own first, or none for ECGs."""
    spec = get_dataset(data.dataset)
    if not spec.is_whole:
        return []
    names = (spec.default_arch, "logistic")
    return [name for name in names if not ARCHITECTURES[name].misfit(data.input_shape)]


if __name__ == "__main__":
    sys.exit(main())

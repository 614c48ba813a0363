"""Build a TensorFlow data set: `python -m transplant.datasets.tfds.build NAME`."""

import sys

from transplant.datasets.tfds import Challenge2017, Icentia11k, Mitdb
from transplant.datasets.tfds.source_files import find_files
from transplant.errors import DataError
from transplant.training.command_line import make_parser, run

_DESCRIPTION = """\
Build a TensorFlow data set, from files that you hold or from downloads, which
are verified against the publisher's checksums.

  python -m transplant.datasets.tfds.build mitdb
  python -m transplant.datasets.tfds.build icentia11k:ten_patients --data-dir D
  python -m transplant.datasets.tfds.build challenge2017:v3 --manual-dir cinc2017/

Afterwards tfds.load("mitdb", data_dir=D) reads it, and so does
python -m pretraining.prepare --source tfds:mitdb --data-dir D."""


def names():
    """Return what can be built: NAME, or NAME:CONFIG where there are configurations."""
    return [
        f"{builder.name}:{config.name}" if config else builder.name
        for builder in (Mitdb, Icentia11k, Challenge2017)
        for config in builder.BUILDER_CONFIGS or [None]
    ]


def build_parser():
    """Return the parser of this command."""
    parser = make_parser("python -m transplant.datasets.tfds.build", _DESCRIPTION)
    parser.add_argument("name", choices=names(), metavar="NAME", help=f"one of {', '.join(names())}")
    parser.add_argument("--data-dir", metavar="D", help="folder of data sets; default: that of TensorFlow Datasets")
    parser.add_argument(
        "--manual-dir", metavar="M", help="folder with the files, in M/NAME or in M itself; default: downloads/manual"
    )
    return parser


def build(args):
    """Build what the parsed options describe, unless it is there."""
    from transplant.training.quiet_start import start_tensorflow

    start_tensorflow()
    import tensorflow_datasets as tfds

    builder = tfds.builder(args.name.replace(":", "/"), data_dir=args.data_dir)
    if args.manual_dir and find_files(args.manual_dir, builder.name, builder.MANUAL_PATTERNS) is None:
        raise DataError(
            f"{args.manual_dir}: --manual-dir must hold the files of {builder.name}. Received: nothing like "
            f"{', '.join(builder.MANUAL_PATTERNS)}; check the folder, or leave the option out to download them"
        )
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=args.manual_dir))
    print(f"{builder.data_path}: {builder.info.splits.total_num_examples} records, {builder.info.dataset_size}")


def main(argv=None):
    """Run the command; return its exit status."""
    return run(build, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

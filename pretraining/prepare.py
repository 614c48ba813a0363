"""Prepare recordings for pretraining: `python -m pretraining.prepare --source DIR --out STORE`."""

import sys

from pretraining.tfds_source import PREFIX as TFDS_PREFIX
from transplant.errors import OptionError
from transplant.training.command_line import (
    add_download_flags,
    make_parser,
    positive_float,
    positive_int,
    run,
    sampling_rate,
    seed,
)

DESCRIPTION = """\
Read annotated recordings once, resample whole records and write a store that
pretraining memory-maps: int16 where that is lossless, beats and rhythms beside it.

  python -m pretraining.prepare --dataset mitdb --out mitdb-store
  python -m pretraining.prepare --source mitdb/ --out mitdb-store
  python -m pretraining.prepare --source icentia11k/ --out store --patient-ids 0,1,2 --segments-per-patient 10

--dataset downloads the files from PhysioNet first, of the patients and records
asked for only, and verifies each against the publisher's checksums.

Interrupted? Run the same command again: fetched files and finished patients are
kept. Run it with more --patient-ids to add patients. All of Icentia11k needs over
1.1 TB for its files and as much for the store."""
DOWNLOADS = ("mitdb", "icentia11k")


def build_parser():
    """Return the parser of this command."""
    from pretraining.sources import DEFAULT_LEAD

    parser = make_parser("python -m pretraining.prepare", DESCRIPTION)
    data = parser.add_argument_group("data")
    source = data.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--source",
        help="folder of annotated records, `tfds:NAME[:CONFIG][/VERSION]` for a prepared TensorFlow data set, or "
        "`synthetic`",
    )
    source.add_argument("--dataset", choices=DOWNLOADS, help="download this data set, or what is missing of it")
    data.add_argument("--out", required=True, help="folder of the store")
    data.add_argument(
        "--leads",
        nargs="+",
        metavar="NAME",
        default=[DEFAULT_LEAD],
        help="one entry per lead, each a name or several in order of preference: MLII, 'MLII|II', or MLII V1",
    )
    data.add_argument("--patient-ids", nargs="+", metavar="ID", help="patients to prepare, comma or space separated")
    data.add_argument("--segments-per-patient", type=positive_int, metavar="N", help="first N records of a patient")
    data.add_argument("--rate", type=sampling_rate, default=250.0, metavar="HZ", help="sampling rate of the store, Hz")
    data.add_argument("--skip-bad", action="store_true", help="leave out patients that cannot be read, and list them")
    download = parser.add_argument_group("download (--dataset)")
    add_download_flags(download, "--out")
    parser.add_argument_group("TensorFlow Datasets (--source tfds:NAME)").add_argument(
        "--data-dir", metavar="D", help="folder of prepared data sets; default: that of TensorFlow Datasets"
    )
    synthetic = parser.add_argument_group("synthetic recordings (--source synthetic)")
    synthetic.add_argument("--synthetic-patients", type=positive_int, default=100, metavar="N", help="patients")
    synthetic.add_argument(
        "--synthetic-seconds", type=positive_float, default=180.0, metavar="S", help="seconds per patient"
    )
    synthetic.add_argument("--seed", type=seed, default=2024, help="seed of the synthetic recordings")
    parser.add_argument(
        "--workers", type=positive_int, metavar="N", help="processes; default: one per processor, one for tfds:NAME"
    )
    return parser


def split_ids(values):
    """Return patient ids given comma or space separated, or None."""
    return None if values is None else [part for value in values for part in value.split(",") if part]


def prepare(args):
    """Prepare the store that the parsed options describe, downloading first where `--dataset` asks for it."""
    from pretraining.preparation import PreparationSettings, prepare_store

    _check_options(args)
    source, workers = _open(args)
    settings = PreparationSettings(args.rate, tuple(args.leads), args.segments_per_patient)
    store = prepare_store(source, args.out, settings, split_ids(args.patient_ids), workers, args.skip_bad)
    print(f"next: python -m pretraining.trainer --task beat --train {store.path}")


def _check_options(args):
    """Refuse options of one kind of source with another."""
    from_tfds = (args.source or "").startswith(TFDS_PREFIX)
    for flag, value, fits, place in (
        ("--download-dir", args.download_dir, args.dataset, "--dataset"),
        ("--mirror", args.mirror, args.dataset, "--dataset"),
        ("--data-dir", args.data_dir, from_tfds, f"--source {TFDS_PREFIX}NAME"),
    ):
        if value is not None and not fits:
            raise OptionError(f"{flag} goes with {place}. Received: {args.source or args.dataset}; leave it out")


def _open(args):
    """Return the source that the options name, and how many processes read it."""
    from pretraining.sources import open_source, select_patients

    if args.dataset:
        from transplant.datasets.download import download_folder, download_records

        folder = download_records(
            args.dataset,
            download_folder(args.dataset, args.out, args.download_dir),
            lambda available: select_patients(available, split_ids(args.patient_ids)),
            args.segments_per_patient,
            args.mirror,
        )
        return open_source(folder), args.workers
    if args.source.startswith(TFDS_PREFIX):
        from pretraining.tfds_source import TfdsSource

        return TfdsSource(args.source, args.data_dir), args.workers
    return open_source(args.source, args.synthetic_patients, args.synthetic_seconds, args.seed), args.workers


def main(argv=None):
    """Run the command; return its exit status."""
    return run(prepare, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

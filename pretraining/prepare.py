"""Prepare recordings for pretraining: `python -m pretraining.prepare --source DIR --out STORE`."""

import sys

from transplant.training.command_line import make_parser, positive_float, positive_int, run, sampling_rate, seed

DESCRIPTION = """\
Read annotated recordings once, resample whole records and write a store that
pretraining memory-maps: int16 where that is lossless, beats and rhythms beside it.

  python -m pretraining.prepare --source mitdb/ --out mitdb-store
  python -m pretraining.prepare --source icentia11k/ --out store --patient-ids 0,1,2 --segments-per-patient 10

Interrupted? Run the same command again: finished patients are kept. Run it with
more --patient-ids to add patients. All of Icentia11k needs over 1.1 TB."""


def build_parser():
    """Return the parser of this command."""
    from pretraining.sources import DEFAULT_LEAD

    parser = make_parser("python -m pretraining.prepare", DESCRIPTION)
    data = parser.add_argument_group("data")
    data.add_argument(
        "--source", required=True, help="folder of annotated WFDB records (.hea, .dat, .atr), or `synthetic`"
    )
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
    synthetic = parser.add_argument_group("synthetic recordings (--source synthetic)")
    synthetic.add_argument("--synthetic-patients", type=positive_int, default=100, metavar="N", help="patients")
    synthetic.add_argument(
        "--synthetic-seconds", type=positive_float, default=180.0, metavar="S", help="seconds per patient"
    )
    synthetic.add_argument("--seed", type=seed, default=2024, help="seed of the synthetic recordings")
    parser.add_argument("--workers", type=positive_int, metavar="N", help="processes; default: one per processor")
    return parser


def split_ids(values):
    """Return patient ids given comma or space separated, or None."""
    return None if values is None else [part for value in values for part in value.split(",") if part]


def prepare(args):
    """Prepare the store that the parsed options describe."""
    from pretraining.preparation import PreparationSettings, prepare_store
    from pretraining.sources import open_source

    source = open_source(args.source, args.synthetic_patients, args.synthetic_seconds, args.seed)
    settings = PreparationSettings(args.rate, tuple(args.leads), args.segments_per_patient)
    store = prepare_store(source, args.out, settings, split_ids(args.patient_ids), args.workers, args.skip_bad)
    print(f"next: python -m pretraining.trainer --task beat --train {store.path}")


def main(argv=None):
    """Run the command; return its exit status."""
    return run(prepare, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

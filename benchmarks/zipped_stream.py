"""How fast zipped Icentia11k files become batches: `python benchmarks/zipped_stream.py`."""

import argparse
import dataclasses
import functools
import json
import os
import pathlib
import sys
import tempfile
import time

from published_generators import frames_one_by_one
from speeds import add_size_flags, median_speeds, size_of, speed_table, summarize_speeds
from zipped_patients import SEGMENTS, ZippedPatients, write_patient

from transplant.datasets import byte_stream
from transplant.datasets.icentia11k import PAPER_MEAN_MV, PAPER_STD_MV
from transplant.training.command_line import make_parser, positive_int, run

DESCRIPTION = """\
Frames per CPU second (this process and the processes it starts) of ways from
the torrent's zipped files to batches of labelled beat frames, one pass over the
patients:

  ours            pretraining.live: processes inflate and decode patients ahead
                  into memory-mapped files, batches are gathered from those
  from_generator  the per-frame pattern in one process: gzip and pickle load a
                  patient, a Python generator of (frame, label) goes through
                  tf.data.Dataset.from_generator, then prefetch, shuffle, batch
  unshuffled      the same at its leanest: batch, prefetch

Ours counts the start of its processes too. The patients are synthetic, of full
size (50 segments of 1,048,577 samples), pickled as the torrent's are (protocol
2, gzip level 9) and of its density, about 25 MB each."""

SHUFFLED_FRAMES = 4096  # 64 MiB; the published 16 x samples-per-patient would be 1 GiB and slower


@dataclasses.dataclass(frozen=True)
class Size:
    """How much a run does.

    Attributes:
        recordings: different patients.
        patients: patients that ours visits; copies have a file of their own.
        published: patients that each row of the generator visits.
        repeats: times that all are measured.
    """

    recordings: int
    patients: int
    published: int
    repeats: int


FULL = Size(recordings=3, patients=12, published=3, repeats=3)
QUICK = Size(recordings=1, patients=4, published=1, repeats=1)


def _cpu_seconds():
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _consume(dataset):
    return sum(len(labels) for _, labels in dataset)


def _ours(folder, patients, args):
    """Return what measures one pass of the live door: a function of the repeat."""
    from pretraining.data import choose_normalization
    from pretraining.live import open_live
    from pretraining.sources import open_source
    from pretraining.streams import frame_dataset, usable_patients
    from transplant.tasks.task import default_options, get_task

    task = get_task("beat")
    options = default_options(task, args.frame_size)

    def measure(repeat):
        ids = [str(number) for number in range(patients)]
        with open_live(open_source(folder), ids, repeat, folder / "spool", args.workers, log=lambda _: None) as store:
            usable, _ = usable_patients(store.patients, args.frame_size)
            normalization = choose_normalization("paper", store, usable)
            return _consume(
                frame_dataset(
                    store,
                    usable,
                    task,
                    options,
                    normalization,
                    args.batch_size,
                    args.samples_per_patient,
                    seed=repeat,
                    steps=patients * args.samples_per_patient // args.batch_size,
                )
            )

    return measure


def _from_generator(folder, patients, args):
    """Return what measures a pass of the per-frame pattern, shuffled as published and unshuffled."""
    import numpy as np
    import tensorflow as tf

    signature = (tf.TensorSpec((args.frame_size, 1), tf.float32), tf.TensorSpec((), tf.int32))

    def generated(repeat):
        frames = functools.partial(
            frames_one_by_one,
            ZippedPatients(folder, patients),
            args.frame_size,
            args.samples_per_patient,
            np.float32(PAPER_MEAN_MV),
            np.float32(PAPER_STD_MV),
            repeat,
        )
        dataset = tf.data.Dataset.from_generator(frames, output_signature=signature)
        return dataset.take(patients * args.samples_per_patient)

    def published(repeat):
        frames = generated(repeat).prefetch(tf.data.AUTOTUNE).shuffle(SHUFFLED_FRAMES, seed=repeat)
        return _consume(frames.batch(args.batch_size))

    def unshuffled(repeat):
        return _consume(generated(repeat).batch(args.batch_size).prefetch(tf.data.AUTOTUNE))

    return published, unshuffled


def measure_all(rows, repeats):
    """Measure all rows in turn.

    Args:
        rows: dict name -> function of the repeat that returns a number of frames.
        repeats: times that each is measured.

    Returns:
        dict name -> list of (frames per CPU second, frames per second).
    """
    speeds = {name: [] for name in rows}
    for repeat in range(repeats):
        for name, measure in rows.items():
            cpu, wall = _cpu_seconds(), time.perf_counter()
            frames = measure(repeat)
            speeds[name].append((frames / (_cpu_seconds() - cpu), frames / (time.perf_counter() - wall)))
    return speeds


def summarize(speeds):
    """Return the medians and ratios of `measure_all` as a JSON-ready dict."""
    medians = median_speeds(speeds)
    return {
        **summarize_speeds(speeds),
        "ours_over_from_generator": round(medians["ours"] / medians["from_generator"], 2),
        "ours_over_unshuffled": round(medians["ours"] / medians["unshuffled"], 2),
    }


def format_table(summary):
    """Return the summary as a table for a terminal."""
    rows = [
        ("ours", "ours, from zipped files", ""),
        ("from_generator", "per-frame from_generator", f"{summary['ours_over_from_generator']:.1f}x"),
        ("unshuffled", "the same, unshuffled", f"{summary['ours_over_unshuffled']:.1f}x"),
    ]
    return speed_table([(summary, rows)])


def benchmark(args):
    """Measure and print what the parsed options ask for."""
    size = size_of(args, FULL, QUICK)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        _benchmark(pathlib.Path(folder), size, args)


def _benchmark(folder, size, args):
    from transplant.training.quiet_start import start_tensorflow

    start_tensorflow()
    import numpy as np
    import tensorflow as tf

    print(f"data: {size.recordings} synthetic patients of {SEGMENTS} segments, zipped now", flush=True)
    for number in range(size.patients):
        if number < size.recordings:
            write_patient(folder, number)
            continue
        for name in ("batched", "batched_lbls"):
            source = folder / f"{number % size.recordings:05d}_{name}.pkl.gz"
            os.link(source, folder / f"{number:05d}_{name}.pkl.gz")
    megabytes = sum((folder / f"{n:05d}_batched.pkl.gz").stat().st_size for n in range(size.recordings)) / 1e6
    print(
        f"{megabytes / size.recordings:.0f} MB a patient; {args.frame_size}-sample beat frames, batch "
        f"{args.batch_size}, {args.samples_per_patient} frames of a patient; median of {size.repeats} interleaved "
        f"passes over {size.patients} patients (generator: {size.published})"
    )
    small = argparse.Namespace(**vars(args) | {"samples_per_patient": args.batch_size})
    for measure in (_ours(folder, 1, small), *_from_generator(folder, 1, small)):
        measure(size.repeats)  # a pass that does not count: first calls and imports
    published, unshuffled = _from_generator(folder, size.published, args)
    rows = {"ours": _ours(folder, size.patients, args), "from_generator": published, "unshuffled": unshuffled}
    summary = summarize(measure_all(rows, size.repeats))
    print(format_table(summary))
    settings = {
        "frame_size": args.frame_size,
        "batch_size": args.batch_size,
        "samples_per_patient": args.samples_per_patient,
        "patients": size.patients,
        "repeats": size.repeats,
        "megabytes_a_patient": round(megabytes / size.recordings, 1),
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
        "inflate": byte_stream.zlib.__name__,
        "cpus": os.cpu_count(),
    }
    print(json.dumps({"benchmark": "zipped_stream", **summary, **settings}))


def build_parser():
    """Return the parser of this benchmark."""
    parser = make_parser("python benchmarks/zipped_stream.py", DESCRIPTION)
    add_size_flags(parser, FULL, QUICK, "fewer patients, measured once: under a minute")
    parser.add_argument("--frame-size", type=positive_int, default=4096, help="samples in a frame")
    parser.add_argument("--batch-size", type=positive_int, default=512, help="frames in a batch")
    parser.add_argument("--samples-per-patient", type=positive_int, default=4096, help="frames of a patient")
    parser.add_argument("--workers", type=positive_int, metavar="N", help="processes that decode; default: as training")
    parser.add_argument("--folder", metavar="D", help="where the files are written; default: the system's")
    return parser


def main(argv=None):
    """Run the benchmark; return its exit status."""
    return run(benchmark, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

"""How fast labelled frames reach the training step: `python benchmarks/input_stream.py`."""

import dataclasses
import functools
import json
import os
import sys
import tempfile
import time

from speeds import add_size_flags, median_speeds, size_of, speed_table, summarize_speeds

from pretraining.sources import SyntheticSource
from transplant.training.command_line import make_parser, positive_int, run

DESCRIPTION = """\
Frames per CPU second (all threads of the process) of ways to fill batches of
labelled frames. Of beat frames:

  ours            pretraining.streams.frame_dataset: whole batches in numpy,
                  shuffled over 16 patients
  from_generator  the per-frame pattern in the published order: a Python generator
                  of (frame, label) through tf.data.Dataset.from_generator, then
                  prefetch, shuffle, batch
  unshuffled      the same generator at its leanest: batch, prefetch; a batch
                  then holds frames of one patient
  memory copy     numpy copying float32 frames that lie in a row: the limit

and of our stream for the rhythm and heart-rate tasks, and for contrastive
predictive coding (context of 8 frames of 2048 samples, one negative; a window
counts as one) beside the per-sample generator of the published pattern, shuffled.

Each repeat runs all of them, one after the other; the table shows medians. The
generator's patients are loaded before its clock starts; ours opens its
memory-mapped patients on the clock. Without --store the recordings are
synthetic, each patient's repeated to outgrow the caches."""

RECORDING_S = 300.0
COPY_SOURCE_FRAMES = 16_384  # 256 MiB at 4096 float32: beyond every cache
CPC_FRAME, CPC_CONTEXT, CPC_NEGATIVES, CPC_BATCH = 2048, 8, 1, 64
CPC_SHUFFLED = 256  # 20 MiB; the published 16 x samples-per-patient would be 1.2 GiB
SHUFFLED_FRAMES = 4096  # 64 MiB; the published 16 x samples-per-patient would be 1 GiB and slower


# Row -> (dividend, divisor of the ratio shown beside it, label).
ROWS = {
    "ours": ("ours", None, "ours, beat"),
    "from_generator": ("ours", "from_generator", "per-frame from_generator"),
    "unshuffled": ("ours", "unshuffled", "the same, unshuffled"),
    "memory_copy": ("ours", "memory_copy", "memory-copy limit"),
    "rhythm": ("rhythm", "ours", "ours, rhythm"),
    "hr": ("hr", "ours", "ours, heart rate"),
    "cpc": ("cpc", None, "ours, cpc (windows)"),
    "cpc_from_generator": ("cpc", "cpc_from_generator", "per-window from_generator, cpc"),
}


@dataclasses.dataclass(frozen=True)
class Size:
    """How much a run does.

    Attributes:
        patients: synthetic patients of `RECORDING_S` seconds.
        segments: copies of the recording that each patient holds.
        repeats: times that everything is measured.
        ours (each task), from_generator (each of the two rows), copy: batches per repeat.
        cpc, cpc_generator: batches of `CPC_BATCH` windows per repeat.
    """

    patients: int
    segments: int
    repeats: int
    ours: int
    from_generator: int
    copy: int
    cpc: int
    cpc_generator: int


FULL = Size(16, 40, 5, ours=400, from_generator=30, copy=1000, cpc=400, cpc_generator=30)
QUICK = Size(6, 40, 5, ours=60, from_generator=4, copy=200, cpc=80, cpc_generator=6)


@dataclasses.dataclass(frozen=True)
class RepeatedRecordings(SyntheticSource):
    """Synthetic patients, each with one recording that fills all of its segments.

    The stream costs the same whatever the signal; drawing hours of ECG would not.
    """

    segments: int = 40

    def patients(self):
        """Return dict patient id -> list of record keys."""
        return {str(i): [(i, copy) for copy in range(self.segments)] for i in range(self.n_patients)}

    def read(self, record):
        """Return the `Record` of a key."""
        patient, copy = record
        recording = _recording(self.seed, patient, self.duration_s)
        return dataclasses.replace(recording, name=f"{recording.name}_{copy}")


@functools.lru_cache(maxsize=1)
def _recording(seed, patient, duration_s):
    from transplant.datasets.synthetic import long_recording

    return long_recording(seed, patient, duration_s)


def _consume(dataset):
    """Return (CPU seconds, wall seconds, batches) of reading a finite dataset from its start to its end."""
    cpu, wall = time.process_time(), time.perf_counter()
    batches = sum(1 for _ in dataset)
    return time.process_time() - cpu, time.perf_counter() - wall, batches


def _ours(store, patients, task, frame_size, batch_size, normalization, args, steps):
    from pretraining.streams import frame_dataset
    from transplant.tasks.task import default_options, get_task

    task = get_task(task)
    options = default_options(task, frame_size)

    def measure(repeat):
        return _consume(
            frame_dataset(
                store, patients, task, options, normalization, batch_size, args.samples_per_patient, repeat, steps
            )
        )

    return measure


def _load(patients, frame_size):
    """Return the patients as the generators take them: per segment (signal mV, beat positions, beat classes)."""
    import numpy as np

    loaded = []
    for patient in patients:
        data = patient.load()
        loaded.append(
            [
                (np.nan_to_num(data.millivolts(i)[:, 0]), a.beat_positions, a.beat_classes)
                for i, a in enumerate(data.annotations)
                if a.length >= frame_size
            ]
        )
    return loaded


def _from_generator(loaded, mean, std, args, steps):
    """Return the measurements of the generator, shuffled as published and unshuffled."""
    import tensorflow as tf
    from published_generators import frames_one_by_one

    signature = (tf.TensorSpec((args.frame_size, 1), tf.float32), tf.TensorSpec((), tf.int32))

    def generated(repeat):
        frames = functools.partial(
            frames_one_by_one, loaded, args.frame_size, args.samples_per_patient, mean, std, repeat
        )
        return tf.data.Dataset.from_generator(frames, output_signature=signature).take(steps * args.batch_size)

    def published(repeat):
        frames = generated(repeat).prefetch(tf.data.AUTOTUNE).shuffle(SHUFFLED_FRAMES, seed=repeat)
        return _consume(frames.batch(args.batch_size))

    def unshuffled(repeat):
        return _consume(generated(repeat).batch(args.batch_size).prefetch(tf.data.AUTOTUNE))

    return published, unshuffled


def _cpc_from_generator(loaded, mean, std, steps):
    import tensorflow as tf
    from published_generators import cpc_one_by_one

    frames = {"context": CPC_CONTEXT, "samples": CPC_NEGATIVES + 1}
    signature = (
        {name: tf.TensorSpec((count, CPC_FRAME, 1), tf.float32) for name, count in frames.items()},
        tf.TensorSpec((), tf.int32),
    )

    def measure(repeat):
        windows = functools.partial(cpc_one_by_one, loaded, CPC_FRAME, CPC_CONTEXT, CPC_NEGATIVES, mean, std, repeat)
        dataset = tf.data.Dataset.from_generator(windows, output_signature=signature).take(steps * CPC_BATCH)
        dataset = dataset.prefetch(tf.data.AUTOTUNE).shuffle(CPC_SHUFFLED, seed=repeat)
        return _consume(dataset.batch(CPC_BATCH))

    return measure


def _memory_copy(args, steps):
    import numpy as np

    blocks = max(COPY_SOURCE_FRAMES // args.batch_size, 2)
    source = np.ones((blocks, args.batch_size, args.frame_size), np.float32)
    batch = np.zeros(source.shape[1:], np.float32)

    def measure(repeat):
        cpu, wall = time.process_time(), time.perf_counter()
        for step in range(steps):
            np.copyto(batch, source[(step + repeat) % blocks])
        return time.process_time() - cpu, time.perf_counter() - wall, steps

    return measure


def measure_all(store, args, size):
    """Measure all rows in turn, `size.repeats` times.

    Returns:
        dict row name -> list of (frames per CPU second, frames per second).
    """
    import numpy as np

    from pretraining.streams import usable_patients

    patients, _ = usable_patients(store.patients, max(args.frame_size, CPC_FRAME * (CPC_CONTEXT + 1)))
    normalization = store.normalization(patients)
    mean, std = np.float32(normalization.mean[0]), np.float32(normalization.std[0])
    loaded = _load(patients, max(args.frame_size, CPC_FRAME * (CPC_CONTEXT + 1)))
    published, unshuffled = _from_generator(loaded, mean, std, args, size.from_generator)

    def ours(task):
        return _ours(store, patients, task, args.frame_size, args.batch_size, normalization, args, size.ours)

    rows = {
        "ours": ours("beat"),
        "from_generator": published,
        "unshuffled": unshuffled,
        "memory_copy": _memory_copy(args, size.copy),
        "rhythm": ours("rhythm"),
        "hr": ours("hr"),
        "cpc": _ours(store, patients, "cpc", CPC_FRAME, CPC_BATCH, normalization, args, size.cpc),
        "cpc_from_generator": _cpc_from_generator(loaded, mean, std, size.cpc_generator),
    }
    for measure in rows.values():
        measure(size.repeats)  # a run that does not count: first calls and page faults
    speeds = {name: [] for name in rows}
    for repeat in range(size.repeats):
        for name, measure in rows.items():
            cpu, wall, batches = measure(repeat)
            frames = batches * (CPC_BATCH if name.startswith("cpc") else args.batch_size)
            speeds[name].append((frames / cpu, frames / wall))
    return speeds


def summarize(speeds):
    """Return the medians and ratios of `measure_all` as a JSON-ready dict."""
    medians = median_speeds(speeds)
    return {
        **summarize_speeds(speeds),
        **{
            f"{ours}_over_{peer}": round(medians[ours] / medians[peer], 3)
            for ours, peer, _ in ROWS.values()
            if peer is not None
        },
    }


def format_table(summary):
    """Return the summary as a table for a terminal."""
    per_cpu = summary["frames_per_cpu_second"]
    rows = [
        (name, label, f"{per_cpu[ours] / per_cpu[peer]:>8.2f}x {ours} / {peer}" if peer else "")
        for name, (ours, peer, label) in ROWS.items()
    ]
    return speed_table([(summary, rows)], last="")


def benchmark(args):
    """Measure and print what the parsed options ask for."""
    size = size_of(args, FULL, QUICK)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if args.store:
        from pretraining.store import Store

        return _report(Store.open(args.store), args, size)
    from pretraining.preparation import prepare_store

    print(f"data: {size.patients} synthetic patients, {size.segments} x {RECORDING_S:.0f} s each, prepared now")
    with tempfile.TemporaryDirectory() as folder:
        source = RepeatedRecordings(size.patients, RECORDING_S, segments=size.segments)
        _report(prepare_store(source, os.path.join(folder, "store"), workers=1, log=lambda _: None), args, size)


def _report(store, args, size):
    import numpy as np
    import tensorflow as tf

    print(
        f"{args.frame_size}-sample beat frames, batch {args.batch_size}, {len(store.patients)} patients, "
        f"{args.samples_per_patient} frames of each in a pass; median of {size.repeats} interleaved repeats"
    )
    summary = summarize(measure_all(store, args, size))
    print(format_table(summary))
    settings = {
        "frame_size": args.frame_size,
        "batch_size": args.batch_size,
        "samples_per_patient": args.samples_per_patient,
        "repeats": size.repeats,
        "store": store.name,
        "patients": len(store.patients),
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
        "cpus": os.cpu_count(),
    }
    print(json.dumps({"benchmark": "input_stream", **summary, **settings}))


def build_parser():
    """Return the parser of this benchmark."""
    parser = make_parser("python benchmarks/input_stream.py", DESCRIPTION)
    add_size_flags(parser, FULL, QUICK, "less data and fewer batches: under a minute")
    parser.add_argument("--store", metavar="DIR", help="a store made by pretraining.prepare; default: synthetic")
    parser.add_argument("--frame-size", type=positive_int, default=4096, help="samples in a frame")
    parser.add_argument("--batch-size", type=positive_int, default=512, help="frames in a batch")
    parser.add_argument("--samples-per-patient", type=positive_int, default=4096, help="frames of a patient in a pass")
    return parser


def main(argv=None):
    """Run the benchmark; return its exit status."""
    return run(benchmark, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

"""How fast labelled frames reach the training step: `python benchmarks/input_stream.py`."""

import dataclasses
import functools
import json
import os
import statistics
import sys
import tempfile
import time

from pretraining.sources import SyntheticSource
from transplant.training.command_line import make_parser, positive_int, run

DESCRIPTION = """\
Frames per CPU second (all threads of the process) of four ways to fill batches
of labelled beat frames:

  ours            pretraining.datasets.frame_dataset: whole batches in numpy,
                  shuffled over 16 patients
  from_generator  the per-frame pattern in the published order: a Python generator
                  of (frame, label) through tf.data.Dataset.from_generator, then
                  prefetch, shuffle, batch
  unshuffled      the same generator at its leanest: batch, prefetch; a batch
                  then holds frames of one patient
  memory copy     numpy copying float32 frames that lie in a row: the limit

Each repeat runs all four, one after the other; the table shows medians. The
generator's patients are loaded before its clock starts; ours opens its
memory-mapped patients on the clock. Without --store the recordings are
synthetic, each patient's repeated to outgrow the caches."""

RECORDING_S = 300.0
COPY_SOURCE_FRAMES = 16_384  # 256 MiB at 4096 float32: beyond every cache
SHUFFLED_FRAMES = 4096  # 64 MiB; the published 16 x samples-per-patient would be 1 GiB and slower


@dataclasses.dataclass(frozen=True)
class Size:
    """How much a run does.

    Attributes:
        patients: synthetic patients of `RECORDING_S` seconds.
        segments: copies of the recording that each patient holds.
        repeats: times that everything is measured.
        ours, from_generator (each of the two rows), copy: batches per repeat.
    """

    patients: int
    segments: int
    repeats: int
    ours: int
    from_generator: int
    copy: int


FULL = Size(patients=16, segments=40, repeats=5, ours=400, from_generator=30, copy=1000)
QUICK = Size(patients=6, segments=40, repeats=5, ours=100, from_generator=6, copy=200)


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


def beat_label(classes):
    """Label one frame by the classes of its complete beats, one frame at a time as the pattern does it."""
    import numpy as np

    counts = np.bincount(classes, minlength=5)
    if counts[2:].any():
        return int(2 + counts[2:].argmax())
    return int(counts[:2].argmax())


def frames_one_by_one(patients, frame_size, samples_per_patient, mean, std, seed):
    """Yield (frame float32 (frame_size, 1), label) without end, so many frames of one patient after the other.

    Args:
        patients: list of patients, each a list of (signal float32 (time,) mV,
            beat positions, beat classes) per segment.
        frame_size: samples in a frame.
        samples_per_patient: frames of a patient before the next one's.
        mean, std: standardisation, mV.
        seed: seed of the draws.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    while True:
        for number in rng.permutation(len(patients)):
            segments = patients[number]
            for _ in range(samples_per_patient):
                signal, positions, classes = segments[rng.integers(len(segments))]
                start = rng.integers(len(signal) - frame_size + 1)
                # The first beat that ends in the frame began before it; the frame's end is inclusive.
                first = np.searchsorted(positions, start, side="left") + 1
                last = np.searchsorted(positions, start + frame_size, side="right")
                frame = (signal[start : start + frame_size, None] - mean) / std
                yield frame, beat_label(classes[first:last])


def _consume(dataset):
    """Return (CPU seconds, wall seconds, batches) of reading a finite dataset from its start to its end."""
    cpu, wall = time.process_time(), time.perf_counter()
    batches = sum(1 for _ in dataset)
    return time.process_time() - cpu, time.perf_counter() - wall, batches


def _ours(store, patients, task, normalization, args, steps):
    from pretraining.datasets import frame_dataset

    def measure(repeat):
        return _consume(
            frame_dataset(
                store, patients, task, normalization, args.frame_size, args.batch_size,
                args.samples_per_patient, seed=repeat, steps=steps,
            )
        )  # fmt: skip

    return measure


def _from_generator(patients, normalization, args, steps):
    """Return the measurements of the generator, shuffled as published and unshuffled."""
    import numpy as np
    import tensorflow as tf

    loaded = []
    for patient in patients:
        data = patient.load()
        loaded.append(
            [
                (np.nan_to_num(data.millivolts(i)[:, 0]), a.beat_positions, a.beat_classes)
                for i, a in enumerate(data.annotations)
                if a.length >= args.frame_size
            ]
        )
    mean, std = np.float32(normalization.mean[0]), np.float32(normalization.std[0])
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
    from pretraining.datasets import usable_patients
    from transplant.tasks.task import get_task

    patients, _ = usable_patients(store.patients, args.frame_size)
    normalization = store.normalization(patients)
    published, unshuffled = _from_generator(patients, normalization, args, size.from_generator)
    rows = {
        "ours": _ours(store, patients, get_task("beat"), normalization, args, size.ours),
        "from_generator": published,
        "unshuffled": unshuffled,
        "memory_copy": _memory_copy(args, size.copy),
    }
    for measure in rows.values():
        measure(size.repeats)  # a run that does not count: first calls and page faults
    speeds = {name: [] for name in rows}
    for repeat in range(size.repeats):
        for name, measure in rows.items():
            cpu, wall, batches = measure(repeat)
            frames = batches * args.batch_size
            speeds[name].append((frames / cpu, frames / wall))
    return speeds


def summarize(speeds):
    """Return the medians and ratios of `measure_all` as a JSON-ready dict."""
    medians = {name: statistics.median(cpu for cpu, _ in values) for name, values in speeds.items()}
    return {
        "frames_per_cpu_second": {name: round(value) for name, value in medians.items()},
        "lowest_and_highest": {name: [round(min(v)[0]), round(max(v)[0])] for name, v in speeds.items()},
        "frames_per_second": {
            name: round(statistics.median(wall for _, wall in values)) for name, values in speeds.items()
        },
        "ours_over_from_generator": round(medians["ours"] / medians["from_generator"], 2),
        "ours_over_unshuffled": round(medians["ours"] / medians["unshuffled"], 2),
        "ours_over_memory_copy": round(medians["ours"] / medians["memory_copy"], 3),
    }


def format_table(summary):
    """Return the summary as a table for a terminal."""
    per_cpu = summary["frames_per_cpu_second"]
    labels = {
        "ours": "ours",
        "from_generator": "per-frame from_generator",
        "unshuffled": "the same, unshuffled",
        "memory_copy": "memory-copy limit",
    }
    lines = [f"{'':26}{'frames/CPU s':>14}{'lowest - highest':>24}{'frames/s':>12}{'ours is':>10}"]
    for name, label in labels.items():
        low, high = summary["lowest_and_highest"][name]
        lines.append(
            f"{label:26}{per_cpu[name]:>14,}{f'{low:,} - {high:,}':>24}{summary['frames_per_second'][name]:>12,}"
            f"{per_cpu['ours'] / per_cpu[name]:>9.{1 if name != 'memory_copy' else 2}f}x"
        )
    return "\n".join(lines)


def benchmark(args):
    """Measure and print what the parsed options ask for."""
    size = QUICK if args.quick else FULL
    if args.repeats:
        size = dataclasses.replace(size, repeats=args.repeats)
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
    parser.add_argument("--quick", action="store_true", help="less data and fewer batches: under a minute")
    parser.add_argument("--store", metavar="DIR", help="a store made by pretraining.prepare; default: synthetic")
    parser.add_argument("--frame-size", type=positive_int, default=4096, help="samples in a frame")
    parser.add_argument("--batch-size", type=positive_int, default=512, help="frames in a batch")
    parser.add_argument("--samples-per-patient", type=positive_int, default=4096, help="frames of a patient in a pass")
    parser.add_argument("--repeats", type=positive_int, help="times that everything is measured; default: 5")
    return parser


def main(argv=None):
    """Run the benchmark; return its exit status."""
    return run(benchmark, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

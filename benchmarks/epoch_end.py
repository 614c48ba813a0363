"""How long an epoch takes beyond its training steps: `python benchmarks/epoch_end.py`."""

import dataclasses
import json
import statistics
import sys
import time

from transplant.training.command_line import make_parser, run

DESCRIPTION = """\
Wall seconds of an epoch whose batches come from a tf.data pipeline of the
trainers' form (a Python function, two parallel calls, two batches ahead), while
every step computes for a set time:

  ours        the pipeline without TensorFlow's autotuner
  autotuned   the same as TensorFlow runs it by default

The end of an autotuned iterator may wait for the autotuner, which sleeps 10 ms,
20, 40 and so on. It does so more often where cores are few: `taskset -c 0`
before the command shows it. The table shows every epoch's wait, its seconds
beyond the steps."""


@dataclasses.dataclass(frozen=True)
class Size:
    """How much a run does.

    Attributes:
        repeats: epochs of each pipeline, one after the other.
        steps: steps of an epoch.
        step_s: seconds that a step computes.
    """

    repeats: int
    steps: int
    step_s: float


FULL = Size(repeats=7, steps=8, step_s=0.75)
QUICK = Size(repeats=3, steps=8, step_s=0.2)
WAYS = ("ours", "autotuned")


def pipeline(way, steps):
    """Return an epoch's `tf.data.Dataset` of small batches."""
    import numpy as np
    import tensorflow as tf

    from transplant.training.pipelines import without_autotune

    def load(number):
        return np.full((16, 64), number, np.float32)

    numbers = tf.data.Dataset.range(steps)
    batches = numbers.map(lambda number: tf.py_function(load, [number], tf.float32), num_parallel_calls=2).prefetch(2)
    return without_autotune(batches) if way == "ours" else batches


def wait_of_epoch(batches, step_s):
    """Return the seconds that an epoch takes beyond its steps, its iterator's end included."""
    import tensorflow as tf

    x = tf.random.normal((512, 512))
    began, busy = time.perf_counter(), 0.0
    for _ in batches:
        step = time.perf_counter()
        while time.perf_counter() - step < step_s:
            tf.matmul(x, x).numpy()
        busy += time.perf_counter() - step
    return time.perf_counter() - began - busy


def measure_all(size):
    """Return dict way -> seconds beyond the steps, of each repeat."""
    for way in WAYS:
        wait_of_epoch(pipeline(way, 1), 0.0)  # a run that does not count
    waits = {way: [] for way in WAYS}
    for _ in range(size.repeats):
        for way in WAYS:
            waits[way].append(wait_of_epoch(pipeline(way, size.steps), size.step_s))
    return waits


def summarize(waits, size):
    """Return means and ratio of whole epochs as a JSON-ready dict."""
    steps_s = size.steps * size.step_s
    epochs = {way: statistics.mean(values) + steps_s for way, values in waits.items()}
    return {
        "wait_s": {way: [round(value, 3) for value in values] for way, values in waits.items()},
        "epoch_s": {way: round(value, 3) for way, value in epochs.items()},
        "autotuned_over_ours": round(epochs["autotuned"] / epochs["ours"], 2),
    }


def benchmark(args):
    """Measure and print what the parsed options ask for."""
    from transplant.training.quiet_start import start_tensorflow

    start_tensorflow()
    import tensorflow as tf

    size = QUICK if args.quick else FULL
    print(f"epochs of {size.steps} steps of {size.step_s} s; {size.repeats} interleaved repeats")
    summary = summarize(measure_all(size), size)
    for way in WAYS:
        waits = ", ".join(f"{value:.2f}" for value in summary["wait_s"][way])
        print(f"{way:10} mean epoch {summary['epoch_s'][way]:6.2f} s; beyond the steps {waits} s")
    print(f"an autotuned epoch takes {summary['autotuned_over_ours']:.2f}x ours")
    settings = {"tensorflow": tf.__version__, **dataclasses.asdict(size)}
    print(json.dumps({"benchmark": "epoch_end", **summary, "settings": settings}))


def build_parser():
    """Return the parser of this command."""
    parser = make_parser("python benchmarks/epoch_end.py", DESCRIPTION)
    parser.add_argument("--quick", action="store_true", help="three short epochs of each")
    return parser


if __name__ == "__main__":
    sys.exit(run(benchmark, build_parser().parse_args()))

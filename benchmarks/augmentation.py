"""How fast training records are augmented: `python benchmarks/augmentation.py`."""

import json
import math
import os
import sys

from speeds import Size, add_size_flags, median_speeds, ratio_rows, size_of, speed_table, summarize_speeds, timed

from transplant.training.command_line import make_parser, positive_int, run

DESCRIPTION = """\
Records per CPU second (all threads of the process) that come out augmented, in
batches, with every transform at its default probability and strength:

  ours       transplant.augmentation in a tf.data graph, on whole batches
  generator  one record after the other with numpy and scipy in a Python generator,
             given to tf.data.Dataset.from_generator and batched there: the usual pattern
  numpy      the same functions in a loop, stacked into batches, without tf.data

The three draw from the same distributions, not the same numbers. Each repeat
measures everything, one after the other; the table shows medians."""

RATE = 250.0
LABELS = {"ours": "ours, in the graph", "generator": "numpy a record, from_generator", "numpy": "numpy a record, alone"}


FULL = Size(repeats=5, at_least_s=2.0)
QUICK = Size(repeats=3, at_least_s=0.5)


def resample(signal, settings, rng):
    """Stretch by straight lines."""
    import numpy as np

    low, high = settings.factors
    factor = low * (high / low) ** rng.random()
    from_end = np.arange(math.floor((len(signal) - 1) * factor) + 1)[::-1] / factor
    at = len(signal) - 1 - from_end
    return np.stack([np.interp(at, np.arange(len(signal)), lead) for lead in signal.T], axis=1)


def crop(signal, settings, rng):
    """Keep a stretch."""
    kept = min(max(int(rng.uniform(*settings.shares) * len(signal)), 1), len(signal) - 1)
    first = rng.integers(len(signal) - kept + 1)
    return signal[first : first + kept]


def shift(signal, settings, rng):
    """Drop the end."""
    low, high = (min(max(round(seconds * RATE), 1), len(signal) // 2) for seconds in settings.seconds)
    return signal[: -rng.integers(low, high + 1)]


def scale(signal, settings, rng):
    """Multiply by a factor."""
    low, high = settings.factors
    return signal * (low * (high / low) ** rng.random())


def flip(signal, settings, rng):
    """Change the sign."""
    return -signal


def noise(signal, settings, rng):
    """Add coloured noise."""
    import numpy as np
    import scipy.fft

    bins = len(signal) // 2 + 1
    spectrum = rng.standard_normal((bins, signal.shape[1], 2)).view(np.complex128)[..., 0]
    spectrum[0] = 0
    spectrum[1:] *= np.arange(1, bins)[:, None] ** (-0.5 * rng.uniform(*settings.exponents))
    added = scipy.fft.irfft(spectrum, len(signal), axis=0)
    ratio = 10 ** (-rng.uniform(*settings.snr_db) / 20)
    return signal + ratio * signal.std(axis=0) / added.std(axis=0) * added


def wander(signal, settings, rng):
    """Add three slow sines."""
    import numpy as np

    frequency, phase = rng.uniform(*settings.hertz, 3), rng.random(3)
    sines = np.sin(2 * np.pi * (np.arange(len(signal))[:, None] / RATE * frequency + phase))
    share = rng.random((3, signal.shape[1]))
    share *= rng.uniform(*settings.amplitudes, signal.shape[1]) * signal.std(axis=0) / share.sum(axis=0)
    return signal + sines @ share


def mains(signal, settings, rng):
    """Add hum."""
    import numpy as np

    angle = 2 * np.pi * (rng.choice(settings.hertz) / RATE * np.arange(len(signal)) + rng.random())
    amplitude = rng.uniform(*settings.amplitudes, signal.shape[1]) * signal.std(axis=0)
    return signal + np.sin(angle)[:, None] * amplitude


def cutout(signal, settings, rng):
    """Set a span to 0."""
    low, high = (min(max(round(seconds * RATE), 1), len(signal) // 2) for seconds in settings.seconds)
    span = rng.integers(low, high + 1)
    first = rng.integers(1, len(signal) - span + 1)
    signal = signal.copy()
    signal[first : first + span] = 0
    return signal


ONE_BY_ONE = {
    function.__name__: function for function in (resample, crop, shift, scale, flip, noise, wander, mains, cutout)
}


def augment_record(record, length, augmentation, rng):
    """Return float32 (time, leads): one left-padded record, augmented with numpy and scipy.

    Args:
        record: float32 (time, leads).
        length: valid samples at its end.
        augmentation: `Augmentation` whose settings are taken.
        rng: `np.random.Generator`.
    """
    import numpy as np

    signal = record[-length:]
    for transform in augmentation.transforms:
        if rng.random() < transform.probability:
            signal = ONE_BY_ONE[transform.name](signal, transform, rng)
    out = np.zeros_like(record)
    kept = signal[-len(record) :]
    out[-len(kept) :] = kept
    return out


def ways(augmentation, records, lengths):
    """Return dict way -> function that yields the records once, augmented, in one batch.

    Args:
        augmentation: `Augmentation`.
        records: float32 (records, time, leads), padded on the left.
        lengths: int32 (records,).
    """
    import numpy as np
    import tensorflow as tf

    x, valid = tf.constant(records), tf.constant(lengths)

    def from_graph(number):
        return augmentation(x, valid, RATE, 0, 0, number)[0]

    rng = np.random.default_rng(0)

    def one_by_one():
        for record, length in zip(records, lengths):
            yield augment_record(record, length, augmentation, rng)

    def endless():
        while True:
            yield from one_by_one()

    specification = tf.TensorSpec(records.shape[1:], tf.float32)
    # A data set that works ahead would do so while another way is measured.
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.inject_prefetch = False
    in_graph = tf.data.Dataset.range(2**40).map(from_graph)
    generated = tf.data.Dataset.from_generator(endless, output_signature=specification).batch(len(records))
    in_graph, generated = (iter(dataset.with_options(options)) for dataset in (in_graph, generated))
    return {
        "ours": lambda: next(in_graph).numpy(),
        "generator": lambda: next(generated).numpy(),
        "numpy": lambda: np.stack(list(one_by_one())),
    }


def measure_all(args, size):
    """Measure every way, `size.repeats` times.

    Returns:
        dict way -> list of (records per CPU second, records per second).
    """
    import numpy as np

    from transplant.augmentation.augmentation import Augmentation

    rng = np.random.default_rng(0)
    records = rng.normal(size=(args.batch_size, args.length, 1)).astype(np.float32)
    # Nine records in ten have 30 of the 32.8 s, the others as many as they like.
    lengths = np.where(rng.random(args.batch_size) < 0.9, 0.915, rng.uniform(0.3, 1.0, args.batch_size)) * args.length
    lengths = lengths.astype(np.int32)
    for record, length in zip(records, lengths):
        record[:-length] = 0
    work = ways(Augmentation.parse("all"), records, lengths)
    for function in work.values():
        function()  # a run that does not count
    speeds = {way: [] for way in LABELS}
    for _ in range(size.repeats):
        for way, function in work.items():
            speeds[way].append(timed(function, size.at_least_s, len(records)))
    return speeds


def summarize(speeds):
    """Return the medians and ratios of `measure_all` as a JSON-ready dict."""
    medians = median_speeds(speeds)
    return {
        **summarize_speeds(speeds, "records"),
        "ours_over_generator": round(medians["ours"] / medians["generator"], 2),
        "ours_over_numpy": round(medians["ours"] / medians["numpy"], 2),
    }


def format_table(summary):
    """Return the summary as a table for a terminal."""
    return speed_table([(summary, ratio_rows(summary, LABELS, "records"))], "records")


def benchmark(args):
    """Measure and print what the parsed options ask for."""
    from transplant.training.quiet_start import start_tensorflow

    start_tensorflow()
    import numpy as np
    import scipy
    import tensorflow as tf

    size = size_of(args, FULL, QUICK)
    print(
        f"records of {args.length} samples of one lead, batch {args.batch_size}; "
        f"median of {size.repeats} interleaved repeats"
    )
    summary = summarize(measure_all(args, size))
    print(format_table(summary))
    settings = {
        "length": args.length,
        "batch_size": args.batch_size,
        "repeats": size.repeats,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "cpus": os.cpu_count(),
    }
    print(json.dumps({"benchmark": "augmentation", **summary, **settings}))


def build_parser():
    """Return the parser of this benchmark."""
    parser = make_parser("python benchmarks/augmentation.py", DESCRIPTION)
    add_size_flags(parser, FULL, QUICK, "shorter measurements: some ten seconds")
    parser.add_argument("--length", type=positive_int, default=8192, help="samples in a record, padding included")
    parser.add_argument("--batch-size", type=positive_int, default=32, help="records in a batch")
    return parser


def main(argv=None):
    """Run the benchmark; return its exit status."""
    return run(benchmark, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

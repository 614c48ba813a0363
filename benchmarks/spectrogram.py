"""How fast frames become spectrograms: `python benchmarks/spectrogram.py`."""

import json
import os
import sys

from speeds import Size, add_size_flags, median_speeds, ratio_rows, size_of, speed_table, summarize_speeds, timed

from transplant.training.command_line import make_parser, positive_int, run

DESCRIPTION = """\
Frames per CPU second (all threads of the process) that become spectrograms of
each preset, in three ways that give the same numbers:

  ours           the layer transplant.modules.spectrogram.Spectrogram in a
                 TensorFlow graph, on batches of frames
  ShortTimeFFT   scipy.signal.ShortTimeFFT called once a frame, the pattern of a
                 generator of frames; the object is made before the clock starts
  stft           scipy.signal.stft called once a frame: the older function, which
                 scipy calls legacy, and the fastest way that scipy has

Each repeat measures everything, one after the other; the table shows medians."""

WINDOW = 256
LABELS = {"ours": "ours, in the graph", "short_time_fft": "scipy ShortTimeFFT a frame", "stft": "scipy stft a frame"}


FULL = Size(repeats=5, at_least_s=2.0)
QUICK = Size(repeats=5, at_least_s=0.3)


def ways(settings, frames):
    """Return dict way -> function that turns all frames into float32 (frames, frequency, slice, leads).

    Args:
        settings: `SpectrogramSettings`.
        frames: float32 (frames, time, 1).
    """
    import numpy as np
    import scipy.signal
    import tensorflow as tf

    from transplant.modules.spectrogram import Spectrogram

    in_memory = tf.constant(frames)
    layer = tf.function(Spectrogram(settings.hop, settings.bins))
    transform = scipy.signal.ShortTimeFFT(scipy.signal.get_window("hann", WINDOW), settings.hop, fs=250.0)
    columns = settings.shape(frames.shape[1])[1]

    def short_time_fft(frame):
        values = np.abs(transform.stft(frame[:, 0], p0=0, p1=columns, k_offset=0))
        return values[1 : settings.bins + 1, :, None].astype(np.float32)

    def stft(frame):
        values = scipy.signal.stft(frame[:, 0], nperseg=WINDOW, noverlap=WINDOW - settings.hop)[2]
        # It divides by the window's sum, and its last column stands behind the frame.
        return np.abs(values[1 : settings.bins + 1, :columns, None]) * np.float32(WINDOW / 2)

    return {
        "ours": lambda: layer(in_memory).numpy(),
        "short_time_fft": lambda: [short_time_fft(frame) for frame in frames],
        "stft": lambda: [stft(frame) for frame in frames],
    }


def measure_all(args, size):
    """Measure every preset in every way, `size.repeats` times.

    Returns:
        dict preset -> dict way -> list of (frames per CPU second, frames per second).
    """
    import numpy as np

    from transplant.signals.spectrogram import PRESETS, SpectrogramSettings

    signals = np.random.default_rng(0).normal(size=(args.batch_size, args.frame_size, 1)).astype(np.float32)
    # scipy is called frame by frame, so a few of them tell its speed; the batch is what fills ours.
    few = signals[: min(args.batch_size, 32)]
    work = {}
    for preset in PRESETS:
        in_batches, one_by_one = (ways(SpectrogramSettings(preset), part) for part in (signals, few))
        work[preset] = {way: (in_batches if way == "ours" else one_by_one)[way] for way in LABELS}
        for function in work[preset].values():
            function()  # a run that does not count
    speeds = {preset: {way: [] for way in LABELS} for preset in PRESETS}
    for _ in range(size.repeats):
        for preset, functions in work.items():
            for way, function in functions.items():
                frames = len(signals) if way == "ours" else len(few)
                speeds[preset][way].append(timed(function, size.at_least_s, frames))
    return speeds


def summarize(speeds):
    """Return the medians and ratios of `measure_all` as a JSON-ready dict."""
    summary = {}
    for preset, ways_of_it in speeds.items():
        medians = median_speeds(ways_of_it)
        summary[preset] = {
            **summarize_speeds(ways_of_it),
            "ours_over_short_time_fft": round(medians["ours"] / medians["short_time_fft"], 2),
            "ours_over_stft": round(medians["ours"] / medians["stft"], 2),
        }
    return summary


def format_table(summary):
    """Return the summary as a table for a terminal."""
    parts = []
    for preset, values in summary.items():
        labels = {way: f"{preset}: {label}" for way, label in LABELS.items()}
        parts.append((values, ratio_rows(values, labels)))
    return speed_table(parts)


def benchmark(args):
    """Measure and print what the parsed options ask for."""
    from transplant.training.quiet_start import start_tensorflow

    start_tensorflow()
    import scipy
    import tensorflow as tf

    size = size_of(args, FULL, QUICK)
    print(
        f"{args.frame_size}-sample frames of one lead, batch {args.batch_size}; "
        f"median of {size.repeats} interleaved repeats"
    )
    summary = summarize(measure_all(args, size))
    print(format_table(summary))
    settings = {
        "frame_size": args.frame_size,
        "batch_size": args.batch_size,
        "repeats": size.repeats,
        "tensorflow": tf.__version__,
        "scipy": scipy.__version__,
        "cpus": os.cpu_count(),
    }
    print(json.dumps({"benchmark": "spectrogram", **summary, **settings}))


def build_parser():
    """Return the parser of this benchmark."""
    parser = make_parser("python benchmarks/spectrogram.py", DESCRIPTION)
    add_size_flags(parser, FULL, QUICK, "shorter measurements: some ten seconds")
    parser.add_argument("--frame-size", type=positive_int, default=4096, help="samples in a frame")
    parser.add_argument("--batch-size", type=positive_int, default=128, help="frames in a batch")
    return parser


def main(argv=None):
    """Run the benchmark; return its exit status."""
    return run(benchmark, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

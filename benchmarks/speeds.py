"""How the benchmarks measure, and what they say of their measurements."""

import dataclasses
import statistics
import time

from transplant.training.command_line import positive_int


@dataclasses.dataclass(frozen=True)
class Size:
    """How much a run does.

    Attributes:
        repeats: times that everything is measured.
        at_least_s: CPU seconds of one measurement.
    """

    repeats: int
    at_least_s: float


def add_size_flags(parser, full, quick, is_quick):
    """Add `--quick` and `--repeats` to a benchmark's parser.

    Args:
        parser: of the benchmark.
        full, quick: the benchmark's sizes.
        is_quick: what a quick run is, for the help.
    """
    parser.add_argument("--quick", action="store_true", help=is_quick)
    parser.add_argument(
        "--repeats",
        type=positive_int,
        metavar="N",
        help=f"times that everything is measured; default: {full.repeats}, quick: {quick.repeats}",
    )


def size_of(args, full, quick):
    """Return the size that the options of `add_size_flags` ask for: a dataclass with `repeats`.

    Args:
        args: parsed options.
        full, quick: the benchmark's sizes.
    """
    size = quick if args.quick else full
    return dataclasses.replace(size, repeats=args.repeats) if args.repeats else size


def timed(work, at_least_s, count=1):
    """Call `work` until so many CPU seconds of all threads are spent.

    Args:
        work: function without arguments.
        at_least_s: CPU seconds.
        count: what one call does, such as a number of frames. Defaults to 1, the call itself.

    Returns:
        What was done per CPU second, and per second.
    """
    calls, cpu, wall = 0, time.process_time(), time.perf_counter()
    while time.process_time() - cpu < at_least_s:
        work()
        calls += 1
    return calls * count / (time.process_time() - cpu), calls * count / (time.perf_counter() - wall)


def median_speeds(speeds):
    """Return the medians by which rows are compared: dict name -> what is done per CPU second.

    Args:
        speeds: dict name -> list of (done per CPU second, done per second).
    """
    return {name: statistics.median(cpu for cpu, _ in values) for name, values in speeds.items()}


def summarize_speeds(speeds, unit="frames"):
    """Return the medians and the range of every row as a JSON-ready dict.

    Args:
        speeds: as for `median_speeds`.
        unit: what is counted, in the names of the entries.
    """
    return {
        f"{unit}_per_cpu_second": {name: round(value) for name, value in median_speeds(speeds).items()},
        "lowest_and_highest": {name: [round(min(v)[0]), round(max(v)[0])] for name, v in speeds.items()},
        f"{unit}_per_second": {
            name: round(statistics.median(wall for _, wall in values)) for name, values in speeds.items()
        },
    }


def speed_table(parts, unit="frames", last="ours is"):
    """Return a table for a terminal.

    Args:
        parts: list of (summary of `summarize_speeds`, rows); rows are a list of
            (name, label, what stands at the end: the ratio).
        unit: as for `summarize_speeds`.
        last: heading of the ratios.
    """
    lines = [f"{'':34}{f'{unit}/CPU s':>14}{'lowest - highest':>24}{f'{unit}/s':>12}{last:>10}"]
    for summary, rows in parts:
        for name, label, ratio in rows:
            low, high = summary["lowest_and_highest"][name]
            lines.append(
                f"{label:34}{summary[f'{unit}_per_cpu_second'][name]:>14,}{f'{low:,} - {high:,}':>24}"
                f"{summary[f'{unit}_per_second'][name]:>12,}{ratio:>10}"
            )
    return "\n".join(lines)


def ratio_rows(summary, labels, unit="frames"):
    """Return rows of `speed_table` whose ratio is that of the row "ours" to each.

    Args:
        summary: of `summarize_speeds`.
        labels: dict name -> label.
        unit: as for `summarize_speeds`.
    """
    per_cpu = summary[f"{unit}_per_cpu_second"]
    return [(name, label, f"{per_cpu['ours'] / per_cpu[name]:.1f}x") for name, label in labels.items()]

"""How the benchmarks measure, and what they say of their measurements."""

import statistics
import time


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

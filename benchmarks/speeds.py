"""What the stream benchmarks say of their measurements."""

import statistics


def median_speeds(speeds):
    """Return the medians by which rows are compared: dict name -> frames per CPU second.

    Args:
        speeds: dict name -> list of (frames per CPU second, frames per second).
    """
    return {name: statistics.median(cpu for cpu, _ in values) for name, values in speeds.items()}


def summarize_speeds(speeds):
    """Return the medians and the range of every row as a JSON-ready dict; the argument is that of `median_speeds`."""
    return {
        "frames_per_cpu_second": {name: round(value) for name, value in median_speeds(speeds).items()},
        "lowest_and_highest": {name: [round(min(v)[0]), round(max(v)[0])] for name, v in speeds.items()},
        "frames_per_second": {
            name: round(statistics.median(wall for _, wall in values)) for name, values in speeds.items()
        },
    }

"""Steps that are measured in several ways: how, and what is said of them."""

import json
import os
import sys

from speeds import median_speeds, timed


def in_mode(step, way):
    """Return a step as it is taken in a graph, or eagerly.

    Args:
        step: function without arguments.
        way: "eager", or another name for the graph.
    """
    import tensorflow as tf

    def work():
        tf.config.run_functions_eagerly(way == "eager")
        step()

    return work


def measure_all(size, work):
    """Measure every step in every way, `size.repeats` times.

    Returns:
        dict step -> dict way -> list of (steps per CPU second, steps per second).
    """
    speeds = {step: {way: [] for way in functions} for step, functions in work.items()}
    for functions in work.values():
        for function in functions.values():
            function()  # a run that does not count: graphs are traced
    for _ in range(size.repeats):
        for step, functions in work.items():
            for way, function in functions.items():
                speeds[step][way].append(timed(function, size.at_least_s))
    return speeds


def summarize(speeds):
    """Return medians, ranges and ratios of CPU milliseconds as a JSON-ready dict."""
    summary = {}
    for step, ways_of_it in speeds.items():
        cpu_ms = {way: round(1000 / speed, 1) for way, speed in median_speeds(ways_of_it).items()}
        summary[step] = {
            "cpu_ms": cpu_ms,
            "lowest_and_highest": {
                way: sorted(round(1000 / speed, 1) for speed in (max(v)[0], min(v)[0])) for way, v in ways_of_it.items()
            },
            "ours_over": {way: round(cpu_ms["ours"] / value, 2) for way, value in cpu_ms.items() if way != "ours"},
        }
    return summary


def format_table(summary):
    """Return the summary as a table for a terminal."""
    lines = [f"{'':24}{'CPU ms a step':>14}{'lowest - highest':>24}{'ours takes':>12}"]
    for step, values in summary.items():
        for way, cpu_ms in values["cpu_ms"].items():
            low, high = values["lowest_and_highest"][way]
            ratio = f"{values['ours_over'][way]:.2f}x" if way in values["ours_over"] else ""
            lines.append(f"{f'{step}: {way}':24}{cpu_ms:>14,.1f}{f'{low:,.1f} - {high:,.1f}':>24}{ratio:>12}")
    return "\n".join(lines)


def run_benchmark(name, ways, size):
    """Measure every way of every step and print the table and, as the last line, everything as JSON.

    Args:
        name: of the benchmark.
        ways: function that returns dict step -> dict way -> function that takes one step.
        size: `Size`.
    """
    from transplant.training.quiet_start import start_tensorflow

    start_tensorflow()
    import tensorflow as tf

    print(f"median of {size.repeats} interleaved repeat{'s' if size.repeats > 1 else ''}")
    work = ways()
    versions = {"tensorflow": tf.__version__, "cpus": os.cpu_count(), "repeats": size.repeats}
    if any("torch" in of_step for of_step in work.values()):
        versions["torch"] = sys.modules["torch"].__version__
    else:
        print("PyTorch is not installed: no comparison with it (pip install torch)")
    summary = summarize(measure_all(size, work))
    print(format_table(summary))
    print(json.dumps({"benchmark": name, **summary, **versions}))

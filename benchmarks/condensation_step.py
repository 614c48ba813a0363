"""How fast a step of dataset distillation is: `python benchmarks/condensation_step.py`."""

import dataclasses
import importlib.util
import json
import os
import sys

from speeds import Size, add_size_flags, median_speeds, size_of, timed

from transplant.training.command_line import make_parser, run

DESCRIPTION = """\
CPU milliseconds (all threads of the process) of the two steps that are
differentiated twice:

  matching  one class's step of gradient matching: ConvNet of 128 filters, 256
            real and 10 synthetic images of 28 x 28
  vanilla   one step of vanilla distillation: 16 fresh LeNets, 100 synthetic
            images in one descent, 1,024 real ones

ours is the package's method in a tf.function; eager the same without; torch
PyTorch as the public codes have it, where it is installed. Each repeat measures
everything, one after the other; the table shows medians."""

FULL = Size(repeats=5, at_least_s=10.0)
QUICK = Size(repeats=1, at_least_s=0.5)
CLASSES, REAL, PER_CLASS, NETWORKS, VANILLA_REAL = 10, 256, 10, 16, 1024


def ways(width=128, networks=NETWORKS, real=REAL):
    """Return dict step -> dict way -> function that takes one step.

    Args:
        width: filters of the ConvNet. Defaults to 128.
        networks: of a vanilla step. Defaults to 16.
        real: real images of a class in a matching step. Defaults to 256.
    """
    import numpy as np
    import tensorflow as tf

    from distillation.condensation.constraints import Constraint
    from distillation.condensation.gradient_matching import GradientMatching
    from distillation.condensation.methods import settle_options
    from distillation.condensation.networks import build_network
    from distillation.condensation.real_examples import RealExamples
    from distillation.condensation.synthetic_set import SyntheticSet
    from distillation.condensation.vanilla import VanillaDistillation

    rng = np.random.default_rng(0)
    y = np.arange(CLASSES * max(real, 103)) % CLASSES
    examples = RealExamples(rng.normal(size=(len(y), 28, 28, 1)).astype(np.float32), y, CLASSES)
    found = {"matching": {}, "vanilla": {}}
    for way in ("ours", "eager"):
        tf.config.run_functions_eagerly(way == "eager")
        options = dataclasses.replace(
            settle_options("dc", {"ipc": PER_CLASS, "real_batch": real}), scheme="uniform", outer_loops=1
        )
        synthetic = SyntheticSet.begin(examples, PER_CLASS, "noise", 1)
        model = build_network("convnet3", (28, 28, 1), CLASSES, width)
        found["matching"][way] = _matching(
            GradientMatching(examples, synthetic, model, Constraint.none(), options), examples, real
        )
        options = settle_options(
            "vanilla", {"ipc": PER_CLASS, "distill_steps": 1, "distill_epochs": 1, "networks": networks}
        )
        options = dataclasses.replace(options, scheme="xavier", real_batch=VANILLA_REAL)
        synthetic = SyntheticSet.begin(examples, PER_CLASS, "noise", 1)
        model = build_network("lenet", (28, 28, 1), CLASSES)
        vanilla = VanillaDistillation(examples, synthetic, model, Constraint.none(), options)
        found["vanilla"][way] = _in_mode(lambda vanilla=vanilla: vanilla.step(1), way)
    tf.config.run_functions_eagerly(False)
    if importlib.util.find_spec("torch"):
        from condensation_torch import matching_step, vanilla_step

        images = rng.normal(size=(CLASSES * PER_CLASS, 28, 28, 1)).astype(np.float32)
        found["matching"]["torch"] = matching_step(examples.x[:real], images[:PER_CLASS], 0)
        found["vanilla"]["torch"] = vanilla_step(
            examples.x[:VANILLA_REAL], y[:VANILLA_REAL], images, np.arange(len(images)) % CLASSES, networks
        )
    return found


def _in_mode(step, way):
    """Return the step in a graph, or eagerly."""
    import tensorflow as tf

    def work():
        tf.config.run_functions_eagerly(way == "eager")
        step()

    return work


def _matching(method, examples, real):
    """Return a function that takes the step of one class, with the update of the images."""
    import numpy as np
    import tensorflow as tf

    from distillation.condensation.siamese_augmentation import NO_AUGMENTATION

    batch = tf.constant(examples.class_batch(0, real, np.random.default_rng(0)))
    choice, draws = NO_AUGMENTATION.draw(None)
    way = "eager" if tf.config.functions_run_eagerly() else "ours"

    def step():
        _, gradients = method.class_gradients(batch, tf.constant(0), choice, draws)
        method.optimizer.apply(gradients, method.learned)

    return _in_mode(step, way)


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


def benchmark(args):
    """Measure and print what the parsed options ask for."""
    from transplant.training.quiet_start import start_tensorflow

    start_tensorflow()
    import tensorflow as tf

    size = size_of(args, FULL, QUICK)
    print(f"median of {size.repeats} interleaved repeat{'s' if size.repeats > 1 else ''}")
    work = ways()
    if "torch" not in work["matching"]:
        print("PyTorch is not installed: no comparison with it (pip install torch)")
    summary = summarize(measure_all(size, work))
    print(format_table(summary))
    versions = {"tensorflow": tf.__version__, "cpus": os.cpu_count(), "repeats": size.repeats}
    if "torch" in work["matching"]:
        import torch

        versions["torch"] = torch.__version__
    print(json.dumps({"benchmark": "condensation_step", **summary, **versions}))


def build_parser():
    """Return the parser of this benchmark."""
    parser = make_parser("python benchmarks/condensation_step.py", DESCRIPTION)
    add_size_flags(parser, FULL, QUICK, "one short measurement: about a minute")
    return parser


def main(argv=None):
    """Run the benchmark; return its exit status."""
    return run(benchmark, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

"""How fast a step of dataset distillation is: `python benchmarks/condensation_step.py`."""

import dataclasses
import importlib.util
import sys

from speeds import Size, add_size_flags, size_of
from steps import in_mode, run_benchmark

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
    from distillation.condensation.twice_differentiable import GRAPH
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
        model = build_network("convnet3", (28, 28, 1), CLASSES, width, GRAPH)
        found["matching"][way] = _matching(
            GradientMatching(examples, synthetic, model, Constraint.none(), options), examples, real
        )
        options = settle_options(
            "vanilla", {"ipc": PER_CLASS, "distill_steps": 1, "distill_epochs": 1, "networks": networks}
        )
        options = dataclasses.replace(options, scheme="xavier", real_batch=VANILLA_REAL)
        synthetic = SyntheticSet.begin(examples, PER_CLASS, "noise", 1)
        model = build_network("lenet", (28, 28, 1), CLASSES, compiler=GRAPH)
        vanilla = VanillaDistillation(examples, synthetic, model, Constraint.none(), options)
        found["vanilla"][way] = in_mode(_as_in_a_run(lambda vanilla=vanilla: vanilla.step(1)), way)
    tf.config.run_functions_eagerly(False)
    if importlib.util.find_spec("torch"):
        from condensation_torch import matching_step, vanilla_step

        images = rng.normal(size=(CLASSES * PER_CLASS, 28, 28, 1)).astype(np.float32)
        found["matching"]["torch"] = matching_step(examples.x[:real], images[:PER_CLASS], 0)
        found["vanilla"]["torch"] = vanilla_step(
            examples.x[:VANILLA_REAL], y[:VANILLA_REAL], images, np.arange(len(images)) % CLASSES, networks
        )
    return found


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

    return in_mode(_as_in_a_run(step), way)


def _as_in_a_run(step):
    """Return a step that runs as a distillation runs it."""
    from transplant.training.repeatable_graphs import graphs_as_traced

    def work():
        with graphs_as_traced():
            step()

    return work


def benchmark(args):
    """Measure and print what the parsed options ask for."""
    run_benchmark("condensation_step", ways, size_of(args, FULL, QUICK))


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

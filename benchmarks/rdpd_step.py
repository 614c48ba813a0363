"""How fast a training step of RDPD is: `python benchmarks/rdpd_step.py`."""

import importlib.util
import sys

from speeds import Size, add_size_flags, size_of
from steps import in_mode, run_benchmark

from transplant.training.command_line import make_parser, run

DESCRIPTION = """\
CPU milliseconds (all threads of the process) of a training step at the sizes
of Hong et al. (2019) for PTBDB, 128 records of 10 s at 200 Hz:

  teacher  15 leads, two convolutions of 64 and 128 filters, LSTM of 32 each way
  student  1 lead, 16 and 32 filters, LSTM of 8 each way; all terms of RDPD, the
           teacher's outputs cached

ours is the trainer's step in a graph; eager the same without; torch PyTorch as
its public code has it, where it is installed. Each repeat measures everything,
one after the other; the table shows medians."""

FULL = Size(repeats=5, at_least_s=10.0)
QUICK = Size(repeats=1, at_least_s=0.5)
BATCH, SAMPLES, SEGMENT, CLASSES, TEMPERATURE = 128, 2000, 500, 6, 5.0
# Channels, filters and units of each.
NETWORKS = {"teacher": (15, 64, 32), "student": (1, 16, 8)}


def ways(batch=BATCH):
    """Return dict step -> dict way -> function that takes one step.

    Args:
        batch: records. Defaults to 128.
    """
    import keras
    import numpy as np
    import tensorflow as tf

    from distillation.rdpd.imitation import LABELS, TEACHER_ATTENTION, TEACHER_LOGITS, build_imitation
    from distillation.rdpd.methods import METHODS
    from transplant.modules.segment_rnn import SegmentRnnSize, build_segment_rnn
    from transplant.training.step import make_step

    rng = np.random.default_rng(0)
    found = {}
    for name, (channels, filters, hidden) in NETWORKS.items():
        x = rng.normal(size=(batch, SAMPLES, channels)).astype(np.float32)
        attention = rng.dirichlet(np.ones(SAMPLES // SEGMENT), batch).astype(np.float32)
        logits = rng.normal(size=(batch, CLASSES)).astype(np.float32)
        targets = {LABELS: rng.integers(CLASSES, size=batch).astype(np.int32)}
        if name == "student":
            targets |= {TEACHER_LOGITS: logits, TEACHER_ATTENTION: attention}
        batch_of = tf.constant(x), {key: tf.constant(value) for key, value in targets.items()}
        found[name] = {}
        for way in ("ours", "eager"):
            network = build_segment_rnn(
                (SAMPLES, channels), CLASSES, SegmentRnnSize(SEGMENT, filters, 32, 8, hidden, 2)
            )
            terms = METHODS["rdpd" if name == "student" else "direct"]
            model = build_imitation(
                network, terms, TEMPERATURE, hard_temperature=TEMPERATURE if name == "teacher" else 1
            )
            model.compile(keras.optimizers.Adam(1e-3))
            model.optimizer.build(model.trainable_variables)
            spec = tf.nest.map_structure(tf.TensorSpec.from_tensor, batch_of)
            step = make_step(model, spec) if way == "ours" else model.train_step
            found[name][way] = in_mode(lambda step=step, batch_of=batch_of: step(batch_of), way)
        if importlib.util.find_spec("torch"):
            from rdpd_torch import training_step

            imitated = (logits, attention) if name == "student" else None
            found[name]["torch"] = training_step(x, targets[LABELS], imitated, filters, hidden, SEGMENT, TEMPERATURE)
    tf.config.run_functions_eagerly(False)
    return found


def benchmark(args):
    """Measure and print what the parsed options ask for."""
    run_benchmark("rdpd_step", ways, size_of(args, FULL, QUICK))


def build_parser():
    """Return the parser of this benchmark."""
    parser = make_parser("python benchmarks/rdpd_step.py", DESCRIPTION)
    add_size_flags(parser, FULL, QUICK, "one short measurement: half a minute")
    return parser


def main(argv=None):
    """Run the benchmark; return its exit status."""
    return run(benchmark, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

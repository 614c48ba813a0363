"""What share of the machine's matrix-product rate a training step reaches: `python benchmarks/train_step.py`."""

import dataclasses
import itertools
import json
import os
import statistics
import sys

from speeds import timed

from transplant.training.command_line import make_parser, positive_int, run
from transplant.training.description import collect_versions

DESCRIPTION = """\
The beat model's training step as the trainers run it (forward,
gradients, Adam, accuracy) on a batch that is already in memory, beside one
large matrix product of the same dtype in the same process. Repeats of
everything are interleaved; the share is the median over the repeats of step
rate / matrix-product rate. Batch norm is Keras' own ("stock") or one kernel
("fused", transplant.modules.fused_batch_norm).

FLOPs: a multiply-add counts 2; a forward pass counts its convolutions and
matrix products; a training step is 3 forward passes (forward, gradient of the
inputs, gradient of the weights). Batch norm, ReLU and the optimizer count
nothing, so what they cost lowers the share. Rates are per CPU second of the
process (all threads), which a busy machine disturbs less than wall time."""

GEMM_SIZE = 4096
POLICIES = {"float32": "float32", "mixed_bfloat16": "bfloat16"}
BATCH_NORMS = ("stock", "fused")


@dataclasses.dataclass(frozen=True)
class Size:
    """How much a run does.

    Attributes:
        cases: (frame size in samples, batch size) pairs.
        samples_per_call: samples that one measured epoch trains on, at least; what
            an epoch costs besides its steps should be as small as it is in a long one.
        at_least_s: CPU seconds of one measurement.
        stages: first so many stages of the network; None for all.
    """

    cases: tuple
    samples_per_call: int
    at_least_s: float
    stages: int | None = None


FULL = Size(((2048, 32), (4096, 32), (4096, 128), (16384, 16)), 12 * 2048 * 32, 4.0)
QUICK = Size(((2048, 32),), 2 * 2048 * 32, 0.5)


def forward_flops(model, input_length):
    """Count the FLOPs of one input's forward pass, a multiply-add as 2.

    Args:
        model: a `keras.Model` of (batch, time, leads); nested models are counted.
        input_length: samples of the input.

    Returns:
        FLOPs of all Conv1D and Dense layers, an integer.
    """
    import keras

    layers = [layer for layer in model.layers if isinstance(layer, (keras.layers.Conv1D, keras.layers.Dense))]
    nested = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    signal = keras.KerasTensor((1, input_length, model.input_shape[-1]))
    flops = sum(forward_flops(inner, input_length) for inner in nested)
    if layers:
        outputs = keras.Model(model.inputs, [layer.output for layer in layers]).compute_output_spec(signal)
        for layer, output in zip(layers, outputs if isinstance(outputs, (list, tuple)) else [outputs]):
            multiply_adds_per_position = 1
            for size in layer.kernel.shape:
                multiply_adds_per_position *= size
            positions = output.shape[1] if isinstance(layer, keras.layers.Conv1D) else 1
            flops += 2 * multiply_adds_per_position * positions
    return flops


def build_gemm(dtype):
    """Return (work, GFLOP of one call) of a square matrix product."""
    import tensorflow as tf

    a, b = (tf.cast(tf.random.stateless_normal((GEMM_SIZE, GEMM_SIZE), seed=(0, i)), dtype) for i in range(2))
    product = tf.function(lambda x, y: tf.reduce_max(tf.matmul(x, y)))
    return lambda: product(a, b).numpy(), 2 * GEMM_SIZE**3 / 1e9


def build_step(frame_size, batch_size, policy, batch_norm, steps_per_call, stages=None):
    """Return (work, GFLOP of one call): so many training steps of the beat model."""
    import keras
    import numpy as np
    import tensorflow as tf

    from transplant.modules.classifier import build_classifier
    from transplant.training.step import make_step, train_epoch

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = build_classifier(
            "resnet18",
            n_classes=5,
            input_length=frame_size,
            stages=stages,
            seed=0,
            batch_norm=batch_norm,
        )
        model.compile(
            keras.optimizers.Adam(1e-3, beta_1=0.9, beta_2=0.98, epsilon=1e-9),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
    finally:
        keras.config.set_dtype_policy(before)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch_size, frame_size, 1)).astype(np.float32)
    y = rng.integers(0, 5, batch_size).astype(np.int32)
    batches = tf.data.Dataset.from_tensors((x, y)).repeat()
    step = make_step(model, batches.element_spec)
    gflop = 3 * forward_flops(model, frame_size) * batch_size / 1e9
    return (
        lambda: train_epoch(model, step, batches.take(steps_per_call)),
        gflop * steps_per_call,
    )


def measure(size, repeats):
    """Measure every case `repeats` times, interleaved with the matrix products.

    Returns:
        (gemm, rows): median GFLOP per CPU second by dtype, and one dict a case,
        policy and batch norm.
    """
    gemms = {dtype: build_gemm(dtype) for dtype in POLICIES.values()}
    steps, steps_per_call = {}, {}
    for (frame_size, batch_size), policy, batch_norm in itertools.product(size.cases, POLICIES, BATCH_NORMS):
        key = frame_size, batch_size, policy, batch_norm
        steps_per_call[key] = max(2, round(size.samples_per_call / (frame_size * batch_size)))
        steps[key] = build_step(*key, steps_per_call[key], size.stages)
    for work, _ in [*gemms.values(), *steps.values()]:
        work()

    samples = {key: [] for key in (*gemms, *steps)}
    for _ in range(repeats):
        for key, (work, gflop) in [*gemms.items(), *steps.items()]:
            samples[key].append([gflop * rate for rate in timed(work, size.at_least_s)])

    rows = []
    for key, (_, gflop_per_call) in steps.items():
        frame_size, batch_size, policy, batch_norm = key
        gflop_per_step = gflop_per_call / steps_per_call[key]
        shares = [step[0] / product[0] for step, product in zip(samples[key], samples[POLICIES[policy]])]
        rows.append(
            {
                "policy": policy,
                "batch_norm": batch_norm,
                "frame_size": frame_size,
                "batch_size": batch_size,
                "gflop_per_step": gflop_per_step,
                "gflop_per_cpu_s": _median(samples[key], 0),
                "gflop_per_wall_s": _median(samples[key], 1),
                "frames_per_cpu_s": _median(samples[key], 0) / gflop_per_step * batch_size,
                "share_of_gemm": statistics.median(shares),
                "share_lowest_and_highest": [min(shares), max(shares)],
            }
        )
    return {dtype: _median(samples[dtype], 0) for dtype in gemms}, rows


def _median(samples, column):
    return statistics.median(sample[column] for sample in samples)


def format_table(gemm, rows):
    """Return what was measured as a table for a terminal, rates in GFLOP per second."""
    lines = [
        f"matrix product {GEMM_SIZE} x {GEMM_SIZE}, {dtype}: {rate:.0f} GFLOP/CPU s" for dtype, rate in gemm.items()
    ]
    lines.append(
        f"{'policy':15}{'norm':>6}{'frame':>7}{'batch':>7}{'GFLOP/step':>12}{'GFLOP/CPU s':>13}{'GFLOP/s':>9}"
        f"{'frames/CPU s':>14}{'of the product':>16}{'lowest - highest':>18}"
    )
    for row in rows:
        low, high = row["share_lowest_and_highest"]
        lines.append(
            f"{row['policy']:15}{row['batch_norm']:>6}{row['frame_size']:>7}{row['batch_size']:>7}{row['gflop_per_step']:>12.1f}"
            f"{row['gflop_per_cpu_s']:>13.0f}{row['gflop_per_wall_s']:>9.0f}{row['frames_per_cpu_s']:>14.1f}"
            f"{row['share_of_gemm']:>16.0%}{f'{low:.0%} - {high:.0%}':>18}"
        )
    speed = {(row["policy"], row["batch_norm"]): row["frames_per_cpu_s"] for row in reversed(rows)}
    lines.append(
        "in the first case: "
        + ", ".join(
            f"{policy} with {norm} batch norm {value / speed['float32', 'stock']:.2f}x"
            for (policy, norm), value in reversed(speed.items())
        )
    )
    return "\n".join(lines)


def benchmark(args):
    """Measure and print what the parsed options ask for."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    load = os.getloadavg()[0]
    print(f"resnet18 beat model; median of {args.repeats} interleaved repeats; load average at the start {load:.1f}")
    gemm, rows = measure(QUICK if args.quick else FULL, args.repeats)
    print(format_table(gemm, rows))
    settings = {
        "quick": args.quick,
        "repeats": args.repeats,
        "cpus": os.cpu_count(),
        "load_average": load,
        "versions": collect_versions(),
    }
    print(json.dumps({"benchmark": "train_step", "gemm_gflop_per_cpu_s": gemm, "rows": rows, **settings}))


def build_parser():
    """Return the parser of this benchmark."""
    parser = make_parser("python benchmarks/train_step.py", DESCRIPTION)
    parser.add_argument("--quick", action="store_true", help="one case and short measurements: under a minute")
    parser.add_argument("--repeats", type=positive_int, default=5, help="times that everything is measured")
    return parser


def main(argv=None):
    """Run the benchmark; return its exit status."""
    return run(benchmark, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

"""How much of the machine's matrix-multiplication rate a training step reaches.

    python -m benchmarks.train_step            # about ten minutes on two cores
    python -m benchmarks.train_step --quick    # under a minute

Ours is the beat model's training step as the trainers run it (`model.fit`:
forward, gradients, Adam, accuracy) on a batch that is already in memory. The
yardstick is one large matrix product of the same dtype, measured in the same
process right before: repeats of everything are interleaved, and the share is
the median over the repeats of step rate / matrix-product rate.

FLOPs: a multiply-add counts 2; a forward pass counts its convolutions and
matrix products; a training step is 3 forward passes (forward, gradient with
respect to the inputs, gradient with respect to the weights). Batch norm, ReLU
and the optimizer count nothing, so they lower the share. Rates are per CPU
second of the process (all threads), which a busy machine disturbs less than
wall time; wall rates are beside them.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time

GEMM_SIZE = 4096
POLICIES = {"float32": "float32", "mixed_bfloat16": "bfloat16"}
CASES = ((2048, 32), (4096, 32), (4096, 128), (16384, 16))
QUICK_CASES = ((2048, 32),)


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


def timed(work, at_least_s):
    """Call `work` until so many CPU seconds are spent; return calls per CPU and per wall second."""
    calls, cpu, wall = 0, time.process_time(), time.perf_counter()
    while time.process_time() - cpu < at_least_s:
        work()
        calls += 1
    return calls / (time.process_time() - cpu), calls / (time.perf_counter() - wall)


def build_gemm(dtype):
    """Return (work, GFLOP of one call) of a square matrix product."""
    import tensorflow as tf

    a, b = (tf.cast(tf.random.stateless_normal((GEMM_SIZE, GEMM_SIZE), seed=(0, i)), dtype) for i in range(2))
    product = tf.function(lambda x, y: tf.reduce_max(tf.matmul(x, y)))
    return lambda: product(a, b).numpy(), 2 * GEMM_SIZE**3 / 1e9


def build_step(policy, frame_size, batch_size, steps_per_call):
    """Return (work, GFLOP of one call): so many training steps of the beat model."""
    import keras
    import numpy as np
    import tensorflow as tf

    from transplant.modules.classifier import build_classifier

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = build_classifier("resnet18", n_classes=5, input_length=frame_size, seed=0)
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
    gflop = 3 * forward_flops(model, frame_size) * batch_size / 1e9
    return (
        lambda: model.fit(batches, steps_per_epoch=steps_per_call, epochs=1, verbose=0),
        gflop * steps_per_call,
    )


def measure(cases, repeats, at_least_s, log):
    """Measure every case `repeats` times, interleaved with the matrix products.

    Returns:
        (gemm, rows): median GFLOP per CPU second by dtype, and one dict a case and policy.
    """
    gemms = {dtype: build_gemm(dtype) for dtype in POLICIES.values()}
    steps = {}
    for frame_size, batch_size in cases:
        for policy in POLICIES:
            # A fit call has a fixed cost of some 20 ms; enough steps make it small, as in an epoch.
            steps_per_call = max(2, round(12 * 2048 * 32 / (frame_size * batch_size)))
            steps[frame_size, batch_size, policy] = build_step(policy, frame_size, batch_size, steps_per_call)
    for work, _ in [*gemms.values(), *steps.values()]:
        work()

    samples = {key: [] for key in (*gemms, *steps)}
    for repeat in range(repeats):
        for dtype, (work, gflop) in gemms.items():
            samples[dtype].append([gflop * rate for rate in timed(work, at_least_s)])
        for key, (work, gflop) in steps.items():
            samples[key].append([gflop * rate for rate in timed(work, at_least_s)])
        log(f"repeat {repeat + 1} of {repeats} done")

    gemm = {dtype: _median(samples[dtype], 0) for dtype in gemms}
    rows = []
    for (frame_size, batch_size, policy), (_, gflop_per_call) in steps.items():
        taken, reference = samples[frame_size, batch_size, policy], samples[POLICIES[policy]]
        steps_per_call = max(2, round(12 * 2048 * 32 / (frame_size * batch_size)))
        gflop_per_frame = gflop_per_call / steps_per_call / batch_size
        rows.append(
            {
                "policy": policy,
                "frame_size": frame_size,
                "batch_size": batch_size,
                "gflop_per_step": gflop_per_call / steps_per_call,
                "gflop_per_cpu_s": _median(taken, 0),
                "gflop_per_wall_s": _median(taken, 1),
                "frames_per_cpu_s": _median(taken, 0) / gflop_per_frame,
                "share_of_gemm": statistics.median(step[0] / product[0] for step, product in zip(taken, reference)),
            }
        )
    return gemm, rows


def _median(samples, column):
    return statistics.median(sample[column] for sample in samples)


def print_table(gemm, rows):
    """Print what was measured, rates in GFLOP per second."""
    for dtype, rate in gemm.items():
        print(f"matrix product {GEMM_SIZE}x{GEMM_SIZE} {dtype:9s} {rate:7.0f} GFLOP per CPU second")
    print(
        f"{'policy':15s} {'frame':>6s} {'batch':>5s} {'GFLOP/step':>10s} {'per CPU s':>9s} {'per wall s':>10s}", end=""
    )
    print(f" {'frames/CPU s':>12s} {'share of matrix product':>24s}")
    for row in rows:
        print(
            f"{row['policy']:15s} {row['frame_size']:6d} {row['batch_size']:5d} {row['gflop_per_step']:10.1f} "
            f"{row['gflop_per_cpu_s']:9.0f} {row['gflop_per_wall_s']:10.0f} {row['frames_per_cpu_s']:12.1f} "
            f"{row['share_of_gemm']:23.0%}"
        )
    first = {row["policy"]: row["frames_per_cpu_s"] for row in rows[: len(POLICIES)]}
    print(f"mixed_bfloat16 is {first['mixed_bfloat16'] / first['float32']:.2f}x float32 in the first case")


def build_parser():
    """Return the command line's parser."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train_step", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one case, short repeats: under a minute")
    parser.add_argument("--repeats", type=int, default=5, help="interleaved repeats (default: 5)")
    return parser


def main(argv=None):
    """Measure and print; return the exit status."""
    args = build_parser().parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    load_before = os.getloadavg()[0]
    cases = QUICK_CASES if args.quick else CASES
    gemm, rows = measure(cases, args.repeats, 1.0 if args.quick else 4.0, lambda line: print(line, file=sys.stderr))
    print_table(gemm, rows)
    from transplant.training.description import collect_versions

    print(
        json.dumps(
            {
                "benchmark": "train_step",
                "quick": args.quick,
                "repeats": args.repeats,
                "cores": os.cpu_count(),
                "machine": platform.machine(),
                "load_average_before": load_before,
                "versions": collect_versions(),
                "gemm_gflop_per_cpu_s": gemm,
                "rows": rows,
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

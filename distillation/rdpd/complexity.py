"""What teachers and students cost: parameters, operations, time of one record, size on a small device."""

from transplant.evaluation.complexity_counts import complexity_of
from transplant.evaluation.latency import latency_ms, litert_latency_ms, processor_threads
from transplant.evaluation.litert import litert_model
from transplant.evaluation.report import fixed_width

TEACHER = "teacher"
COLUMNS = {
    "parameters": ("parameters", "{:,}", 1),
    "multiply_adds": ("multiply-adds", "{:,}", 1),
    "operations": ("operations", "{:,}", 1),
    "latency_ms": ("ms", "{:.3f}", 1),
    "litert_latency_ms": ("LiteRT ms", "{:.3f}", 1),
    "litert_bytes": ("LiteRT kB", "{:,.1f}", 1000),
    "litert_int8_bytes": ("int8 kB", "{:,.1f}", 1000),
}
"""Key of a row -> what heads its column, how its numbers are shown, and in what unit."""


def complexity_row(network):
    """Return what a network costs for one record. It takes some seconds, of two conversions.

    Args:
        network: `keras.Model` of one input of known size, such as those of `build_segment_rnn`.

    Returns:
        JSON-ready dict:

        - "parameters".
        - "multiply_adds", and "operations" in floating point, at inference, as `complexity_of` counts them; None
          where it has no rule for a layer.
        - "latency_ms": wall milliseconds of a `tf.function` on the processor, and "threads": how many it had.
        - "litert_bytes" and "litert_latency_ms": of the network as float32 in LiteRT, on one thread.
        - "litert_int8_bytes": its size with the larger weights as whole numbers of 8 bits.

    Raises:
        OptionError: if the network has several inputs, or one of unknown size.
    """
    totals = complexity_of(network).totals
    is_counted = not totals["layers_not_counted"]
    content = litert_model(network)
    return {
        "parameters": totals["parameters"],
        "multiply_adds": totals["multiply_adds"] if is_counted else None,
        "operations": totals["operations"] if is_counted else None,
        "latency_ms": latency_ms(network),
        "threads": processor_threads(),
        "litert_latency_ms": litert_latency_ms(content),
        "litert_bytes": len(content),
        "litert_int8_bytes": len(litert_model(network, int8=True)),
    }


def complexity_table(rows, reference=TEACHER):
    """Lay out rows as text, each number with its ratio to the teacher's in brackets.

    Args:
        rows: dict name -> what `complexity_row` returned.
        reference: name of the row that the ratios are to; where there is none of that name there are no ratios.
            Defaults to "teacher".

    Returns:
        The table and what its columns mean, without a newline at the end.
    """
    base = rows.get(reference)
    lines = [["one record", *(title for title, _, _ in COLUMNS.values())]]
    for name, row in rows.items():
        of = None if name == reference else base
        lines.append([name, *(_cell(row[key], of and of[key], *how) for key, (_, *how) in COLUMNS.items())])
    threads = " or ".join(str(count) for count in sorted({row["threads"] for row in rows.values()}))
    notes = (
        "A multiply-add is 2 operations. ms: a tf.function on the processor, threads: "
        f"{threads}. LiteRT: float32, one thread;\nint8: weights of 1,024 numbers or more as 8 bits."
    )
    return "\n".join([fixed_width(lines), notes + (f" In brackets: over the {reference}'s." if base else "")])


def _cell(value, base, shown, unit):
    if value is None:
        return "-"
    text = shown.format(value / unit if unit != 1 else value)
    return f"{text} ({value / base:.3f})" if base else text

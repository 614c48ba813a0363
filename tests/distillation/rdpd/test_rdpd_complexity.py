"""What a student costs against numbers worked by hand, and how the table shows it beside its teacher."""

import json

from distillation.rdpd.complexity import COLUMNS, complexity_row, complexity_table
from transplant.modules.segment_rnn import SegmentRnnSize, build_segment_rnn

# The published student of PAMAP2: 4 segments, in each 15 positions of 16 filters of 8 samples of 17 channels; an LSTM
# of 8 units each way over 16 features.
MULTIPLY_ADDS = 4 * 15 * 16 * 8 * 17 + 2 * 4 * 4 * 8 * (16 + 8) + 4 * 16 + 4 * 16 + 16 * 12
# ReLU, mean over time, gates (28 a unit), softmax of the attention.
OTHERS = 4 * 15 * 16 + 4 * 16 * 15 + 2 * 4 * 8 * 28 + 5 * 4


def test_a_row_by_hand():
    network = build_segment_rnn((256, 17), 12, SegmentRnnSize(64, 16, 8, 4, 8))
    row = complexity_row(network)
    assert set(row) == {*COLUMNS, "threads"} and json.loads(json.dumps(row)) == row
    assert row["parameters"] == 4_076 - 8 * 8  # Hong et al., table 5: what is live, less the second bias
    assert row["multiply_adds"] == MULTIPLY_ADDS == 137_024
    assert row["operations"] == 2 * MULTIPLY_ADDS + OTHERS == 277_780
    assert row["latency_ms"] > 0 and row["litert_latency_ms"] > 0 and row["threads"] >= 1
    assert 4 * row["parameters"] < row["litert_int8_bytes"] < row["litert_bytes"]


TEACHER = {
    "parameters": 52_364,
    "multiply_adds": 1_655_000,
    "operations": 3_300_000,
    "latency_ms": 0.5,
    "threads": 2,
    "litert_latency_ms": 0.06,
    "litert_bytes": 235_096,
    "litert_int8_bytes": 88_616,
}
STUDENT = {
    "parameters": 5_236,
    "multiply_adds": None,
    "operations": 330_000,
    "latency_ms": 0.4,
    "threads": 2,
    "litert_latency_ms": 0.015,
    "litert_bytes": 47_019,
    "litert_int8_bytes": 44_308,
}


def test_the_table_has_ratios_to_the_teacher():
    table = complexity_table({"teacher": TEACHER, "student": STUDENT})
    header, teacher, student, *notes = table.splitlines()
    assert header.split("  ")[0] == "one record" and len(header) == len(teacher) == len(student)
    for text in ("52,364", "3,300,000", "0.500", "235.1", "88.6"):
        assert f"  {text}" in teacher
    assert "(" not in teacher
    for text in ("5,236 (0.100)", "  -  ", "330,000 (0.100)", "0.400 (0.800)", "0.015 (0.250)", "47.0 (0.200)"):
        assert text in student
    assert "threads: 2." in notes[0] and "over the teacher's" in notes[-1]


def test_without_a_teacher_there_are_no_ratios():
    table = complexity_table({"direct": TEACHER, "kd": STUDENT | {"threads": 4}})
    assert "(" not in table and "threads: 2 or 4." in table and "brackets" not in table


def test_another_row_may_be_the_reference():
    table = complexity_table({"wide": TEACHER, "narrow": STUDENT}, reference="wide")
    assert "330,000 (0.100)" in table and "over the wide's" in table


def test_what_the_reference_does_not_count_has_no_ratio():
    table = complexity_table({"teacher": STUDENT, "student": TEACHER})
    assert "1,655,000 (" not in table

"""The published counts of RDPD, cell by cell, and what the networks here have of them."""

import pytest

from distillation.rdpd.nominal_counts import LINES, count_table, live_counts, main, nominal_counts, published_models
from transplant.modules.segment_rnn import SegmentRnnSize, build_segment_rnn

# Hong et al. (2019), table 5: the totals; the lines by hand: conv1, conv2, BiLSTM, attention, dense, scalars, total.
PUBLISHED = {
    "PAMAP2 teacher": (26_688, 65_664, 25_088, 64, 780, 3, 118_287),
    "PAMAP2 student": (2_192, 4_128, 1_664, 16, 204, 3, 8_207),
    "PTBDB teacher": (30_784, 262_272, 41_472, 64, 390, 3, 334_985),
    "PTBDB student": (528, 16_416, 2_688, 16, 102, 3, 19_753),
    "MIMIC-III teacher": (1_600, 32_896, 25_088, 64, 520, 3, 60_171),
    "MIMIC-III student": (80, 2_080, 1_664, 16, 136, 3, 3_979),
}
# What a network here has: shape of a record, classes, its size; and its count by hand: one bias, nothing unused.
LIVE = {
    "PAMAP2 teacher": ((256, 52), 12, SegmentRnnSize(64, 64, 8, 4, 32), 52_364),
    "PAMAP2 student": ((256, 17), 12, SegmentRnnSize(64, 16, 8, 4, 8), 4_012),
    "PTBDB teacher": ((2000, 15), 6, SegmentRnnSize(500, 64, 32, 8, 32, 2), 334_726),
    "PTBDB student": ((2000, 1), 6, SegmentRnnSize(500, 16, 32, 8, 8, 2), 19_686),
    "MIMIC-III teacher": ((48, 6), 8, SegmentRnnSize(12, 64, 4, 2, 32), 27_016),
    "MIMIC-III student": ((48, 1), 8, SegmentRnnSize(12, 16, 4, 2, 8), 1_832),
}
MODELS = {model.name: model for model in published_models()}


def test_there_are_the_six_models_of_the_table():
    assert list(MODELS) == list(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_cell(name):
    assert nominal_counts(MODELS[name]) == dict(zip(LINES, PUBLISHED[name], strict=True))


@pytest.mark.parametrize("name", PUBLISHED)
def test_live_is_nominal_less_what_is_unused_the_scalars_and_the_second_bias(name):
    shape, classes, size, expected = LIVE[name]
    nominal, live = nominal_counts(MODELS[name]), live_counts(MODELS[name])
    unused = nominal["conv2"] if size.convolutions == 1 else 0
    second_bias = 2 * 4 * size.hidden
    assert live["total"] == build_segment_rnn(shape, classes, size).count_params() == expected
    assert live["total"] == nominal["total"] - unused - 3 - second_bias
    assert live["conv2"] == nominal["conv2"] - unused
    assert live["bilstm"] == nominal["bilstm"] - second_bias
    assert {line: live[line] for line in ("conv1", "attention", "dense")} == {
        line: nominal[line] for line in ("conv1", "attention", "dense")
    }
    assert sum(count for line, count in live.items() if line != "total") == live["total"]


def test_the_command_prints_both_counts_and_their_differences(capsys):
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert printed == f"{count_table()}\n"
    rows = {
        line[:27].strip(): line[27:].split() for line in printed.splitlines() if ", nominal" in line or ", live" in line
    }
    assert rows["PAMAP2 teacher, nominal"] == ["26,688", "(65,664)", "25,088", "64", "780", "3", "118,287"]
    assert rows["PAMAP2 teacher, live"] == ["26,688", "-", "24,832", "64", "780", "-", "52,364"]
    assert rows["PTBDB student, nominal"][1] == "16,416"
    for what in ("conv2: ", "BiLSTM: ", "w1, w2, b: "):
        assert sum(line.startswith(what) for line in printed.splitlines()) == 1

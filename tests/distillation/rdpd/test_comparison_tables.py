"""Tests of the tables of a comparison."""

from distillation.rdpd.comparison_tables import score_lines
from distillation.rdpd.scores import NAMES


def test_a_small_divergence_of_attention_is_not_shown_as_none():
    half = {"mean": 0.5, "std": 0.25}
    row = {
        "view": "II",
        "name": "rdpd",
        "runs": 2,
        "scores": dict.fromkeys(NAMES, half),
        "agreement": {"kl": {"mean": 0.000421, "std": 0.0000367}, "same_peak": half},
    }
    _, cells = score_lines({"rows": [row]}, " ± ")
    assert cells[-3:] == ["0.000421 ± 3.67e-05", "0.500 ± 0.250", "2"]

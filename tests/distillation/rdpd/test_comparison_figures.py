"""What stands in the figures of sweeps: students at their values, teachers where theirs vary, level lines elsewhere."""

import pytest

from distillation.rdpd import comparison_figures


def row(method, temperature, rich_share=1.0, noise=0.0, mean=0.5):
    scores = {"roc_auc": {"mean": mean, "std": None}}
    view = "all" if method == "teacher" else "HR"
    return {
        "method": method,
        "view": view,
        "temperature": temperature,
        "rich_share": rich_share,
        "noise": noise,
        "scores": scores,
    }


@pytest.fixture
def sweeps(monkeypatch, tmp_path):
    drawn = {}
    monkeypatch.setattr(
        comparison_figures, "plot_sweep", lambda path, points, *titles: drawn.update({path.name: points})
    )

    def draw(*rows):
        drawn.clear()
        assert comparison_figures.plot_sweeps({"rows": list(rows)}, tmp_path) == list(drawn)
        return drawn

    return draw


def test_a_teacher_with_a_temperature_of_its_own_is_a_level_line(sweeps):
    teacher = row("teacher", None, noise=None, mean=0.9)
    rows = [row("direct", None, None, noise, 0.6) for noise in (0.0, 1.0)]
    rows += [row("rdpd", 5.0, noise=noise, mean=0.7) for noise in (0.0, 1.0)]
    (points,) = sweeps(teacher, *rows).values()
    assert points == {
        "direct": [(0.0, 0.6, None), (1.0, 0.6, None)],
        "rdpd": [(0.0, 0.7, None), (1.0, 0.7, None)],
        "teacher": [(0.0, 0.9, None), (1.0, 0.9, None)],
    }


def test_teachers_stand_at_their_temperatures_and_direct_is_level(sweeps):
    rows = [row("teacher", 1.0, noise=None, mean=0.8), row("teacher", 5.0, noise=None, mean=0.9)]
    rows += [row("direct", None, None, mean=0.6), row("kd", 1.0, mean=0.7), row("kd", 5.0, mean=0.65)]
    assert sweeps(*rows) == {
        "sweep_temperature_HR.png": {
            "direct": [(1.0, 0.6, None), (5.0, 0.6, None)],
            "kd": [(1.0, 0.7, None), (5.0, 0.65, None)],
            "teacher": [(1.0, 0.8, None), (5.0, 0.9, None)],
        }
    }


def test_other_axes_stand_at_their_first_values(sweeps):
    rows = [row("kd", 5.0, noise=noise, rich_share=share, mean=share) for share in (0.3, 1.0) for noise in (0.0, 1.0)]
    found = sweeps(*rows)
    assert found["sweep_rich_share_HR.png"] == {"kd": [(0.3, 0.3, None), (1.0, 1.0, None)]}
    assert found["sweep_noise_HR.png"] == {"kd": [(0.0, 0.3, None), (1.0, 0.3, None)]}

"""Figures: valid PNG files of the size of their figure, with the labels a reader needs."""

import sys

import numpy as np
import pandas as pd
import pytest
from figure_checks import check_file, texts_overlap

from transplant.evaluation import plots
from transplant.evaluation.ecg_paper import draw_ecg_paper, voltage_limits
from transplant.evaluation.figure_file import new_figure


def test_learning_curves(tmp_path):
    history = pd.DataFrame(
        {
            "epoch": [1, 2, 3, 4],
            "loss": [1.0, 0.7, 0.5, 0.4],
            "acc": [0.5, 0.6, 0.7, 0.8],
            "val_loss": [1.1, 0.8, 0.7, 0.9],
            "val_acc": [0.4, 0.5, 0.6, 0.6],
            "f1": [0.3, 0.5, 0.6, 0.55],
            "seconds": [9, 9, 9, 9],
        }
    )
    figure = plots.plot_learning_curves(history, tmp_path / "curves.png", "random weights")
    check_file(figure, tmp_path / "curves.png")
    assert [axes.get_title() for axes in figure.axes] == ["Loss", "Accuracy", "Macro-F1"]
    assert all(axes.get_xlabel() == "Epoch" and axes.get_ylabel() for axes in figure.axes)
    loss, _, f1 = figure.axes
    assert [line.get_label() for line in loss.lines] == ["train", "validation", "best epoch 3"]
    assert [line.get_label() for line in f1.lines] == ["validation", "best epoch 3"]
    np.testing.assert_array_equal(loss.lines[1].get_ydata(), history["val_loss"])
    assert figure.get_suptitle() == "random weights"
    assert not texts_overlap(figure)


def test_learning_curves_without_validation_and_with_a_given_epoch(tmp_path):
    history = pd.DataFrame({"epoch": [1], "loss": [1.0]})
    figure = plots.plot_learning_curves(history, tmp_path / "curves.png")
    assert [line.get_label() for line in figure.axes[0].lines] == ["train"]
    figure = plots.plot_learning_curves(history, tmp_path / "curves.png", best_epoch=1)
    assert figure.axes[0].lines[-1].get_label() == "best epoch 1"


def test_best_epoch_of_a_history_with_only_a_loss_is_its_lowest():
    history = pd.DataFrame({"epoch": [1, 2, 3], "val_loss": [0.9, 0.4, 0.6]})
    assert plots._best_epoch(history) == 2


@pytest.mark.parametrize("classes", [list("ANO~"), ["undefined", "normal", "pac", "aberrated"]])
def test_confusion(tmp_path, classes):
    confusion = [[6, 2, 0, 0], [0, 1000, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]]
    figure = plots.plot_confusion(confusion, classes, tmp_path / "confusion.png", "test set")
    check_file(figure, tmp_path / "confusion.png")
    axes = figure.axes[0]
    cells = [text.get_text() for text in axes.texts]
    assert cells[:2] == ["6\n75.0%", "2\n25.0%"] and cells[5] == "1,000\n100.0%"
    assert cells[8] == "0\nno record" and cells[15] == "1\n25.0%"
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("Predicted class", "True class", "test set")
    assert [text.get_text() for text in axes.get_xticklabels()][:4] == classes
    assert not texts_overlap(figure)


def test_frame_has_ecg_paper_and_all_beats(tmp_path):
    rate = 250
    signal = np.sin(2 * np.pi * np.arange(4096) / rate)[:, None]
    positions = np.arange(100, 4096, 200)
    names = ["pvc" if n % 5 == 4 else "normal" for n in range(len(positions))]
    figure = plots.plot_frame(signal, rate, [*positions, 5000], [*names, "pac"], tmp_path / "frame.png", "p0", ["II"])
    check_file(figure, tmp_path / "frame.png")
    assert len(figure.axes) == 3  # 16.4 s in strips of at most 6 s
    assert all(axes.get_ylabel() == "II (mV)" for axes in figure.axes)
    assert figure.axes[-1].get_xlabel().startswith("Time (s)")
    assert figure.axes[1].get_xticks().tolist() == [6, 7, 8, 9, 10, 11]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["normal beat (16)", "pvc beat (4)"]
    marks = [line.get_xdata()[0] for axes in figure.axes for line in axes.lines if line.get_marker() in ("o", "v")]
    np.testing.assert_allclose(marks, positions / rate)
    for collection, step_s, step_mv in ((0, 0.04, None), (1, None, 0.1), (2, 0.2, None), (3, None, 0.5)):
        ends = np.array([segment[0] for segment in figure.axes[0].collections[collection].get_segments()])
        expected = (0, step_s) if step_s else (1, step_mv)
        np.testing.assert_allclose(np.diff(ends[:, expected[0]]), expected[1], atol=1e-9)
    drawn = np.concatenate([axes.lines[0].get_ydata() for axes in figure.axes])
    assert set(np.round(signal[:, 0], 12)) <= set(np.round(drawn, 12))  # no sample falls between strips
    assert not texts_overlap(figure)


@pytest.mark.parametrize("signal", [np.full((500, 1), np.nan), np.zeros((500, 2)), np.linspace(-40, 60, 500)])
def test_odd_frames_are_drawn(tmp_path, signal):
    figure = plots.plot_frame(signal, 250, [], [], tmp_path / "frame.png")
    check_file(figure, tmp_path / "frame.png")
    assert figure.legends == []
    assert len(figure.axes) == (1 if signal.ndim == 1 else signal.shape[1])


def test_comparison(tmp_path):
    interval = {"macro_f1": {"low": 0.6, "high": 0.8}}
    rows = [
        ("random weights", {"macro_f1": 0.5, "intervals": None}),
        ("pretrained", {"macro_f1": 0.7, "intervals": interval}),
    ]
    figure = plots.plot_macro_f1_comparison(rows, tmp_path / "comparison.png")
    check_file(figure, tmp_path / "comparison.png")
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["random weights", "pretrained"]
    assert [text.get_text() for text in axes.texts] == ["0.500", "0.700"]
    assert [list(line.get_xdata()) for line in axes.lines] == [[0.5], [0.6, 0.8], [0.7]]


def test_plotting_leaves_pyplot_alone(tmp_path):
    before = "matplotlib.pyplot" in sys.modules
    plots.plot_confusion([[1]], ["a"], tmp_path / "c.png")
    assert ("matplotlib.pyplot" in sys.modules) == before


def test_nothing_is_left_behind_when_saving_fails(tmp_path):
    with pytest.raises(ValueError, match="format"):
        plots.plot_confusion([[1]], ["a"], tmp_path / "c.nonsense")
    assert list(tmp_path.iterdir()) == []


def test_limits_lie_on_bold_lines_and_hold_the_signal():
    assert voltage_limits([-0.3, 1.2]) == (-0.5, 1.5)
    assert voltage_limits([-0.3, 1.2], for_marks=True) == (-0.5, 2.0)
    assert voltage_limits([0.0, np.nan]) == (-0.5, 0.5)
    assert voltage_limits([np.nan]) == (-1.0, 1.0)


def test_bold_squares_of_a_huge_artefact_are_fewer():
    axes = new_figure(3, 3).subplots()
    assert draw_ecg_paper(axes, 0, 1, -1, 1) == 0.5
    assert draw_ecg_paper(axes, 0, 1, -20, 20) == 2.5
    assert axes.get_xlim() == (0, 1) and axes.get_ylim() == (-20, 20)

"""Figure of how a set of two classes is ranked: the ROC and the precision-recall curve of one model or several."""

import numpy as np

from transplant.errors import DataError
from transplant.evaluation.figure_file import SERIES_STYLES, new_figure, save_figure, tidy_axes
from transplant.evaluation.metrics import class_indices, min_precision_recall, positive_class, pr_auc, roc_auc

_LINES = ("-", "--", ":", "-.")  # of the first six rows, the next six, ..
_MOST_POINTS = 2000  # of a curve; a screen shows no more
_CHANCE = "0.5"  # grey


def plot_ranking(rows, classes, path, title="Ranking of the positive class"):
    """Plot the ROC curve and the precision-recall curve of several models, with AUROC and AUPRC in the legend.

    A mark on both curves of a row is the threshold of its min(+P, Se), where
    precision and recall are (nearly) equal. The grey dashed lines are a random
    ranking: the diagonal, and the share of the positive class.

    Args:
        rows: sequence of (name, y_true, y_prob): class indices (n,) or one-hot rows
            (n, 2), and probabilities (n, 2).
        classes: the two class names, the positive one second.
        path: the .png file to write.
        title: figure title.

    Returns:
        The matplotlib figure.

    Raises:
        DataError: without rows, if there are not two classes, or if a row's records
            are all of one class.
    """
    positive = positive_class(classes)
    if positive is None:
        raise DataError(f"A ranking has a positive class, the second of two. Received: {', '.join(map(str, classes))}")
    if not len(rows):
        raise DataError("A figure of rankings is made of one row or more. Received: none")
    figure = new_figure(11.0, 5.9 + 0.2 * len(rows))
    figure.suptitle(title, fontsize=14)
    roc, curve = figure.subplots(1, 2)
    handles, shares = [], []
    for number, (name, y_true, y_prob) in enumerate(rows):
        truth = class_indices(y_true, 2)
        y_prob = np.asarray(y_prob)
        if roc_auc(truth, y_prob) is None:
            raise DataError(f"{name}: a ranking needs records of both classes. Received: one class")
        shares.append(float(truth.mean()))
        style = {
            "color": SERIES_STYLES[number % len(SERIES_STYLES)][0],
            "marker": SERIES_STYLES[number % len(SERIES_STYLES)][1],
            "linestyle": _LINES[number // len(SERIES_STYLES) % len(_LINES)],
        }
        label = (
            f"{name}: AUROC {roc_auc(truth, y_prob):.3f}, AUPRC {pr_auc(truth, y_prob):.3f}, "
            f"min(+P, Se) {min_precision_recall(truth, y_prob):.3f}"
        )
        handles.append(_draw(roc, curve, truth == 1, y_prob[:, 1], style, label))
    chance = {"color": _CHANCE, "linestyle": "--", "linewidth": 1.1, "zorder": 1}
    roc.plot([0, 1], [0, 1], **chance)
    for share in sorted({round(share, 3) for share in shares}):
        label = f"random ranking: AUROC 0.500, AUPRC {share:.3f}, the share of {positive}"
        handles.append(curve.axhline(share, label=label, **chance))
    roc.set_xlabel("False positive rate (1 - specificity)", fontsize=11)
    roc.set_ylabel(f"True positive rate (recall of {positive})", fontsize=11)
    roc.set_title("Receiver operating characteristic", fontsize=12)
    curve.set_xlabel(f"Recall of {positive} (sensitivity)", fontsize=11)
    curve.set_ylabel(f"Precision of {positive}", fontsize=11)
    curve.set_title("Precision and recall; the marks are min(+P, Se)", fontsize=12)
    for axes in (roc, curve):
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(-0.01, 1.02)
        tidy_axes(axes)
    figure.legend(handles=handles, loc="outside lower center", fontsize=10, frameon=False, handlelength=3.6)
    return save_figure(figure, path)


def ranking_points(member, score):
    """Return the points of both curves, one for each distinct score, the highest first.

    Args:
        member: bool (n,), whether a record is positive; some are, some are not.
        score: float (n,); records at a threshold or above are called positive.

    Returns:
        `(false_positive_rate, recall, precision)`, each float64 (thresholds,).
    """
    order = np.argsort(-score, kind="stable")
    last_of_tie = np.append(np.diff(score[order]) != 0, True)
    true_positive = np.cumsum(member[order])[last_of_tie]
    called = np.flatnonzero(last_of_tie) + 1
    false_positive = called - true_positive
    return false_positive / (~member).sum(), true_positive / member.sum(), true_positive / called


def _draw(roc, curve, member, score, style, label):
    """Draw one row's curves and the mark of its min(+P, Se); return the line that stands in the legend."""
    false_rate, recall, precision = ranking_points(member, score)
    best = int(np.minimum(precision, recall).argmax())
    # Evenly spaced points are left out of long curves, never the ends or the mark.
    shown = np.unique(np.append(np.linspace(0, len(recall) - 1, _MOST_POINTS).round().astype(int), best))
    mark = int(np.searchsorted(shown, best))
    false_rate, recall, precision = false_rate[shown], recall[shown], precision[shown]
    drawing = {**style, "linewidth": 1.6, "markersize": 7, "markeredgecolor": "white"}
    (line,) = roc.plot(np.append(0, false_rate), np.append(0, recall), markevery=[mark + 1], label=label, **drawing)
    # Average precision is the area under these steps.
    curve.plot(recall, precision, drawstyle="steps-pre", markevery=[mark], **drawing)
    return line

"""The scores of the paper's tables."""

import numpy as np
from sklearn.metrics import f1_score

from transplant.evaluation.metrics import pr_auc, roc_auc

NAMES = {"roc_auc": "ROC-AUC", "pr_auc": "PR-AUC", "macro_f1": "macro-F1", "macro_f1_at_half": "macro-F1 at .5"}


def rdpd_scores(y, probabilities):
    """Return dict name -> score of `NAMES`.

    All are means over the classes that are there. Areas are of one class against the rest (of two classes the
    second's), None where one class is there alone. Macro-F1 is by the largest probability, and by a threshold of .5
    for each class by itself, as the paper's text says: a record may then have no class.

    Args:
        y: class indices (n,).
        probabilities: (n, classes).
    """
    present = np.unique(y)
    at_half = [f1_score(y == label, probabilities[:, label] >= 0.5, zero_division=0.0) for label in present]
    return {
        "roc_auc": roc_auc(y, probabilities),
        "pr_auc": pr_auc(y, probabilities),
        "macro_f1": float(
            f1_score(y, probabilities.argmax(axis=1), labels=present, average="macro", zero_division=0.0)
        ),
        "macro_f1_at_half": float(np.mean(at_half)),
    }

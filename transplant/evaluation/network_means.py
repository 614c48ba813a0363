"""Differences between two ways of training, each seen through several networks, with an interval over records."""

import numpy as np

from transplant.evaluation.metrics import f1_from_confusion, macro_f1, pr_auc, roc_auc
from transplant.evaluation.ranking_intervals import draw_rankings, draw_weights

DRAWS = 2000
RANKING_SCORES = {"roc_auc": roc_auc, "pr_auc": pr_auc}


def mean_scores(truth, networks):
    """Return dict name -> float64 (networks,): accuracy, macro-F1, AUROC and AUPRC of each network.

    Args:
        truth: class indices (n,).
        networks: list of probabilities (n, classes).
    """
    n_classes = networks[0].shape[1]
    found = {
        "accuracy": [(found.argmax(axis=1) == truth).mean() for found in networks],
        "macro_f1": [macro_f1(truth, found.argmax(axis=1), n_classes) for found in networks],
    }
    found |= {name: [score(truth, of_network) for of_network in networks] for name, score in RANKING_SCORES.items()}
    return {name: np.array(values, np.float64) for name, values in found.items()}


def paired_difference_of_means(truth, first, second, groups=None, draws=DRAWS, level=0.95, seed=0, rankings=True):
    """Compare the mean score of some networks with that of others on the same records.

    Each draw takes the same records (whole groups) for all networks; the networks themselves stay, so the
    interval speaks of these networks on other records.

    Args:
        truth: class indices (n,).
        first, second: lists of probabilities (n, classes), one a network; their numbers may differ.
        groups: what whole draws are made of, (n,) names. Defaults to None: records.
        draws: number of draws. Defaults to 2,000.
        level: mass of the interval. Defaults to .95.
        seed: of the draws.
        rankings: whether AUROC and AUPRC are compared too. Defaults to True.

    Returns:
        dict name -> dict of `difference` (second - first, on the records as they are), `low`, `high`, `draws`.
    """
    unit = None if groups is None else np.unique(np.asarray(groups, np.str_), return_inverse=True)[1]
    observed = [mean_scores(truth, networks) for networks in (first, second)]
    both = [*first, *second]
    drawn = _draw_counted(truth, both, unit, draws, seed)
    if rankings:
        of_networks = draw_rankings(truth, both, unit, draws, seed)
        drawn |= {name: np.array([of_network[name] for of_network in of_networks]) for name in RANKING_SCORES}
    result = {}
    for name, of_networks in drawn.items():
        sample = of_networks[len(first) :].mean(axis=0) - of_networks[: len(first)].mean(axis=0)
        low, high = np.quantile(sample, [(1 - level) / 2, (1 + level) / 2])
        difference = float(observed[1][name].mean() - observed[0][name].mean())
        result[name] = {"difference": difference, "low": float(low), "high": float(high), "draws": len(sample)}
    return result


def _draw_counted(truth, networks, unit, draws, seed):
    """Return dict name -> float64 (networks, draws) of the scores that are made of counts."""
    n_classes = networks[0].shape[1]
    one_hot = np.eye(n_classes**2, dtype=np.float32)
    cells = [one_hot[truth * n_classes + found.argmax(axis=1)] for found in networks]
    drawn = {name: np.empty((len(networks), draws)) for name in ("accuracy", "macro_f1")}
    for part, weights in draw_weights(len(truth), unit, draws, seed):
        weights = weights.astype(np.float32)
        for network, table in enumerate(cells):
            counts = (weights @ table).reshape(-1, n_classes, n_classes)
            drawn["accuracy"][network, part] = np.trace(counts, axis1=1, axis2=2) / counts.sum(axis=(1, 2))
            drawn["macro_f1"][network, part] = f1_from_confusion(counts).mean(axis=1)
    return drawn

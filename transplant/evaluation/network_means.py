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
    samples = {}
    counted = [_drawn_counts(truth, networks, unit, draws, seed) for networks in (first, second)]
    for name in ("accuracy", "macro_f1"):
        samples[name] = counted[1][name] - counted[0][name]
    if rankings:
        drawn = draw_rankings(truth, [*first, *second], unit, draws, seed)
        for name in RANKING_SCORES:
            of_first, of_second = (
                np.mean([of_network[name] for of_network in part], axis=0)
                for part in (drawn[: len(first)], drawn[len(first) :])
            )
            samples[name] = of_second - of_first
    result = {}
    for name, sample in samples.items():
        low, high = np.quantile(sample, [(1 - level) / 2, (1 + level) / 2])
        difference = float(observed[1][name].mean() - observed[0][name].mean())
        result[name] = {"difference": difference, "low": float(low), "high": float(high), "draws": len(sample)}
    return result


def _drawn_counts(truth, networks, unit, draws, seed):
    """Return dict name -> float64 (draws,): the mean over networks of what is counted."""
    n_classes = networks[0].shape[1]
    cells = [truth * n_classes + found.argmax(axis=1) for found in networks]
    sums = {"accuracy": np.zeros(draws), "macro_f1": np.zeros(draws)}
    tables = [np.eye(n_classes**2, dtype=np.float32)[of_network] for of_network in cells]
    for part, weights in draw_weights(len(truth), unit, draws, seed):
        weights = weights.astype(np.float32)
        for table in tables:
            counts = (weights @ table).reshape(-1, n_classes, n_classes)
            sums["accuracy"][part] += np.trace(counts, axis1=1, axis2=2) / counts.sum(axis=(1, 2))
            sums["macro_f1"][part] += f1_from_confusion(counts).mean(axis=1)
    return {name: values / len(networks) for name, values in sums.items()}

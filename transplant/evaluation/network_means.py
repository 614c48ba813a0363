"""Differences between two ways of training, each seen through several networks on the same records."""

import numpy as np
from scipy import stats

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

    Test records and networks both differ by chance. The variance over records is that of the difference when the
    same records (whole groups) are drawn for all networks. To it are added the variances of both means over their
    networks, which differ in their weights and, of random sets, in their examples. The interval is Student's, with
    Welch and Satterthwaite's degrees of freedom; of two networks it may be wider than scores can differ. One
    network tells nothing of its variance: then the interval leaves it out on that side.

    Args:
        truth: class indices (n,).
        first, second: lists of probabilities (n, classes), one a network; their numbers may differ.
        groups: what whole draws are made of, (n,) names. Defaults to None: records, as of one group alone.
        draws: number of draws. Defaults to 2,000.
        level: mass of the interval. Defaults to .95.
        seed: of the draws.
        rankings: whether AUROC and AUPRC are compared too. Defaults to True.

    Returns:
        dict name -> dict of `difference` (second - first), `low`, `high`, `draws`.

    Source: Welch, "The generalization of 'Student's' problem when several different population variances are
    involved" (1947). Between records and networks nothing is paired, so their variances add up; what depends on
    both counts twice, which makes the interval a little wider than it need be.
    """
    unit = None if groups is None else np.unique(np.asarray(groups, np.str_), return_inverse=True)[1]
    unit = unit if unit is not None and unit.any() else None
    observed = [mean_scores(truth, networks) for networks in (first, second)]
    both = [*first, *second]
    drawn = _draw_counted(truth, both, unit, draws, seed)
    if rankings:
        of_networks = draw_rankings(truth, both, unit, draws, seed)
        drawn |= {name: np.array([of_network[name] for of_network in of_networks]) for name in RANKING_SCORES}
    units = len(truth) if unit is None else int(unit.max()) + 1
    result = {}
    for name, of_networks in drawn.items():
        sample = of_networks[len(first) :].mean(axis=0) - of_networks[: len(first)].mean(axis=0)
        values = [of_part[name] for of_part in observed]
        parts = [(sample.var(ddof=1), units - 1)]
        parts += [(of_part.var(ddof=1) / len(of_part), len(of_part) - 1) for of_part in values if len(of_part) > 1]
        margin = welch_margin(parts, level)
        difference = float(values[1].mean() - values[0].mean())
        result[name] = {
            "difference": difference,
            "low": difference - margin,
            "high": difference + margin,
            "draws": len(sample),
        }
    return result


def welch_margin(parts, level=0.95):
    """Return half the width of Student's interval of a sum of independent estimates.

    Args:
        parts: list of (variance, degrees of freedom) of each estimate.
        level: mass of the interval. Defaults to .95.
    """
    variances, degrees = np.array(parts, np.float64).T
    total = variances.sum()
    if total == 0:
        return 0.0
    freedom = total**2 / np.sum(variances**2 / degrees)
    return float(stats.t.ppf((1 + level) / 2, freedom) * np.sqrt(total))


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

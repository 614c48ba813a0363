"""Ways of training, each seen through several networks on the same records: mean scores and their differences."""

import dataclasses

import numpy as np
from scipy import stats

from transplant.evaluation.metrics import confusion_matrix, f1_from_confusion, pr_auc, roc_auc
from transplant.evaluation.ranking_intervals import draw_rankings, draw_weights

DRAWS = 2000
RANKING_SCORES = {"roc_auc": roc_auc, "pr_auc": pr_auc}


def mean_scores(truth, networks, f1_classes=None):
    """Return dict name -> float64 (networks,): accuracy, macro-F1, AUROC and AUPRC of each network.

    Args:
        truth: class indices (n,).
        networks: list of probabilities (n, classes).
        f1_classes: indices of the classes whose mean F1 macro-F1 is. Defaults to None: all.
    """
    n_classes = networks[0].shape[1]
    counts = [confusion_matrix(truth, found.argmax(axis=1), n_classes) for found in networks]
    found = _counted_scores(np.stack(counts), f1_classes)
    found |= {name: [score(truth, of_network) for of_network in networks] for name, score in RANKING_SCORES.items()}
    return {name: np.array(values, np.float64) for name, values in found.items()}


@dataclasses.dataclass(frozen=True)
class DrawnScores:
    """The scores of some networks on the records as they are, and on draws of them.

    Attributes:
        observed: dict name -> float64 (networks,).
        drawn: dict name -> float64 (networks, draws); without a ranking where every record is of one class.
        units: records, or groups, that were drawn.
    """

    observed: dict
    drawn: dict
    units: int


def draw_scores(truth, networks, groups=None, draws=DRAWS, seed=0, f1_classes=None):
    """Score networks on records that are drawn with replacement, the same ones for equal seeds.

    Args:
        truth: class indices (n,).
        networks: list of probabilities (n, classes), one a network.
        groups: what whole draws are made of, (n,) names. Defaults to None: records, as of one group alone.
        draws: number of draws. Defaults to 2,000.
        seed: of the draws.
        f1_classes: as `mean_scores` takes them.

    Returns:
        `DrawnScores`.
    """
    unit = None if groups is None else np.unique(np.asarray(groups, np.str_), return_inverse=True)[1]
    unit = unit if unit is not None and unit.any() else None
    drawn = _draw_counted(truth, networks, unit, draws, seed, f1_classes)
    of_networks = draw_rankings(truth, networks, unit, draws, seed)
    rankings = {name: np.array([of_network[name] for of_network in of_networks]) for name in RANKING_SCORES}
    drawn |= {name: values for name, values in rankings.items() if values.size}
    observed = mean_scores(truth, networks, f1_classes)
    return DrawnScores(observed, drawn, len(truth) if unit is None else int(unit.max()) + 1)


def intervals_of_means(scores, level=0.95):
    """Return the means of scores over networks, with their intervals.

    Args:
        scores: `DrawnScores`.
        level: mass of the interval. Defaults to .95.

    Returns:
        dict name -> dict of `mean`, `std` over networks (None of one) and `interval`, dict of `low` and `high` made as
        those of `difference_of_means`, which end at 0 and 1; a ranking of records of one class has none.
    """
    result = {}
    for name, values in scores.observed.items():
        mean = float(values.mean())
        result[name] = {"mean": mean, "std": float(values.std(ddof=1)) if len(values) > 1 else None}
        if name in scores.drawn:
            margin = _margin(scores.drawn[name].mean(axis=0), scores.units, [values], level)
            result[name]["interval"] = {"low": max(mean - margin, 0.0), "high": min(mean + margin, 1.0)}
    return result


def difference_of_means(first, second, level=0.95, are_pairs=False):
    """Return the difference of two means of scores over networks, with its interval.

    Test records and networks both differ by chance. The variance over records is that of the difference when the
    same records (whole groups) are drawn for all networks. To it are added the variances of both means over their
    networks, which differ in their weights and, of random sets, in their examples; of pairs of networks that share
    what is random but for the treatment, the variance of the mean difference of pairs. The interval is Student's, with
    Welch and Satterthwaite's degrees of freedom; of two networks it may be wider than scores can differ. One
    network tells nothing of its variance: then the interval leaves it out on that side.

    Args:
        first, second: `DrawnScores` of the same records, draws and seed.
        level: mass of the interval. Defaults to .95.
        are_pairs: whether the networks of both are pairs, in order. Defaults to False.

    Returns:
        dict name -> dict of `difference` (second - first), `low`, `high`, `draws`.

    Raises:
        ValueError: if pairs lack a network on one side.

    Source: Welch, "The generalization of 'Student's' problem when several different population variances are
    involved" (1947). Between records and networks nothing is paired, so their variances add up; what depends on
    both counts twice, which makes the interval a little wider than it need be.
    """
    counts = [len(scores.observed["accuracy"]) for scores in (first, second)]
    if are_pairs and counts[0] != counts[1]:
        raise ValueError(f"pairs have a network on both sides. Received: {counts[0]} and {counts[1]}")
    result = {}
    for name, of_networks in first.drawn.items():
        sample = second.drawn[name].mean(axis=0) - of_networks.mean(axis=0)
        values = [scores.observed[name] for scores in (first, second)]
        over_networks = [values[1] - values[0]] if are_pairs else values
        margin = _margin(sample, first.units, over_networks, level)
        difference = float(values[1].mean() - values[0].mean())
        result[name] = {
            "difference": difference,
            "low": difference - margin,
            "high": difference + margin,
            "draws": len(sample),
        }
    return result


def difference_over_splits(first, second, n_train, n_test, level=0.95):
    """Return the mean difference of scores on several random divisions of the same records, with its interval.

    Divisions share records, so that their differences are no independent draws: Student's interval with the variance
    of the mean taken as (1 / n + tested / trained) times that of one difference.

    Args:
        first, second: scores (n,) on the same n divisions, two or more.
        n_train, n_test: patients (or records, where each is one's own) that are trained and tested on.
        level: mass of the interval. Defaults to .95.

    Returns:
        dict of `difference` (second - first), `low`, `high`, `splits`.

    Source: Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52 (2003).
    """
    differences = np.asarray(second, np.float64) - np.asarray(first, np.float64)
    n = len(differences)
    margin = welch_margin([((1 / n + n_test / n_train) * differences.var(ddof=1), n - 1)], level)
    mean = float(differences.mean())
    return {"difference": mean, "low": mean - margin, "high": mean + margin, "splits": n}


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


def _margin(sample, units, over_networks, level):
    """Return half an interval's width: of draws of as many units, and of means of scores over networks."""
    parts = [(sample.var(ddof=1), units - 1)]
    parts += [(part.var(ddof=1) / len(part), len(part) - 1) for part in over_networks if len(part) > 1]
    return welch_margin(parts, level)


def _counted_scores(counts, f1_classes):
    """Return dict name -> (n,) of the scores that are made of confusion matrices (n, classes, classes)."""
    f1 = f1_from_confusion(counts)
    return {
        "accuracy": np.trace(counts, axis1=1, axis2=2) / counts.sum(axis=(1, 2)),
        "macro_f1": (f1 if f1_classes is None else f1[:, f1_classes]).mean(axis=1),
    }


def _draw_counted(truth, networks, unit, draws, seed, f1_classes):
    """Return dict name -> float64 (networks, draws) of the scores that are made of counts."""
    n_classes = networks[0].shape[1]
    one_hot = np.eye(n_classes**2, dtype=np.float32)
    cells = [one_hot[truth * n_classes + found.argmax(axis=1)] for found in networks]
    drawn = {name: np.empty((len(networks), draws)) for name in ("accuracy", "macro_f1")}
    for part, weights in draw_weights(len(truth), unit, draws, seed):
        weights = weights.astype(np.float32)
        for network, table in enumerate(cells):
            counts = (weights @ table).reshape(-1, n_classes, n_classes)
            for name, scores in _counted_scores(counts, f1_classes).items():
                drawn[name][network, part] = scores
    return drawn

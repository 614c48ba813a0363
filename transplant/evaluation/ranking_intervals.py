"""Bootstrap draws of what ranks the records: AUROC, AUPRC and min(+P, Se).

A draw gives each record a weight, the number of times that it was drawn. With
the records sorted by score once, the true and false positives at every
threshold are cumulative sums of the weights, and all three metrics follow from
them. Thresholds are the distinct scores: of records that tie, all are above a
threshold or none.

Only the thresholds at scores of members matter. Where a threshold falls from
there to one that adds non-members alone, the recall stays and the precision
sinks, so neither the largest min(+P, Se) nor the average precision changes.
"""

import numpy as np

from transplant.evaluation.metrics import ranked_columns

AUC_DRAWS = 2000
"""Draws of a ranking, which costs a pass over the records for each; the result states the number used."""

RANKINGS = ("roc_auc", "pr_auc", "min_precision_recall")

_CHUNK_VALUES = 400_000  # numbers held at once by a chunk of draws: 3 MB, which stay in the cache


def draw_rankings(truth, probabilities, unit, draws, seed):
    """Return the ranking metrics of resampled records, for several models on the same draws.

    A class that a draw leaves without members or non-members is left out of that
    draw's mean; a draw without any class that has both is left out.

    Args:
        truth: class indices int (n,).
        probabilities: sequence of float (n, classes), one for each model.
        unit: index of the group of each record int (n,), whole groups are drawn; None: records are.
        draws: number of draws.
        seed: seed of the draws.

    Returns:
        A list of one dict for each model: `roc_auc`, `pr_auc` and, of two classes,
        `min_precision_recall`, each float64 (draws less those left out,); all models
        have the same draws.
    """
    rankings = [_rankings(truth, y_prob) for y_prob in probabilities]
    names = RANKINGS if probabilities[0].shape[1] == 2 else RANKINGS[:2]
    values = np.full((len(rankings), len(names), draws), np.nan)
    if rankings[0]:
        for part, weights in draw_weights(len(truth), unit, draws, seed):
            for model, of_model in enumerate(rankings):
                scores = np.stack([ranking.scores(weights) for ranking in of_model])[:, : len(names)]
                values[model, :, part] = _mean_of_defined(scores)
    kept = ~np.isnan(values[0, 0])  # which classes a draw holds is the same for all models
    return [dict(zip(names, of_model[:, kept])) for of_model in values]


def chunks(draws, width):
    """Yield slices of the draws, each holding about `_CHUNK_VALUES` numbers of rows this wide."""
    size = max(1, _CHUNK_VALUES // max(1, width))
    for start in range(0, draws, size):
        yield slice(start, min(start + size, draws))


def draw_weights(n_records, unit, draws, seed):
    """Yield (slice of the draws, int32 (its draws, n_records)): how often each record was drawn."""
    rng = np.random.default_rng([seed, 1])
    n_units = n_records if unit is None else int(unit.max()) + 1
    for part in chunks(draws, n_records):
        size = part.stop - part.start
        chosen = rng.integers(n_units, size=(size, n_units)) + np.arange(size)[:, None] * n_units
        weights = np.bincount(chosen.reshape(-1), minlength=size * n_units).reshape(size, n_units).astype(np.int32)
        yield part, weights if unit is None else np.take(weights, unit, axis=1)


def _mean_of_defined(scores):
    """Return float64 (metrics, draws) of (classes, metrics, draws), NaN where no class is defined."""
    defined = ~np.isnan(scores)
    mean = np.where(defined, scores, 0).sum(axis=0) / np.maximum(defined.sum(axis=0), 1)
    return np.where(defined.any(axis=0), mean, np.nan)


def _rankings(truth, y_prob):
    found = []
    for column in ranked_columns(y_prob.shape[1]):
        member = truth == column
        if member.any() and not member.all():
            found.append(_Ranking(member, y_prob[:, column]))
    return found


class _Ranking:
    """The records sorted by the score of one class.

    Args:
        member: bool (n,), whether the record is of the class; some are, some are not.
        score: float (n,).
    """

    def __init__(self, member, score):
        self.members, self.others = (_sorted_by(score, np.flatnonzero(of_side)) for of_side in (member, ~member))
        own, other = score[self.members], score[self.others]
        self.others_below = np.searchsorted(other, own, side="left")
        self.others_up_to = np.searchsorted(other, own, side="right")
        self.members_below = np.searchsorted(own, own, side="left")

    def scores(self, weights):
        """Return float64 (3, draws), AUROC, AUPRC and min(+P, Se), of records weighted by int32 (draws, n).

        The AUROC is the share of (member, non-member) pairs in the right order, ties
        counting half. NaN where a side has no weight.
        """
        of_members = np.take(weights, self.members, axis=1)
        members, others = _cumulative(of_members), _cumulative(np.take(weights, self.others, axis=1))
        below = np.take(others, self.others_below, axis=1)
        n_members, n_others = (side[:, -1].astype(np.float64) for side in (members, others))
        # Sums of whole numbers, exact in any order.
        in_order = (of_members * (below + np.take(others, self.others_up_to, axis=1))).sum(axis=1) / 2
        found = np.full((3, len(weights)), np.nan)
        both = (n_members > 0) & (n_others > 0)
        np.divide(in_order, n_members * n_others, out=found[0], where=both)
        true_positive = members[:, -1:] - np.take(members, self.members_below, axis=1)
        predicted = true_positive + others[:, -1:] - below
        precision = true_positive / np.maximum(predicted, 1)
        np.divide((of_members * precision).sum(axis=1), n_members, out=found[1], where=both)
        recall = true_positive / np.maximum(n_members, 1)[:, None]
        found[2, both] = np.minimum(precision, recall).max(axis=1)[both]
        return found


def _sorted_by(score, rows):
    return rows[np.argsort(score[rows], kind="stable")]


def _cumulative(weights):
    """Return int64 (draws, n + 1): the sums of the first 0, 1, .. n weights."""
    sums = np.zeros((weights.shape[0], weights.shape[1] + 1), np.int64)
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums

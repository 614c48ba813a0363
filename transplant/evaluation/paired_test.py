"""A paired test over runs, where there are runs enough for one."""

import numpy as np

from transplant.errors import DataError

FEWEST_PAIRS = 10
"""Below it no p-value is given: five pairs, for one, can never fall below p = .0625."""

_SAME = 1e-12


def wilcoxon_signed_rank(scores_a, scores_b):
    """Test whether two rows of a comparison differ, over runs that were made in pairs.

    A pair is one seed or one fold of both rows. Pairs that are equal carry no
    sign and are left out. The test is two-sided and exact up to 50 pairs
    without ties. Folds share most of their training records, so that their
    p-value is too small rather than too large; seeds on one split say nothing
    about other records. For those see `paired_bootstrap`.

    Args:
        scores_a, scores_b: one score for each run (runs,), paired by position.

    Returns:
        dict with `p` (None below ten unequal pairs), `statistic` (likewise),
        `pairs` (those that differ), `median_difference` (b - a, over all pairs;
        None without any) and `reason` (why there is no p; else None).

    Raises:
        DataError: if the two do not pair, or a score is not finite.

    Source: Wilcoxon, "Individual Comparisons by Ranking Methods", Biometrics 1 (1945).
    """
    from scipy.stats import wilcoxon

    scores_a, scores_b = np.asarray(scores_a, np.float64), np.asarray(scores_b, np.float64)
    if scores_a.ndim != 1 or scores_a.shape != scores_b.shape:
        raise DataError(
            f"Paired scores are two lists of one length. Received: shapes {scores_a.shape} and {scores_b.shape}"
        )
    differences = scores_b - scores_a
    differences[np.abs(differences) < _SAME] = 0  # rounding is no difference
    if not np.isfinite(differences).all():
        raise DataError("Scores are finite numbers. Received: NaN or infinity")
    pairs = int(np.count_nonzero(differences))
    result = {
        "p": None,
        "statistic": None,
        "pairs": pairs,
        "median_difference": float(np.median(differences)) if differences.size else None,
        "reason": None,
    }
    if pairs < FEWEST_PAIRS:
        equal = f" ({len(differences) - pairs} more are equal)" if pairs < len(differences) else ""
        result["reason"] = f"a Wilcoxon test needs {FEWEST_PAIRS} pairs that differ; there are {pairs}{equal}"
        return result
    tested = wilcoxon(differences[differences != 0])
    return result | {"p": float(tested.pvalue), "statistic": float(tested.statistic)}

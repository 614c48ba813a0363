"""How nearly a student attends to what its teacher attends to."""

import numpy as np
from scipy.special import rel_entr

from transplant.errors import DataError

_LEAST = float(np.finfo(np.float32).tiny)  # what is below it in a softmax of float32 is as good as 0


def attention_agreement(teacher, student):
    """Return how far a student's attention is from its teacher's, over the same records.

    Args:
        teacher: attention A_r (records, segments); every record's is not negative and adds up to 1.
        student: attention A_p (records, segments).

    Returns:
        dict: "kl", the mean of KL(A_p, A_r) in nats, finite because a teacher's 0 counts as the least normal number
        of float32; "total_variation", the mean of half the sum of |A_p - A_r|, 0 to 1; "same_peak", the share of
        records whose most attended segment (of equal ones the first) is the same.

    Raises:
        DataError: if they are not two arrays of one shape (records, segments) with a record or more.

    Source: equation 10 of Hong et al., "RDPD: Rich Data Helps Poor Data via Imitation" (IJCAI 2019); here without the
    loss's least value inside of the logarithm.

    Example:
        >>> attention_agreement([[0.5, 0.5]], [[0.75, 0.25]])["total_variation"]
        0.25
    """
    teacher, student = np.asarray(teacher, np.float64), np.asarray(student, np.float64)
    if teacher.ndim != 2 or teacher.shape != student.shape or not teacher.size:
        raise DataError(
            "attention of teacher and student is (records, segments) of the same records. Received: shapes "
            f"{teacher.shape} and {student.shape}"
        )
    return {
        "kl": float(rel_entr(student, np.maximum(teacher, _LEAST)).sum(axis=1).mean()),
        "total_variation": float(np.abs(student - teacher).sum(axis=1).mean() / 2),
        "same_peak": float((student.argmax(axis=1) == teacher.argmax(axis=1)).mean()),
    }

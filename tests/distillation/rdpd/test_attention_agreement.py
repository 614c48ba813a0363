"""Agreement of attention: against scipy, and numbers worked by hand."""

import math

import numpy as np
import pytest
from scipy.stats import entropy

from distillation.rdpd.attention_agreement import attention_agreement
from transplant.errors import DataError


def test_divergence_is_scipys_of_the_student_from_the_teacher():
    rng = np.random.default_rng(0)
    teacher, student = rng.dirichlet(np.ones(5), 40), rng.dirichlet(np.ones(5), 40)
    found = attention_agreement(teacher, student)
    assert found["kl"] == pytest.approx(entropy(student, teacher, axis=1).mean(), rel=1e-12)
    assert found["kl"] != pytest.approx(entropy(teacher, student, axis=1).mean(), rel=1e-2)


def test_worked_by_hand():
    teacher = [[0.5, 0.25, 0.25], [0.2, 0.6, 0.2]]
    student = [[0.25, 0.5, 0.25], [0.2, 0.6, 0.2]]
    found = attention_agreement(teacher, student)
    # (.25 log(1/2) + .5 log 2 + 0) / 2 records; half of (.25 + .25) / 2 records; only the second record's peak.
    assert found["kl"] == pytest.approx(0.125 * math.log(2))
    assert found["total_variation"] == pytest.approx(0.125)
    assert found["same_peak"] == 0.5


def test_what_the_teacher_leaves_out_altogether_is_as_far_as_float32_can_tell():
    assert attention_agreement([[1.0, 0.0]], [[1.0, 0.0]]) == {"kl": 0.0, "total_variation": 0.0, "same_peak": 1.0}
    found = attention_agreement([[1.0, 0.0]], [[0.0, 1.0]])
    # 2^-126 is the least normal number of float32.
    assert found == {"kl": pytest.approx(126 * math.log(2)), "total_variation": 1.0, "same_peak": 0.0}


def test_of_equal_segments_the_first_is_the_peak():
    assert attention_agreement([[0.5, 0.5]], [[0.6, 0.4]])["same_peak"] == 1.0
    assert attention_agreement([[0.5, 0.5]], [[0.4, 0.6]])["same_peak"] == 0.0


@pytest.mark.parametrize("shapes", [((3, 4), (3, 5)), ((3, 4), (2, 4)), ((4,), (4,)), ((0, 4), (0, 4))])
def test_other_shapes_are_refused(shapes):
    with pytest.raises(DataError, match=r"\(records, segments\).*Received: shapes \("):
        attention_agreement(*(np.full(shape, 0.25) for shape in shapes))

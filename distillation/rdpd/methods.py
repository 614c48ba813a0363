"""The five ways to train a student, and the choices that the paper leaves open.

Command lines import this file for their help, so it imports nothing heavy.
"""

HARD, SOFT, ATTENTION, COMBINED = "hard", "soft", "attention", "combined"

METHODS = {
    "direct": (HARD,),
    "kd": (HARD, SOFT),
    "rdpd-r1": (HARD, SOFT, COMBINED),
    "rdpd-r2": (HARD, SOFT, ATTENTION),
    "rdpd": (HARD, SOFT, ATTENTION, COMBINED),
}
"""Method -> terms of its loss, each of weight 1 (Hong et al. 2019, section 4.2)."""

STUDENT_TEACHER, TEACHER_STUDENT = "student-teacher", "teacher-student"
"""Directions of the attention's KL divergence: the paper's equation 10, KL(A_p, A_r), and its public code's."""


def needs_teacher(method):
    """Return whether a method's student imitates a teacher."""
    return len(METHODS[method]) > 1

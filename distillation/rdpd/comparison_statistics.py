"""Scores of a comparison's rows over seeds, differences between them with intervals, and agreement of attention."""

import dataclasses

import numpy as np

from distillation.rdpd.attention_agreement import attention_agreement
from distillation.rdpd.results import read_answers, read_scores
from distillation.rdpd.scores import NAMES
from transplant.errors import JobError
from transplant.evaluation.network_means import difference_of_means, difference_over_splits, draw_scores
from transplant.evaluation.run_table import mean_and_std
from transplant.training.split_options import units_of

COMPARED = ("roc_auc", "pr_auc", "macro_f1")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a teacher or student gave on the test records of each seed.

    Attributes:
        scores: list of dict score name -> value, one a seed.
        answers: list of `Answers`, one a seed.
    """

    scores: list
    answers: list

    @classmethod
    def read(cls, folders, name):
        """Read the outcome of a row.

        Args:
            folders: of its runs, one a seed.
            name: "teacher" or "student".
        """
        return cls(
            [read_scores(folder, name) for folder in folders], [read_answers(folder, name) for folder in folders]
        )

    def check_records(self, tests):
        """Check that the answers are of these test records.

        Args:
            tests: `LabelledSet`s, one a seed, or one for all seeds.

        Raises:
            JobError: if they are of others.
        """
        for answers, test in zip(self.answers, tests * len(self.answers) if len(tests) == 1 else tests):
            if answers.record_ids != test.record_ids.tolist():
                raise JobError(
                    "a comparison's runs are tested on the same records. Received: predictions of others in the job "
                    "folder; choose another --job-dir"
                )

    def summary(self):
        """Return dict score name -> `mean_and_std`, None of a score that is nowhere defined."""
        found = {}
        for name in NAMES:
            values = [scores[name] for scores in self.scores if scores[name] is not None]
            found[name] = mean_and_std(values) if values else None
        return found

    def agreement(self, teacher):
        """Return dict of the measures of `attention_agreement` -> `mean_and_std` over seeds.

        Args:
            teacher: `Outcome` of the teachers.
        """
        pairs = zip(teacher.answers, self.answers)
        found = [attention_agreement(rich.attention, poor.attention) for rich, poor in pairs]
        return {name: mean_and_std([of_seed[name] for of_seed in found]) for name in found[0]}


class FixedSplitDifferences:
    """Differences of rows that are tested on the same records: intervals over records (whole groups) and seeds.

    Args:
        problem: `Problem` of all seeds.
        n_seeds: how many there are; of one, intervals are over records alone.
    """

    note = "intervals: 95%, over test {units} {seeds} (Student's, Welch-Satterthwaite); one division of the patients"

    def __init__(self, problem, n_seeds):
        test = problem.test
        self._truth = test.y
        patients = len(set(test.group_ids.tolist()))
        self._groups = None if patients in (1, len(test)) else test.group_ids
        units = "records of one patient, which say nothing of others," if patients == 1 else "patients"
        units = "records" if patients == len(test) else units
        seeds = (
            "and over seeds, of which both rows have the same ones"
            if n_seeds > 1
            else "alone, because there is one seed"
        )
        self.note = self.note.format(units=units, seeds=seeds)
        self._drawn = {}

    def between(self, key, outcome, other_key, other):
        """Return dict score name -> dict of difference, low and high of the first row less the other one.

        Args:
            key, other_key: of the rows, by which their draws are kept.
            outcome, other: their `Outcome`s, of the same seeds.
        """
        return difference_of_means(self._draw(other_key, other), self._draw(key, outcome), are_pairs=True)

    def _draw(self, key, outcome):
        if key not in self._drawn:
            networks = [answers.probabilities for answers in outcome.answers]
            self._drawn[key] = draw_scores(self._truth, networks, self._groups, f1_classes=np.unique(self._truth))
        return self._drawn[key]


class SplitDifferences:
    """Differences of rows whose seeds each have a division of the patients.

    Args:
        problems: list of `Problem`, one a seed.
        split: how records are divided, "group", "random" or "published".
    """

    note = (
        "intervals: 95%, over the divisions of the patients, which share patients (Student's, variance times 1/n + "
        "tested/trained; Nadeau and Bengio 2003)"
    )

    def __init__(self, problems, split):
        parts = [part for problem in problems for part in (problem.train, problem.test)]
        sizes = [len(set(units_of(part, split).tolist())) for part in parts]
        self._n_train, self._n_test = np.mean(np.reshape(sizes, (-1, 2)), axis=0)

    def between(self, key, outcome, other_key, other):
        """Return what `FixedSplitDifferences.between` returns; the keys are not needed."""
        found = {}
        for name in COMPARED:
            values = [[scores[name] for scores in row.scores] for row in (other, outcome)]
            known = [pair for pair in zip(*values) if None not in pair]
            if len(known) > 1:
                found[name] = difference_over_splits(*zip(*known), self._n_train, self._n_test)
        return found

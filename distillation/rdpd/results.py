"""What a run leaves of its networks: predictions, attention and scores, written and read."""

import dataclasses
import json
import pathlib
import zipfile

import numpy as np
import scipy.special

from distillation.rdpd.scores import NAMES, rdpd_scores
from transplant.atomic import atomic_path
from transplant.errors import JobError
from transplant.evaluation.predictions import read_predictions, write_predictions
from transplant.evaluation.report import SYNTHETIC_NOTE, fixed_width, number, write_metrics

PARTS = ("validation", "test")
METRICS = "metrics.json"


@dataclasses.dataclass(frozen=True)
class Answers:
    """What a network says of the records of a part.

    Attributes:
        probabilities: (records, classes).
        attention: (records, segments).
        record_ids: their names.
    """

    probabilities: np.ndarray
    attention: np.ndarray
    record_ids: list


def evidence_note(data):
    """Return the line that says of a synthetic `LabelledSet` what its scores are worth, or None of a real one."""
    return SYNTHETIC_NOTE if data.dataset.startswith("synthetic") else None


def absent_classes(problem):
    """Return a line for each part of a `Problem` that lacks classes: which ones, and what the scores make of it."""
    lines = []
    for part in PARTS:
        absent = [name for name, count in getattr(problem, part).counts().items() if not count]
        if absent:
            lines.append(f"{part} has no records of {', '.join(absent)}: scores are means over the other classes")
    return lines


def write_results(job, answers, problem, facts):
    """Score networks and write predictions, attention and, last, scores.

    Args:
        job: folder.
        answers: dict network name -> part -> (logits, attention).
        problem: `Problem`.
        facts: dict of what else metrics.json says.

    Returns:
        dict network name -> part -> scores.
    """
    found = {}
    for name, of_network in answers.items():
        found[name] = {}
        for part, (logits, attention) in of_network.items():
            data = getattr(problem, part)
            probabilities = scipy.special.softmax(logits, axis=1)
            found[name][part] = rdpd_scores(data.y, probabilities)
            path = job / f"{name}_{part}_predictions.csv"
            write_predictions(path, data.record_ids.tolist(), data.one_hot(), probabilities, data.classes)
            with atomic_path(job / f"{name}_{part}_attention.npz") as temporary:
                np.savez(temporary, attention=attention, record_ids=data.record_ids)
    write_metrics(job / METRICS, found | facts)
    return found


def read_answers(job, name, part="test"):
    """Return the `Answers` of a network that `write_results` left.

    Args:
        job: folder.
        name: "teacher" or "student".
        part: "validation" or "test". Defaults to the test.

    Raises:
        DataError: if the predictions are damaged.
        JobError: if the attention is.
    """
    path = pathlib.Path(job) / f"{name}_{part}_attention.npz"
    predictions = read_predictions(path.with_name(f"{name}_{part}_predictions.csv"))
    try:
        with np.load(path, allow_pickle=False) as file:
            attention = file["attention"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise JobError(f"{path}: attention of records. Received: {error}; remove {path.parent}, run again") from error
    return Answers(predictions["y_prob"], attention, predictions["record_names"])


def read_scores(job, name, part="test"):
    """Return dict score name -> value of a network that `write_results` left."""
    path = pathlib.Path(job) / METRICS
    try:
        return json.loads(path.read_text())[name][part]
    except (ValueError, KeyError) as error:
        raise JobError(f"{path}: scores of the {name}. Received: {error!r}; remove {job}, run again") from error


def results_table(found):
    """Lay out scores for a terminal.

    Args:
        found: of `write_results`.
    """
    lines = [["", "part", *NAMES.values()]]
    for name, of_parts in found.items():
        for part, scores in of_parts.items():
            lines.append([name, part, *(number(scores[key]) for key in NAMES)])
    return fixed_width(lines)

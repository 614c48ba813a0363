"""An RDPD run from the data to the scores of teacher and student; reads top to bottom."""

import dataclasses

import numpy as np
import scipy.special

from distillation.problem import load_problem
from distillation.rdpd.imitation import LABELS, TEACHER_ATTENTION, TEACHER_LOGITS, build_imitation
from distillation.rdpd.methods import METHODS, needs_teacher
from distillation.rdpd.scores import NAMES, rdpd_scores
from distillation.rdpd.settings import TrainingSettings, student_size, teacher_size, temperature_of
from distillation.rdpd.teacher import TASK, load_teacher, teacher_outputs, train_teacher
from distillation.rdpd.training import network_outputs, train
from distillation.rdpd.views import poor_columns, poor_view
from transplant.atomic import atomic_path
from transplant.errors import DataError
from transplant.evaluation.predictions import write_predictions
from transplant.evaluation.report import fixed_width, write_metrics
from transplant.modules.segment_rnn import build_segment_rnn
from transplant.training.description import ModelDescription
from transplant.training.runtime import seed_everything

STUDENT_TASK = "rdpd student"
PARTS = ("validation", "test")


def imitate(args, job, log=print):
    """Train teacher and student and leave weights, predictions, attention and scores in the job folder.

    Args:
        args: options of `distillation.rdpd.trainer`.
        job: job folder.
        log: function that takes a line.

    Returns:
        dict "teacher", "student" -> part -> scores; without a teacher where the method has none.
    """
    seed_everything(args.seed)
    problem = load_problem(args, log)
    data = problem.train
    if data.x.ndim != 3:
        raise DataError(f"{data.dataset}: signals or tables are needed. Received: images; choose another data set")
    columns = poor_columns(data.leads, args.poor_leads)
    rich_size = teacher_size(args, data)
    poor_size = student_size(args, rich_size, len(data.leads), len(columns))
    temperature = temperature_of(args, data)
    settings = TrainingSettings(
        args.epochs, args.patience, args.batch_size, args.learning_rate, args.monitor, args.seed
    )
    log(f"normalisation: {problem.normalization}")
    for part in PARTS:
        absent = [name for name, count in getattr(problem, part).counts().items() if not count]
        if absent:
            log(f"{part} has no records of {', '.join(absent)}: means are over the other classes")
    teacher, outputs, networks = None, {}, {}
    if needs_teacher(args.method):
        teacher = _teacher(args, problem, rich_size, temperature, settings, job, log)
        fingerprint = data.fingerprint()
        logits, attention = teacher_outputs(teacher, problem.inputs("train"), fingerprint, job, settings.batch_size)
        outputs = {TEACHER_LOGITS: logits, TEACHER_ATTENTION: attention}
        networks["teacher"] = teacher.network, slice(None)
    networks["student"] = (
        _student(args, problem, columns, poor_size, temperature, outputs, settings, job, log),
        columns,
    )
    return _report(args, networks, problem, settings.batch_size, job, log)


def _teacher(args, problem, size, temperature, settings, job, log):
    if args.teacher:
        return load_teacher(args.teacher, problem, size, log)
    hard_temperature = temperature if args.teacher_temperature is None else args.teacher_temperature
    description = _describe(problem, range(len(problem.train.leads)), size, TASK, args.seed)
    return train_teacher(problem, size, hard_temperature, settings, description, job, log)


def _student(args, problem, columns, size, temperature, outputs, settings, job, log):
    data = problem.train
    leads = [data.leads[column] for column in columns]
    network = build_segment_rnn((data.length, len(columns)), len(data.classes), size, settings.seed, "student")
    log(f"student: {', '.join(leads)}; {args.method}, T = {temperature:g}; {network.count_params():,} parameters")
    model = build_imitation(network, METHODS[args.method], temperature, args.attention_direction, args.bias_per_class)
    validation = poor_view(problem.inputs("validation"), columns), problem.validation.y
    targets = {LABELS: data.y.astype(np.int32)} | outputs
    description = _describe(problem, columns, size, STUDENT_TASK, args.seed)
    train(model, poor_view(problem.inputs("train"), columns), targets, validation, settings, description, job, log)
    network.save(job / "student.keras")
    return network


def _describe(problem, columns, size, task, seed):
    """Return the `ModelDescription` of a network that sees these columns."""
    data = problem.train
    return ModelDescription(
        architecture="segment_rnn",
        stages=1,
        leads=[data.leads[column] for column in columns],
        sampling_rate_hz=data.sampling_rate_hz,
        unit=data.unit,
        normalization=problem.normalization.select(columns),
        input_length=data.length,
        task=task,
        classes=data.classes,
        data={"name": data.dataset, "fingerprint": data.fingerprint(), "size": dataclasses.asdict(size)},
        seed=seed,
    )


def _report(args, networks, problem, batch_size, job, log):
    """Score every network on validation and test; write predictions, attention and scores."""
    found, lines = {}, [["", "part", *NAMES.values()]]
    for name, (network, columns) in networks.items():
        found[name] = {}
        for part in PARTS:
            data = getattr(problem, part)
            logits, attention = network_outputs(network, poor_view(problem.inputs(part), columns), batch_size)
            probabilities = scipy.special.softmax(logits, axis=1)
            scores = found[name][part] = rdpd_scores(data.y, probabilities)
            lines.append([name, part, *("" if scores[key] is None else f"{scores[key]:.3f}" for key in NAMES)])
            path = job / f"{name}_{part}_predictions.csv"
            write_predictions(path, data.record_ids.tolist(), data.one_hot(), probabilities, data.classes)
            with atomic_path(job / f"{name}_{part}_attention.npz") as temporary:
                np.savez(temporary, attention=attention, record_ids=data.record_ids)
    write_metrics(job / "metrics.json", found | {"method": args.method, "poor_leads": args.poor_leads})
    log(fixed_width(lines))
    if problem.train.dataset.startswith("synthetic"):
        log("synthetic recordings: these numbers are not evidence of anything clinical")
    return found

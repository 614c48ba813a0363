"""An RDPD run from the data to the scores of teacher and student; reads top to bottom."""

import dataclasses

import numpy as np

from distillation.problem import load_problem
from distillation.rdpd.imitation import HAS_TEACHER, LABELS, TEACHER_ATTENTION, TEACHER_LOGITS, build_imitation
from distillation.rdpd.methods import METHODS, needs_teacher
from distillation.rdpd.noise import add_noise
from distillation.rdpd.pretrained_backbone import PretrainedBackbone
from distillation.rdpd.results import PARTS, absent_classes, evidence_note, results_table, write_results
from distillation.rdpd.settings import design_of
from distillation.rdpd.teacher import (
    RICH_RECORDS,
    TASK,
    check_teacher,
    load_teacher,
    mark_of,
    read_teacher,
    teacher_outputs,
    train_teacher,
)
from distillation.rdpd.training import answers_by, train
from distillation.rdpd.views import poor_view, rich_rows, value_columns
from transplant.modules.segment_rnn import build_segment_rnn
from transplant.training.description import ModelDescription
from transplant.training.runtime import seed_everything

STUDENT_TASK = "rdpd student"


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
    trained = read_teacher(args.teacher) if args.teacher else None
    problem = load_problem(args, log)
    if trained:
        check_teacher(trained, problem)
    design = design_of(args, problem.train, trained=trained and trained.description.data["size"])
    log(f"normalisation: {problem.normalization}")
    for line in absent_classes(problem):
        log(line)
    networks, outputs = {}, {}
    if needs_teacher(args.method):
        # Which records a teacher saw is a matter of its seed, not of its student's.
        seed = trained.description.seed if trained else args.seed
        rows = rich_rows(problem.train, args.split, args.rich_share, seed)
        if trained:
            teacher = load_teacher(trained, problem, rows, design.rich_size, log)
        else:
            teacher = make_teacher(args, problem, design, rows, job, log)
        outputs = imitated_outputs(problem, design, rows, teacher, job)
        networks["teacher"] = teacher.network
    networks["student"] = make_student(args, problem, design, outputs, job, log)
    answers = {name: answers_of(name, network, args, problem, design) for name, network in networks.items()}
    found = write_results(job, answers, problem, {"method": args.method, "poor_leads": args.poor_leads})
    log(results_table(found))
    if note := evidence_note(problem.train):
        log(note)
    log(f"wrote student.keras, metrics.json, predictions and figures to {job}")
    if "teacher" in networks:
        log(f"does the teacher help? {_without_teacher(args, design)} says, or distillation.rdpd.compare")
    return found


def _without_teacher(args, design):
    """Return in words which command trains the same student without a teacher."""
    command = "the same command with --method direct and another --job-dir"
    if args.teacher_backbone:
        return f"{command}, without --teacher-backbone,"
    if not args.teacher:
        return command
    # Beside --teacher a student's sizes are of that teacher.
    size = dataclasses.asdict(design.poor_size)
    flags = [f"--student-{name} {size.pop(name)}" for name in ("filters", "hidden")]
    flags += [f"--{name} {value}" for name, value in size.items()]
    return f"{command}, without --teacher, with {' '.join(flags)},"


def make_teacher(args, problem, design, rows, job, log=print):
    """Train the teacher in its folder of a job, or go on with it.

    Args:
        args: options of `distillation.rdpd.trainer`.
        problem: `Problem`.
        design: `Design`.
        rows: training records that have all channels, of `rich_rows`.
        job: job folder.
        log: function that takes a line.

    Returns:
        `Teacher`.
    """
    if len(rows) < len(problem.train):
        log(f"{len(rows):,} of {len(problem.train):,} training records have all channels")
    leads = range(len(problem.train.leads))
    seen = {RICH_RECORDS: mark_of(rows, problem.train)}
    description = _describe(problem, leads, design.rich_size, TASK, args.seed, seen)
    backbone = None
    if args.teacher_backbone:
        backbone = PretrainedBackbone.read(args.teacher_backbone, problem.train, args.backbone_rate)
        description = backbone.describe(description, design.rich_size.segment)
    return train_teacher(problem, rows, design, description, job, log, backbone)


def imitated_outputs(problem, design, rows, teacher, job):
    """Return what the teacher says of the training records that have all channels, as targets of a student.

    Args:
        problem, design, rows, job: as `make_teacher` takes them.
        teacher: `Teacher`.
    """
    data = problem.train
    stamp = f"{data.fingerprint()} {mark_of(rows, data)}"
    parts = teacher_outputs(teacher, problem.inputs("train")[rows], stamp, job, design.training.batch_size)
    targets = dict(zip((TEACHER_LOGITS, TEACHER_ATTENTION), parts))
    if len(rows) == len(data):
        return targets
    targets[HAS_TEACHER] = np.ones(len(rows), np.float32)
    return {name: _spread(values, rows, len(data)) for name, values in targets.items()}


def _spread(values, rows, n_records):
    """Return values of some records as those of all, 0 where there are none."""
    spread = np.zeros((n_records, *values.shape[1:]), values.dtype)
    spread[rows] = values
    return spread


def make_student(args, problem, design, outputs, job, log=print):
    """Train the student in a job folder, or go on with it.

    Args:
        args, problem, design, job, log: as `make_teacher` takes them.
        outputs: of `imitated_outputs`; empty where the method has no teacher.

    Returns:
        Its network, with the best weights.
    """
    data, columns, size = problem.train, design.columns, design.poor_size
    network = build_segment_rnn((data.length, len(columns)), len(data.classes), size, args.seed, "student")
    leads = ", ".join(data.leads[column] for column in columns)
    method = f"{args.method}, T = {design.temperature:g}" if needs_teacher(args.method) else args.method
    log(f"student: {leads}; {method}; {network.count_params():,} parameters")
    if args.noise:
        log(f"noise on what it sees: {args.noise:g} x {args.noise_kind}")
    model = build_imitation(
        network, METHODS[args.method], design.temperature, args.attention_direction, args.bias_per_class
    )
    train(
        model,
        student_inputs(args, problem, design, "train"),
        {LABELS: data.y.astype(np.int32)} | outputs,
        (student_inputs(args, problem, design, "validation"), problem.validation.y),
        design.training,
        _describe(problem, columns, size, STUDENT_TASK, args.seed),
        job,
        log,
    )
    network.save(job / "student.keras")
    return network


def student_inputs(args, problem, design, part):
    """Return the standardised records of a part as the student sees them, with the noise of the options.

    Args:
        args, problem, design: as `make_teacher` takes them.
        part: "train", "validation" or "test".
    """
    view = poor_view(problem.inputs(part), design.columns)
    noisy = value_columns([problem.train.leads[column] for column in design.columns])
    return add_noise(view, noisy, args.noise, args.noise_kind, args.seed, part)


def answers_of(name, network, args, problem, design):
    """Return dict part -> (logits, attention) of "teacher" or "student" on validation and test."""
    answer = answers_by(network, design.training.batch_size)
    if name == "student":
        return {part: answer(student_inputs(args, problem, design, part)) for part in PARTS}
    return {part: answer(problem.inputs(part)) for part in PARTS}


def _describe(problem, columns, size, task, seed, facts=None):
    """Return the `ModelDescription` of a network that sees these columns, with what else is to be said of its data."""
    data = problem.train
    of_data = {"name": data.dataset, "fingerprint": data.fingerprint(), "size": dataclasses.asdict(size)}
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
        data=of_data | (facts or {}),
        seed=seed,
    )

"""The report of a comparison: comparison.json, comparison.md, figures, and the tables on the terminal."""

from distillation.rdpd.comparison_figures import draw_cases, plot_differences, plot_sweeps
from distillation.rdpd.comparison_statistics import FixedSplitDifferences, Outcome, SplitDifferences
from distillation.rdpd.comparison_tables import difference_lines, page, score_lines
from distillation.rdpd.complexity import complexity_row, complexity_table
from distillation.rdpd.conditions import AXES, name_conditions
from distillation.rdpd.results import absent_classes, evidence_note
from distillation.rdpd.teacher import FOLDER as TEACHER_FOLDER
from distillation.rdpd.teacher import build_teacher
from transplant.atomic import atomic_path
from transplant.evaluation.report import fixed_width, write_metrics
from transplant.modules.segment_rnn import build_segment_rnn
from transplant.training.loop import BEST_WEIGHTS
from transplant.training.weights import read_weights

REFERENCES = ("direct", "kd")
"""Methods that every other one is compared with, where they are among the rows."""

TRAINING = ("epochs", "patience", "batch_size", "learning_rate", "monitor", "teacher_temperature")
"""Options that the report repeats; config.json has all."""

FEW_SEEDS = 5
FEW_SEEDS_NOTE = "; of so few seeds they may be wider than scores can differ"


def write_report(args, conditions, folder_of, problem_of, designs, job, log=print):
    """Report on a finished comparison.

    Files in the job folder: comparison.json, comparison.md, differences.png, sweep_AXIS_VIEW.png of each axis with
    several values, and case_VIEW_N.png.

    Args:
        args: options of `distillation.rdpd.compare`.
        conditions: list of `Condition`.
        folder_of: function (condition or teacher's condition, seed) -> folder of that run.
        problem_of: function seed -> `Problem`.
        designs: dict condition -> `Design` of its runs.
        job: folder of the comparison.
        log: function that takes a line.

    Returns:
        dict: what comparison.json has.
    """
    teachers, students = read_outcomes(conditions, args.seeds, folder_of)
    if args.split_per_seed:
        problems = [problem_of(seed) for seed in args.seeds]
        differences = SplitDifferences(problems, args.split)
    else:
        problems = [problem_of(args.seeds[0])]
        differences = FixedSplitDifferences(problems[0], len(args.seeds))
    for outcome in (*teachers.values(), *students.values()):
        outcome.check_records([problem.test for problem in problems])
    names = name_conditions(conditions)
    # With a temperature of its own, a teacher does not depend on that of the students.
    follows = args.teacher_temperature is None
    rows = [_teacher_row(condition, outcome, follows) for condition, outcome in teachers.items()]
    for condition in conditions:
        row = _student_row(condition, students[condition], names[condition])
        teacher = condition.teacher or next(iter(teachers), None)
        row["agreement"] = students[condition].agreement(teachers[teacher]) if teacher else None
        row["differences"] = _differences(condition, conditions, students, differences)
        rows.append(row)
    data = problems[0].train
    report = {
        "data": data.summary,
        "evidence": evidence_note(data),
        "training": {name: getattr(args, name) for name in TRAINING},
        "axes": {axis: _values_on(axis, conditions) for axis in AXES},
        "seeds": args.seeds,
        "intervals": differences.note + (FEW_SEEDS_NOTE if 1 < len(args.seeds) < FEW_SEEDS else ""),
        "absent": [
            f"seed {seed}: {line}" for seed, problem in zip(args.seeds, problems) for line in absent_classes(problem)
        ],
        "rows": rows,
        "complexity": _complexity(designs, teachers, data, lambda one: folder_of(one, args.seeds[0])),
    }
    write_metrics(job / "comparison.json", report)
    figures = plot_sweeps(report, job)
    if any(row["differences"] for row in rows if row["method"] != "teacher"):
        figures.append(plot_differences(report, job))
    if args.cases:
        figures += draw_cases(args, conditions, teachers, students, problems[0], job)
    with atomic_path(job / "comparison.md") as temporary:
        temporary.write_text(page(report, figures), encoding="utf-8")
    log(fixed_width(score_lines(report, " +- ")))
    lines = difference_lines(report)
    if len(lines) > 1:
        log(f"{fixed_width(lines)}\n{report['intervals']}")
    log(complexity_table(report["complexity"]))
    if report["evidence"]:
        log(report["evidence"])
    log(f"wrote {job / 'comparison.md'} and .json, {len(figures)} figures")
    return report


def read_outcomes(conditions, seeds, folder_of):
    """Return dict of teachers' conditions -> `Outcome`, and one of students' conditions.

    Args:
        conditions, seeds, folder_of: as `write_report` takes them.
    """
    teachers = dict.fromkeys(condition.teacher for condition in conditions if condition.teacher)

    def read(condition, name):
        return Outcome.read([folder_of(condition, seed) for seed in seeds], name)

    return (
        {condition: read(condition, "teacher") for condition in teachers},
        {condition: read(condition, "student") for condition in conditions},
    )


def _values_on(axis, conditions):
    """Return what the conditions have on one of `AXES`, in order, each once; nothing where none has a teacher."""
    values = dict.fromkeys(condition.value_on(axis) for condition in conditions)
    return [value for value in values if value is not None]


def _teacher_row(condition, outcome, follows):
    return {
        "name": f"teacher, T = {condition.temperature:g}, rich {condition.rich_share:.0%}",
        "view": "all",
        "method": "teacher",
        "temperature": condition.temperature if follows else None,
        "rich_share": condition.rich_share,
        "noise": None,
        "runs": len(outcome.scores),
        "scores": outcome.summary(),
        "agreement": None,
        "differences": {},
    }


def _student_row(condition, outcome, name):
    return {
        "name": name,
        "view": condition.view,
        "method": condition.method,
        "temperature": condition.temperature,
        "rich_share": condition.value_on("rich_share"),
        "noise": condition.noise,
        "runs": len(outcome.scores),
        "scores": outcome.summary(),
    }


def _differences(condition, conditions, students, differences):
    """Return dict name of a reference -> score name -> difference, low and high."""
    found = {}
    for method in REFERENCES:
        other = condition.like(method, conditions)
        if other and other != condition and condition.method != REFERENCES[0]:
            found[method] = differences.between(condition, students[condition], other, students[other])
    return {method: values for method, values in found.items() if values}


def _complexity(designs, teachers, data, folder_of):
    """Return dict name -> `complexity_row` of the teacher, as its weights describe it, and of each view's student."""
    networks = {}
    if teachers:
        file = folder_of(next(iter(teachers))) / TEACHER_FOLDER / BEST_WEIGHTS
        networks["teacher"] = build_teacher(read_weights(file).description, 0)
    sizes = {condition.view: (len(design.columns), design.poor_size) for condition, design in designs.items()}
    for view, (channels, size) in sizes.items():
        networks[f"student, {view}"] = build_segment_rnn((data.length, channels), len(data.classes), size, 0)
    return {name: complexity_row(network) for name, network in networks.items()}

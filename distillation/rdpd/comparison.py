"""A comparison of RDPD's methods: all of its runs, one after the other, and then the report."""

import argparse
import functools
import itertools

from distillation.problem import load_problem
from distillation.rdpd.comparison_report import write_report
from distillation.rdpd.conditions import expand_conditions, name_conditions
from distillation.rdpd.pretrained_backbone import PretrainedBackbone
from distillation.rdpd.results import METRICS, read_scores, write_results
from distillation.rdpd.run import answers_of, imitated_outputs, make_student, make_teacher
from distillation.rdpd.settings import design_of, temperature_of
from distillation.rdpd.views import rich_rows
from transplant.errors import JobError, OptionError
from transplant.training.folder_lock import folder_lock
from transplant.training.job import open_job, record_free
from transplant.training.progress import Progress
from transplant.training.runtime import seed_everything

# What may differ when a comparison goes on: each run's folder says what it is of these.
_FREE = frozenset({"job_dir", "poor_leads", "methods", "temperature", "rich_share", "noise", "seeds", "cases"})


def run_comparison(args, log=print):
    """Perform the runs that are not finished, then report on all.

    Files in the job folder: teachers/T.../seed_S and students/VIEW/METHOD.../seed_S, as those of
    `distillation.rdpd.trainer`, and what `write_report` lists.

    Args:
        args: options of `distillation.rdpd.compare`.
        log: function that takes a line.

    Returns:
        what `write_report` returns.

    Raises:
        JobError: if another process works on it.
        OptionError: if a value is given twice.
    """
    if len(set(args.seeds)) < len(args.seeds):
        raise OptionError(f"a run counts once. Received: --seeds {' '.join(map(str, args.seeds))}; give each seed once")
    problem_of = _problems(args, log)
    data = problem_of(args.seeds[0]).train
    temperatures = args.temperature or [temperature_of(argparse.Namespace(temperature=None), data)]
    conditions = expand_conditions(
        args.poor_leads, args.methods, temperatures, args.rich_share, args.noise, args.teacher_temperature
    )
    # Before hours are spent on the first ones.
    designs = {condition: design_of(_options(args, condition, args.seeds[0]), data) for condition in conditions}
    _check_early(args, problem_of)
    options = vars(args) | {"fingerprints": list(problem_of(None).fingerprints().values())}
    job = open_job(args.job_dir, "distillation.rdpd.compare", options, True, _FREE)
    with folder_lock(job) as is_free:
        if not is_free:
            raise JobError(f"{job}: another process works on this comparison; wait for it, or choose another --job-dir")
        record_free(job, vars(args), _FREE)
        folder_of = functools.partial(_run_folder, job)
        _perform(args, conditions, problem_of, folder_of, log)
        return write_report(args, conditions, folder_of, problem_of, designs, job, log)


def _problems(args, log):
    """Return a function seed -> `Problem`, of None that of `--split-seed`; one that all seeds share is read once."""

    @functools.lru_cache(maxsize=1)
    def load(split_seed):
        return load_problem(argparse.Namespace(**vars(args) | {"split_seed": split_seed}), log)

    return lambda seed: load(seed if args.split_per_seed and seed is not None else args.split_seed)


def _check_early(args, problem_of):
    """Refuse what would fail after hours.

    Raises:
        OptionError: if seeds are to divide patients anew whose division is fixed.
        SplitError: if a share of rich records has too few of a class.
        WeightsError: if a teacher's backbone cannot be one.
    """
    problem = problem_of(args.seeds[0])
    if args.teacher_backbone:
        PretrainedBackbone.read(args.teacher_backbone, problem.train, args.backbone_rate)
    for share in args.rich_share:
        rich_rows(problem.train, args.split, share, args.seeds[0])
    if args.split_per_seed and len(args.seeds) > 1:
        tested = [problem_of(seed).test.record_ids.tolist() for seed in args.seeds[:2]]
        if tested[0] == tested[1]:
            raise OptionError(
                "--split-per-seed divides patients anew. Received: data whose test part is fixed; leave it out, or "
                "give --dataset with --test-size"
            )


def _options(args, condition, seed):
    """Return the options of `distillation.rdpd.trainer` that one run has."""
    own = {"poor_leads": condition.view, "method": condition.method, "noise": condition.noise, "seed": seed}
    own |= {"temperature": condition.temperature, "rich_share": 1.0}
    if condition.teacher:
        own |= {"rich_share": condition.teacher.rich_share, "teacher_temperature": condition.teacher.temperature}
    return argparse.Namespace(**vars(args) | own)


def _perform(args, conditions, problem_of, folder_of, log):
    """Perform what is not finished, seed by seed, so that whatever is there is balanced."""
    runs = [(condition, seed) for seed, condition in itertools.product(args.seeds, conditions)]
    waiting = [run for run in runs if not (folder_of(*run) / METRICS).is_file()]
    finished = f", {len(runs) - len(waiting)} finished" if len(waiting) < len(runs) else ""
    log(f"{len(args.seeds)} seed(s), {len(conditions)} rows: {len(runs)} students{finished}")
    progress, names = Progress(len(waiting), "students"), name_conditions(conditions)
    for seed, of_seed in itertools.groupby(waiting, key=lambda run: run[1]):
        problem, teachers = problem_of(seed), {}
        for condition, _ in of_seed:
            options = _options(args, condition, seed)
            design = design_of(options, problem.train, shows_progress=False)
            outputs = {}
            if condition.teacher:
                if condition.teacher not in teachers:
                    folder = folder_of(condition.teacher, seed)
                    teachers[condition.teacher] = _teach(options, design, problem, condition.teacher, folder, log)
                outputs = teachers[condition.teacher]
            folder = folder_of(condition, seed)
            _imitate(options, design, problem, condition, outputs, folder)
            _tell(folder, "student", f"seed {seed}, {condition.view}, {names[condition]}", log)
            progress.step(f"seed {seed}, {condition.view}, {condition.method}")


def _run_folder(job, condition, seed):
    """Return the folder of one teacher or student."""
    return job / condition.folder / f"seed_{seed}"


def _teach(options, design, problem, condition, folder, log):
    """Return what a teacher says of the training records; it is trained and scored unless it is finished."""
    folder.mkdir(parents=True, exist_ok=True)
    seed_everything(options.seed)
    rows = rich_rows(problem.train, options.split, options.rich_share, options.seed)
    teacher = make_teacher(options, problem, design, rows, folder, _silent)
    if not (folder / METRICS).is_file():
        answers = answers_of("teacher", teacher.network, options, problem, design)
        write_results(folder, {"teacher": answers}, problem, {"seed": options.seed})
    seen = f"T = {condition.temperature:g}, rich {condition.rich_share:.0%}"
    _tell(folder, "teacher", f"seed {options.seed}, all channels, {seen}", log)
    return imitated_outputs(problem, design, rows, teacher, folder)


def _imitate(options, design, problem, condition, outputs, folder):
    """Train and score a student."""
    folder.mkdir(parents=True, exist_ok=True)
    seed_everything(options.seed)
    network = make_student(options, problem, design, outputs, folder, _silent)
    answers = answers_of("student", network, options, problem, design)
    write_results(folder, {"student": answers}, problem, {"seed": options.seed, "method": condition.method})


def _tell(folder, name, run, log):
    scores = read_scores(folder, name)
    log(
        f"{run}: {name}'s test " + ", ".join(f"{key} {value:.3f}" for key, value in scores.items() if value is not None)
    )


def _silent(line):
    """Take a line of one run of many."""

"""The figures of a comparison: differences with intervals, sweeps, and cases."""

from distillation.rdpd.case_studies import Case, choose_cases, plot_case_study
from distillation.rdpd.conditions import AXES, file_name
from distillation.rdpd.scores import NAMES
from distillation.rdpd.sweep_plots import plot_sweep
from transplant.evaluation.figure_file import SERIES_STYLES, new_figure, save_figure, tidy_axes

CASE_METHODS = {"direct": "Direct", "kd": "KD", "rdpd": "RDPD"}
_SCORE = "roc_auc"


def plot_sweeps(report, job):
    """Draw the area under the ROC curve of every method over each axis with several values; return the files' names.

    The other axes stand at their first values. A method without a teacher does not depend on some of them: it is a
    level line.

    Args:
        report: dict of comparison.json.
        job: folder.
    """
    files = []
    for axis, title in AXES.items():
        for view in dict.fromkeys(row["view"] for row in report["rows"] if row["method"] != "teacher"):
            rows = [row for row in report["rows"] if row["view"] in (view, "all") and row["scores"][_SCORE]]
            points = _points(rows, axis)
            if points:
                files.append(f"sweep_{axis}_{file_name(view)}.png")
                score, student = f"{NAMES[_SCORE]} of the test records", f"student: {view}{_held(rows, axis)}"
                plot_sweep(job / files[-1], points, title, score, student)
    return files


def _values(rows, axis):
    """Return the values of the students' rows on an axis, in their order."""
    return list(dict.fromkeys(row[axis] for row in rows if row["method"] != "teacher" and row[axis] is not None))


def _held(rows, axis):
    """Return what a title says of the other axes that have several values: at which one they stand."""
    several = {AXES[other]: _values(rows, other) for other in AXES if other != axis}
    return "".join(f", {name} {values[0]:g}" for name, values in several.items() if len(values) > 1)


def _points(rows, axis):
    """Return dict method -> [(value, mean, std)] along an axis; empty where it has one value."""
    values = sorted(_values(rows, axis))
    if len(values) < 2:
        return {}
    first = {other: next(iter(_values(rows, other)), None) for other in AXES}
    points = {}
    for row in rows:
        if all(row[other] in (first[other], None) for other in AXES if other != axis):
            score = row["scores"][_SCORE]
            at = values if row[axis] is None else [row[axis]]
            points.setdefault(row["method"], []).extend((value, score["mean"], score["std"]) for value in at)
    # The teacher last, so that methods have the same colours as in the other figures.
    return {method: points[method] for method in sorted(points, key=lambda method: method == "teacher")}


def plot_differences(report, job):
    """Draw how much better each method is than the references, with intervals; return the file's name.

    Args:
        report: dict of comparison.json.
        job: folder.
    """
    rows = [row for row in report["rows"] if any(_SCORE in found for found in row["differences"].values())]
    figure = new_figure(8, 1.6 + 0.42 * len(rows))
    axes = figure.subplots()
    names = list(dict.fromkeys(reference for row in rows for reference in row["differences"]))
    for number, reference in enumerate(names):
        colour, marker = SERIES_STYLES[number]
        shift = 0.12 * (2 * number - len(names) + 1)
        label = f"less {reference}"
        for place, row in enumerate(rows):
            found = row["differences"].get(reference, {}).get(_SCORE)
            if found:
                axes.plot([found["low"], found["high"]], [place + shift] * 2, color=colour, linewidth=1.6)
                axes.plot(found["difference"], place + shift, marker, color=colour, label=label)
                label = None
    axes.axvline(0, color="0.4", linewidth=1)
    axes.set_yticks(range(len(rows)), [f"{row['view']}: {row['name']}" for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel(f"difference of {NAMES[_SCORE]}, 95% interval")
    tidy_axes(axes, "x")
    figure.legend(loc="outside lower center", ncols=len(names), frameon=False)
    save_figure(figure, job / "differences.png")
    return "differences.png"


def draw_cases(args, conditions, teachers, students, problem, job):
    """Draw test records, chosen by the teacher alone, as teacher and students of the first seed see them.

    Args:
        args: options of `distillation.rdpd.compare`; `cases` is the number of records a class.
        conditions: list of `Condition`.
        teachers, students: dicts condition -> `Outcome`.
        problem: `Problem` of the first seed.
        job: folder.

    Returns:
        list of the files' names.
    """
    files = []
    for view in args.poor_leads:
        shown = {}
        for method in CASE_METHODS:
            of_method = [one for one in conditions if one.view == view and one.method == method]
            if of_method:
                shown[method] = of_method[0]
        teacher = next((one.teacher for one in shown.values() if one.teacher), None)
        if teacher is None:
            continue
        answers = {"Teacher": teachers[teacher].answers[0]}
        answers |= {CASE_METHODS[method]: students[one].answers[0] for method, one in shown.items()}
        rows = choose_cases(problem.test.y, answers["Teacher"].probabilities, args.cases)
        for number, row in enumerate(rows, start=1):
            case = Case.of_record(
                problem.test,
                row,
                view,
                {name: one.attention for name, one in answers.items()},
                {name: one.probabilities for name, one in answers.items()},
            )
            files.append(f"case_{file_name(view)}_{number}.png")
            plot_case_study(job / files[-1], case)
    return files

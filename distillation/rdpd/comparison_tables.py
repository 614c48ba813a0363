"""The tables of a comparison, as lines of cells, and its page in Markdown."""

from distillation.rdpd.comparison_statistics import COMPARED
from distillation.rdpd.complexity import complexity_table
from distillation.rdpd.conditions import AXES
from distillation.rdpd.scores import NAMES
from transplant.evaluation.report import difference_with_interval, with_spread
from transplant.evaluation.run_table import SPREAD_NOTE, markdown_table

AGREEMENT = {"kl": ("attention KL", ".3g"), "same_peak": ("same peak", ".3f")}
"""What is told of attention -> what heads its column, and how its numbers are shown."""
AGREEMENT_NOTE = (
    "attention KL: mean KL(student, teacher) over the test records, nats; same peak: share of records whose most "
    "attended segment is the teacher's; of a method without a teacher, the first teacher of the table"
)

CAPTIONS = {
    "differences": "ROC-AUC of each row minus that of `direct` and `kd` of the same view and noise (and, of `kd`, of "
    "the same temperature and share), with 95% intervals.",
    "sweep": "ROC-AUC over what was varied, mean and standard deviation over seeds; all else at its first value.",
    "case": "One test record of the first seed, chosen by the teacher alone: the signal, the attention of teacher and "
    "students to its segments, and their class probabilities; of the first temperature, share and noise.",
}


def score_lines(report, plus_minus):
    """Return header and rows: mean and spread of every score and of the agreement of attention.

    Args:
        report: dict of comparison.json.
        plus_minus: text between mean and spread.
    """
    lines = [["poor view", "method", *NAMES.values(), *(title for title, _ in AGREEMENT.values()), "runs"]]
    for row in report["rows"]:
        cells = [with_spread(row["scores"][name], plus_minus) for name in NAMES]
        agreement = row["agreement"] or {}
        cells += [with_spread(agreement.get(name), plus_minus, shown) for name, (_, shown) in AGREEMENT.items()]
        lines.append([row["view"], row["name"], *cells, str(row["runs"])])
    return lines


def difference_lines(report):
    """Return header and rows: how much better one method is than another, with intervals."""
    lines = [["poor view", "method", "less", *(NAMES[name] for name in COMPARED)]]
    for row in report["rows"]:
        for reference, found in row["differences"].items():
            cells = [difference_with_interval(found.get(name)) for name in COMPARED]
            lines.append([row["view"], row["name"], reference, *cells])
    return lines


def page(report, figures):
    """Return the report as Markdown.

    Args:
        report: dict of comparison.json.
        figures: names of the figures' files.
    """
    training = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in report["training"].items() if value)
    of_rows = {AXES[axis]: ", ".join(f"{value:g}" for value in values) for axis, values in report["axes"].items()}
    students = "; ".join(f"{title} {values}" for title, values in of_rows.items() if values)
    seeds = ", ".join(map(str, report["seeds"]))
    settings = f"seeds {seeds}; {training}; of students: {students}; all options are in config.json"
    notes = [report["evidence"], settings, *report["absent"]]
    parts = ["# RDPD: methods compared", report["data"], *filter(None, notes)]
    parts += [markdown_table(score_lines(report, " ± ")), f"{SPREAD_NOTE.replace('+-', '±')}; {AGREEMENT_NOTE}."]
    lines = difference_lines(report)
    if len(lines) > 1:
        parts += ["## Differences", markdown_table(lines), report["intervals"]]
    parts += ["## Complexity", f"```\n{complexity_table(report['complexity'])}\n```"]
    parts += [f"![{name}]({name})\n\n{_caption(name)}" for name in figures]
    return "\n\n".join(parts) + "\n"


def _caption(figure):
    """Return what a figure shows, by the beginning of its file's name."""
    return next(text for prefix, text in CAPTIONS.items() if figure.startswith(prefix))

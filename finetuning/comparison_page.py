"""A comparison as a page of Markdown: tables to publish, and the figures."""

from transplant.evaluation.run_table import markdown_run_table, markdown_table, paper_order


def comparison_page(report, of_runs, title, figures):
    """Return the page.

    Args:
        report: dict with `design`, `rows`, `chosen`, `metrics`, `chance`, `changed`,
            `differences`, `pairs`, `calibration` and `choices`, as
            `finetuning.comparison_report.write_report` puts them in comparison.json.
        of_runs: list of (row name, runs), as for `markdown_run_table`.
        title: heading.
        figures: names of the figures' files.
    """
    metrics = report["metrics"]
    first = next(iter(metrics))
    classes = paper_order(metrics[first]["f1"])
    scores = _score_table(metrics, classes)
    parts = [
        ("What was run", _design(report)),
        (
            "Held-out records, pooled (95% bootstrap interval)",
            f"{scores}\n\nGuessing by the class frequencies has a macro-F1 of {report['chance']:.3f}.",
        ),
        ("Paired differences", _difference_table(report["differences"], classes)),
        ("Paired difference of macro-F1, row less column", _pair_table(report["pairs"], list(metrics))),
        ("Changed after training", _score_table(report["changed"], classes)),
        ("Runs", markdown_run_table(of_runs)),
        ("Calibration", _calibration_table(report["calibration"])),
    ]
    if report["choices"]:
        parts.append(("Rows that the inner folds choose", _choice_table(report["choices"])))
    parts.append(("Figures", "\n\n".join(f"![{name}]({name})" for name in figures)))
    return "\n\n".join([f"# {title}", *(f"## {heading}\n\n{text}" for heading, text in parts)]) + "\n"


def _design(report):
    lines = [f"- {line}" for line in report["design"]]
    rows = [["", "options of finetuning.trainer"]]
    rows += [[name, f"`{' '.join(options)}`"] for name, options in report["rows"].items()]
    for name, choices in report["chosen"].items():
        rows.append([name, "; ".join(f"fold {fold}: {choice}" for fold, choice in enumerate(choices))])
    return "\n".join([*lines, "", markdown_table(rows, numbers=False)])


def _score_table(metrics, classes):
    lines = [["", "macro-F1", *classes, "N/A/O mean", "accuracy"]]
    for name, found in metrics.items():
        interval = found["intervals"]["macro_f1"]
        challenge = found.get("challenge_f1")
        lines.append(
            [
                name,
                f"{found['macro_f1']:.3f} [{interval['low']:.3f}, {interval['high']:.3f}]",
                *(f"{found['f1'][label]:.3f}" for label in classes),
                "-" if challenge is None else f"{challenge:.3f}",
                f"{found['accuracy']:.3f}",
            ]
        )
    return markdown_table(lines)


def _difference_table(differences, classes):
    lines = [["", "to", "macro-F1", "verdict", *classes, "Wilcoxon"]]
    for name, found in differences.items():
        test = found.get("wilcoxon") or {"p": None}
        lines.append(
            [
                name,
                found["to"],
                _interval(found["macro_f1"]),
                found["verdict"].partition(":")[0],
                *(_interval(found["f1"][label]) for label in classes),
                "-" if test["p"] is None else f"p = {test['p']:.3g}",
            ]
        )
    reasons = dict.fromkeys(
        found["wilcoxon"]["reason"] for found in differences.values() if found.get("wilcoxon", {}).get("reason")
    )
    return "\n\n".join([markdown_table(lines), *(f"{reason[0].upper()}{reason[1:]}." for reason in reasons)])


def _pair_table(pairs, names):
    """Return the lower triangle: every row against those before it."""
    lines = [["", *names[:-1]]]
    for name in names[1:]:
        lines.append([name, *(_interval(pairs[name][other]) if other in pairs[name] else "" for other in names[:-1])])
    return markdown_table(lines)


def _calibration_table(calibration):
    lines = [["", "expected calibration error", "log loss", "error, scaled by validation", "log loss, scaled"]]
    for name, found in calibration.items():
        cells = [f"{found[what][key]:.3f}" for what in found for key in ("ece_equal_width", "log_loss")]
        lines.append([name, *cells])
    return markdown_table(lines)


def _choice_table(choices):
    names = list(choices[0]["scores"])
    lines = [["outer fold", *names, "difference of the best to the first (standard error)", "chosen"]]
    for choice in choices:
        scores = [f"{choice['scores'][name]:.3f}" for name in names]
        difference = f"{choice['difference']:+.3f} ({choice['standard_error']:.3f})"
        lines.append([str(choice["fold"]), *scores, difference, choice["chosen"]])
    return markdown_table(lines)


def _interval(found):
    return f"{found['difference']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}]"

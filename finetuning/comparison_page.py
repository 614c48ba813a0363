"""A comparison as a page of Markdown: tables to publish, and the figures."""

from transplant.evaluation.report import RANKING_TITLES, difference_with_interval, with_interval
from transplant.evaluation.run_table import markdown_run_table, markdown_table, paper_order


def comparison_page(report, of_runs, title, figures):
    """Return the page.

    Args:
        report: dict with `design`, `rows`, `chosen`, `metrics`, `chance`, `positive`,
            `changed`, `differences`, `pairs`, `pairs_roc_auc`, `calibration` and
            `choices`, as `finetuning.comparison_report.write_report` puts them in
            comparison.json.
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
            f"{scores}\n\n{_chance(report)}",
        ),
        ("Paired differences", _difference_table(report["differences"], classes)),
        ("Paired difference of macro-F1, row less column", _pair_table(report["pairs"], list(metrics))),
    ]
    if report["positive"]:
        pairs = _pair_table(report["pairs_roc_auc"], list(metrics))
        parts.insert(-1, ("Paired difference of AUROC, row less column", pairs))
    parts += [
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


def _chance(report):
    lines = f"Guessing by the class frequencies has a macro-F1 of {report['chance']:.3f}."
    positive = report["positive"]
    if positive:
        lines += f" A random ranking has an AUROC of 0.500 and an AUPRC of {positive['share']:.3f}, the share of the "
        lines += f"positive class, {positive['class']}."
    return lines


def _score_table(metrics, classes):
    ranked = RANKING_TITLES if len(classes) == 2 else {}
    challenge = any(found.get("challenge_f1") is not None for found in metrics.values())
    columns = [*ranked.values(), "macro-F1", *_f1_titles(classes), *(["N/A/O mean"] if challenge else []), "accuracy"]
    lines = [["", *columns]]
    for name, found in metrics.items():
        cells = [with_interval(found, entry) for entry in (*ranked, "macro_f1")]
        cells += [f"{found['f1'][label]:.3f}" for label in classes]
        if challenge:
            cells.append(f"{found['challenge_f1']:.3f}")
        lines.append([name, *cells, with_interval(found, "accuracy")])
    return markdown_table(lines)


def _f1_titles(classes):
    """Return what heads the F1 of each class; beside other metrics of a class the name alone would not say it."""
    return [f"F1 {label}" for label in classes] if len(classes) == 2 else classes


def _difference_table(differences, classes):
    if len(classes) == 2:
        auroc, *others = RANKING_TITLES.values()
        header = [auroc, f"verdict on {auroc}", *others, "macro-F1", "verdict on macro-F1"]
    else:
        header = ["macro-F1", "verdict"]
    wilcoxon = "Wilcoxon (macro-F1)" if len(classes) == 2 else "Wilcoxon"
    lines = [["", "to", *header, *_f1_titles(classes), wilcoxon]]
    for name, found in differences.items():
        test = found.get("wilcoxon") or {"p": None}
        cells = [difference_with_interval(found["macro_f1"]), found["verdict"].partition(":")[0]]
        if len(classes) == 2:
            of_rankings = [difference_with_interval(found[entry]) for entry in RANKING_TITLES]
            of_auroc = (found["verdict_roc_auc"] or "-").partition(":")[0]
            cells = [of_rankings[0], of_auroc, *of_rankings[1:], *cells]
        cells += [difference_with_interval(found["f1"][label]) for label in classes]
        lines.append([name, found["to"], *cells, "-" if test["p"] is None else f"p = {test['p']:.3g}"])
    reasons = dict.fromkeys(
        found["wilcoxon"]["reason"] for found in differences.values() if found.get("wilcoxon", {}).get("reason")
    )
    return "\n\n".join([markdown_table(lines), *(f"{reason[0].upper()}{reason[1:]}." for reason in reasons)])


def _pair_table(pairs, names):
    """Return the lower triangle: every row against those before it."""
    lines = [["", *names[:-1]]]
    for name in names[1:]:
        found = pairs[name]
        cells = [difference_with_interval(found[other]) if other in found else "" for other in names[:-1]]
        lines.append([name, *cells])
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

"""What a comparison reports: pooled scores, runs, differences, calibration and figures."""

import itertools
import json

import numpy as np
import pandas as pd

from finetuning.choice import choose_rows
from finetuning.comparison_page import comparison_page
from finetuning.differences import all_pairs, paired_differences, references, wilcoxon_tests
from finetuning.pooling import held_out, stacked, with_class_offsets, with_temperature
from finetuning.rows import file_name
from finetuning.variants import recipe_values
from transplant.atomic import atomic_path
from transplant.evaluation.calibration import calibration_bins, calibration_metrics, plot_reliability
from transplant.evaluation.comparison_plots import plot_history_bands, plot_pretraining_share, plot_subset_share
from transplant.evaluation.evaluate import evaluate_predictions
from transplant.evaluation.metrics import positive_class
from transplant.evaluation.plots import plot_confusion, plot_macro_f1_comparison
from transplant.evaluation.predictions import write_predictions
from transplant.evaluation.ranking_plots import plot_ranking
from transplant.evaluation.report import results_table, write_metrics
from transplant.evaluation.run_table import run_rows, run_table
from transplant.evaluation.statistics import paired_auroc
from transplant.evaluation.training_cost import cost_to_epoch

CORRUPTIONS = {"test_flipped": "polarity flipped", "test_mains": "50 Hz mains added"}


def write_report(runs, data, controls, job, log=print, inner_folds=(), design=(), left_out=False):
    """Pool and compare finished runs.

    Files: ROW_predictions.csv (mean over the seeds), comparison.json, comparison.md
    (the page), comparison.png, epochs.png, confusion_ROW.png, reliability_ROW.png, of
    two classes ranking.png, and where there is more than one of them
    pretraining_share.png and subset_share.png.

    Args:
        runs: all `Run`s, row by row; what a row is compared to says `finetuning.differences.references`.
        data: `LabelledSet` of the held-out records.
        controls: dict name -> float64 (records, classes), without runs.
        job: folder of the comparison.
        log: function that takes a line.
        inner_folds: the records of each fold, where the runs held out two folds
            each: then each fold's choice of a row is reported too. Defaults to ().
        design: lines that say what was run, for the page. Defaults to none.
        left_out: whether each run held out a single record or group, which has no scores of its own: the runs
            of a row are one then, with its pooled scores. Defaults to False.

    Returns:
        dict name -> metrics.
    """
    rows = {row: list(of_row) for row, of_row in itertools.groupby(runs, key=lambda run: run.row)}
    pooled = {row.name: held_out(of_row, data.record_ids) for row, of_row in rows.items()}
    times = len(next(iter(pooled.values())))
    y, groups = stacked(data.y, times), stacked(data.group_ids, times)

    def score(pooled):
        return evaluate_predictions(y, np.concatenate(pooled), data.classes, groups)

    pooled |= {name: np.stack([probabilities] * times) for name, probabilities in controls.items()}
    metrics = {name: score(probabilities) for name, probabilities in pooled.items()}
    log(f"held-out records pooled{f', {times} times each' if times > 1 else ''}, 95% bootstrap intervals:")
    log(results_table(list(metrics.items())))
    chance = 1 / len(data.classes)
    log(f"guessing by the class frequencies: macro-F1 {chance:.3f}")
    positive = positive_class(data.classes)
    share = float((data.y == 1).mean())
    if positive:
        log(f"a random ranking: AUROC 0.500, AUPRC {share:.3f}, the share of {positive}")
    chosen = {row.name: row.names_of_folds() for row in rows if row.of_folds}
    for name, names in chosen.items():
        log(f"{name}: " + ", ".join(f"fold {fold} {choice}" for fold, choice in enumerate(names)))
    changed = _changed_rows(rows, pooled, data, score)
    log("the same, changed after training:")
    log(results_table(list(changed.items())))
    of_runs = [(row.name, [_read_run(run) for run in of_row]) for row, of_row in rows.items()]
    if left_out:
        of_runs = [(name, [metrics[name] | _mean_cost(found)]) for name, found in of_runs]
    log("the runs one by one:")
    log(run_table(of_runs))
    first = next(iter(pooled))
    together = {name: np.concatenate(probabilities) for name, probabilities in pooled.items()}
    reference_of = references(list(rows), controls)
    tests = wilcoxon_tests(rows, dict(of_runs), reference_of)
    differences = paired_differences(pooled, y, groups, data.classes, reference_of, tests, log)
    report = {
        "design": list(design),
        "rows": {row.name: row.options() for row in rows if not row.of_folds},
        "recipes": {row.name: recipe_values(row.options()) for row in rows if not row.of_folds},
        "chosen": chosen,
        "metrics": metrics,
        "chance": chance,
        "positive": {"class": positive, "share": share} if positive else None,
        "changed": changed,
        "compared_to": first,
        "differences": differences,
        "pairs": all_pairs(pooled, differences, y, groups, data.classes),
        "pairs_roc_auc": paired_auroc(y, together, data.classes, groups) if positive else None,
        "runs": run_rows(of_runs),
        "calibration": _report_calibration(rows, pooled, data, y, job),
        "choices": choose_rows(rows, data, inner_folds, log) if len(inner_folds) else [],
    }
    for name, probabilities in pooled.items():
        _write_row(name, probabilities.mean(axis=0), metrics[name], data, job)
    figures = _plot(rows, metrics, dict(of_runs), data, job)
    if positive and 0 < share < 1:
        rankings = [(name, y, probabilities) for name, probabilities in together.items()]
        plot_ranking(rankings, data.classes, job / "ranking.png", f"{data.dataset}, held-out records")
        figures.insert(1, "ranking.png")
    figures += [f"{kind}_{row.folder}.png" for row in rows if not row.shuffled for kind in ("confusion", "reliability")]
    write_metrics(job / "comparison.json", report)
    with atomic_path(job / "comparison.md") as temporary:
        page = comparison_page(report, of_runs, f"{data.dataset} {data.label_version}", figures)
        temporary.write_text(page, encoding="utf-8")
    log(f"wrote {job / 'comparison.md'} and .json, figures and pooled predictions")
    return metrics


def _changed_rows(rows, pooled, data, score):
    """Return metrics of the rows with class offsets, as ensembles, and on spoilt records."""
    changed = {}
    for row, runs in rows.items():
        if row.shuffled:
            continue
        changed[f"{row.name}, class offsets of validation"] = score(
            held_out(runs, data.record_ids, change=with_class_offsets)
        )
        times = len(pooled[row.name])
        if times > 1:
            mean = pooled[row.name].mean(axis=0)
            changed[f"{row.name}, mean of its {times} networks"] = evaluate_predictions(
                data.y, mean, data.classes, data.group_ids
            )
        for name, what in CORRUPTIONS.items():
            if not (runs[0].folder / f"{name}_predictions.csv").is_file():
                continue
            changed[f"{row.name}, {what}"] = score(held_out(runs, data.record_ids, name))
    return changed


def _mean_cost(runs):
    """Return the mean cost of a row's runs."""
    return {name: float(np.mean([run[name] for run in runs])) for name in ("epochs_to_best", "cpu_minutes_to_best")}


def _read_run(run):
    """Return the scores and the cost of one run."""
    metrics = json.loads((run.folder / "metrics.json").read_text())
    cost = cost_to_epoch(pd.read_csv(run.folder / "timing.csv"), metrics["best_epoch"])
    return metrics["test"] | cost


def _report_calibration(rows, pooled, data, y, job):
    """Return the calibration of every row before and after scaling, and draw it."""
    found = {}
    for row, runs in rows.items():
        if row.shuffled:
            continue
        scaled = held_out(runs, data.record_ids, change=with_temperature)
        found[row.name], panels = {}, []
        for what, probabilities in (("as trained", pooled[row.name]), ("temperature of validation", scaled)):
            together = np.concatenate(probabilities)
            found[row.name][what] = calibration_metrics(y, together, data.classes)
            panels.append((what, calibration_bins(y, together)))
        plot_reliability(panels, job / f"reliability_{row.folder}.png", f"{data.dataset}, {row.name}")
    return found


def _write_row(name, probabilities, metrics, data, job):
    path = job / f"{file_name(name)}_predictions.csv"
    write_predictions(path, data.record_ids.tolist(), data.one_hot(), probabilities, data.classes)
    plot_confusion(metrics["confusion"], data.classes, job / f"confusion_{file_name(name)}.png", name)


def _plot(rows, metrics, of_runs, data, job):
    """Draw the figures of all rows together; return their names."""
    plot_macro_f1_comparison(list(metrics.items()), job / "comparison.png", f"{data.dataset}, held-out records")
    histories = [(row.name, [pd.read_csv(run.folder / "history.csv") for run in runs]) for row, runs in rows.items()]
    plot_history_bands(histories, job / "epochs.png", title=f"{data.dataset}: fine-tuning")
    by_pretraining, by_subset = {}, {}
    for row in rows:
        if row.shuffled:
            continue
        values = [run["macro_f1"] for run in of_runs[row.name]]
        network = f"{row.arch}, {row.variant.name}"
        if row.start.share is not None:
            series = f"{network}, {row.subset:.0%} of the records"
            by_pretraining.setdefault(series, []).append((row.start.share, values))
        by_subset.setdefault(f"{row.start.name}, {network}", []).append((row.subset, values))
    figures = ["comparison.png", "epochs.png"]
    for series, plot, file in (
        (by_pretraining, plot_pretraining_share, "pretraining_share.png"),
        (by_subset, plot_subset_share, "subset_share.png"),
    ):
        if any(len({share for share, _ in points}) > 1 for points in series.values()):
            plot(list(series.items()), job / file)
            figures.append(file)
    return figures

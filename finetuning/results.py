"""What a fine-tuning job reports: predictions, metrics, confusion plots and a table."""

import json

from transplant.errors import OptionError
from transplant.evaluation.corruption import add_mains, carries_mains, flip_polarity
from transplant.evaluation.evaluate import evaluate_predictions
from transplant.evaluation.plots import plot_confusion
from transplant.evaluation.predictions import write_predictions
from transplant.evaluation.ranking_plots import plot_ranking
from transplant.evaluation.report import SYNTHETIC_NOTE, results_table, write_metrics
from transplant.training.validation import predict_probabilities

# Peak of the hum that is added, in standard deviations of the training records.
MAINS_STD = 0.5
MAINS_HZ = 50.0


def write_results(predict, data, job, state, monitor, log=print, kept="best_model.keras"):
    """Score a model on every set it has and write what was found into the job folder.

    Files: {train,val,test}_predictions.csv, metrics.json, confusion_{val,test}.png, and of two classes
    ranking_{val,test}.png.

    Args:
        predict: function `LabelledSet` -> float64 (records, classes), probabilities.
        data: `FinetuningData`.
        job: job folder.
        state: final `Progression`.
        monitor: the metric that chose the best epoch.
        log: function that takes a line.
        kept: name of the model's file. Defaults to best_model.keras.

    Returns:
        dict split -> metrics.
    """
    metrics, rows = {}, []
    for split, part in (("train", data.train), ("val", data.validation), ("test", data.test)):
        if part is None:
            continue
        probabilities = predict(part)
        _write(probabilities, part, job, split)
        # Intervals of the training set would say nothing: the model has seen it.
        draws = 0 if split == "train" else 10_000
        metrics[split] = evaluate_predictions(part.y, probabilities, part.classes, part.group_ids, draws)
        rows.append((split, metrics[split]))
        if split != "train":
            title = f"{split}, {len(part)} records"
            plot_confusion(metrics[split]["confusion"], part.classes, job / f"confusion_{split}.png", title)
            if metrics[split]["positive_class"] and metrics[split]["roc_auc"] is not None:
                plot_ranking([(split, part.y, probabilities)], part.classes, job / f"ranking_{split}.png", title)
    write_metrics(
        job / "metrics.json",
        metrics | {"best_epoch": state.best_epoch, "monitor": monitor, "epochs": state.epoch, "data": data.name},
    )
    log(results_table(rows))
    if data.train.dataset == "synthetic":
        log(SYNTHETIC_NOTE)
    written = [f"{split}_predictions.csv" for split in metrics] + ["metrics.json", "history.csv", kept]
    log(f"wrote to {job}: {', '.join(written)} and plots")
    return metrics


def _write(probabilities, part, job, name):
    path = job / f"{name}_predictions.csv"
    write_predictions(path, part.record_ids.tolist(), part.one_hot(), probabilities, part.classes)


def write_spoilt_predictions(model, test, normalization, batch_size, job):
    """Predict the test records upside down, and with mains hum of half a standard deviation.

    Files: test_flipped_predictions.csv, test_mains_predictions.csv.

    Args:
        model: the model with its best weights.
        test: `LabelledSet`.
        normalization: `Normalization` of the run.
        batch_size: records predicted at once.
        job: job folder.
    """
    records = test.standardized(normalization)
    spoilt = {
        "flipped": flip_polarity(records),
        "mains": add_mains(records, test.lengths, test.sampling_rate_hz, MAINS_STD, MAINS_HZ),
    }
    for name, x in spoilt.items():
        _write(predict_probabilities(model, x, batch_size), test, job, f"test_{name}")


def check_mains(sampling_rate_hz):
    """Refuse to spoil records with mains that their sampling rate cannot carry.

    Raises:
        OptionError: at twice the mains frequency or less.
    """
    if not carries_mains(sampling_rate_hz, MAINS_HZ):
        raise OptionError(
            f"--robustness adds mains of {MAINS_HZ:g} Hz, which records at more than {2 * MAINS_HZ:g} Hz alone can "
            f"have. Received: {'no rate' if sampling_rate_hz is None else f'{sampling_rate_hz:g} Hz'}; leave it out"
        )


def read_metrics(job):
    """Return the metrics.json of a finished job."""
    return json.loads((job / "metrics.json").read_text())

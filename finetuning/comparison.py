"""Cross-validated comparison of initial weights: the runs, the pooled predictions, the table."""

import dataclasses
import hashlib
import pathlib
import re
import subprocess
import sys

import numpy as np

from transplant.datasets.labelled_set import LabelledSet
from transplant.errors import OptionError, TrainingError
from transplant.evaluation.evaluate import evaluate_predictions
from transplant.evaluation.plots import plot_confusion, plot_macro_f1_comparison
from transplant.evaluation.predictions import read_predictions, write_predictions
from transplant.evaluation.report import results_table, write_metrics
from transplant.evaluation.statistics import paired_bootstrap, verdict
from transplant.training.job import open_job
from transplant.training.progress import Progress
from transplant.training.splits import stratified_folds
from transplant.training.transfer import find_weights


@dataclasses.dataclass(frozen=True)
class Candidate:
    """One row of the comparison.

    Attributes:
        name: of the row and of its folder.
        weights: weights file or job folder; None for random weights.
        shuffled: whether training and validation labels are permuted.
    """

    name: str
    weights: str | None
    shuffled: bool = False

    @classmethod
    def parse(cls, text):
        """Return the candidate that `random`, `W` or `NAME=W` stands for."""
        name, _, weights = text.rpartition("=")
        if weights == "random":
            return cls(name or "random", None)
        path = pathlib.Path(weights)
        if not path.exists() and not path.with_name(f"{path.name}.index").is_file():
            raise OptionError(f"--init {text}: no such weights file or job folder")
        return cls(name or (path.stem if path.is_file() else path.name), str(find_weights(path)))

    def digest(self):
        """Return a hex digest of the weights, or "random"."""
        return hashlib.sha256(pathlib.Path(self.weights).read_bytes()).hexdigest()[:16] if self.weights else "random"


def run_comparison(args, candidates, log=print):
    """Run every candidate on every fold, then pool and compare.

    Files in the job folder: NAME/fold_I/ (jobs of finetuning.trainer),
    NAME_predictions.csv (pooled), comparison.json, comparison.png, confusion_NAME.png.

    Args:
        args: options of `finetuning.compare`.
        candidates: list of `Candidate`.
        log: function that takes a line.

    Returns:
        dict row name -> metrics.
    """
    if args.shuffled_labels:
        last = candidates[-1]
        candidates = [*candidates, Candidate(f"{last.name} shuffled labels", last.weights, shuffled=True)]
    folders = [_folder_name(c.name) for c in candidates]
    if len(set(folders)) < len(folders):
        raise OptionError(f"rows need names of their own. Received: {', '.join(folders)}; write NAME=W")
    data = LabelledSet.load(args.train)
    fingerprints = {"data": data.fingerprint()} | {c.name: c.digest() for c in candidates}
    job = open_job(
        args.job_dir,
        "finetuning.compare",
        vars(args) | {"fingerprints": fingerprints},
        resume=True,
        free=frozenset({"job_dir"}),
    )
    log(f"{data}; {args.folds} folds, {len(candidates)} rows, {args.epochs} epochs each")
    progress = Progress(len(candidates) * args.folds, "runs")
    pooled = {}
    for candidate in candidates:
        parts = []
        for fold in range(args.folds):
            parts.append(_run_fold(args, candidate, fold, job / _folder_name(candidate.name) / f"fold_{fold}"))
            progress.step(f"{candidate.name}, fold {fold}")
        pooled[candidate.name] = _in_order(parts, data.record_ids)
    pooled["length only"] = length_only_probabilities(data, args.folds, args.split_seed)
    return _report(data, pooled, candidates[0].name, job, log)


def _folder_name(name):
    return re.sub(r"[^\w.-]+", "_", name)


def _run_fold(args, candidate, fold, folder):
    """Run one fold as a process of its own unless it is finished; return its test predictions."""
    if not (folder / "metrics.json").is_file():
        command = [sys.executable, "-m", "finetuning.trainer", "--resume", "--job-dir", folder, "--train", args.train]
        for option in ("folds", "val_size", "epochs", "batch_size", "learning_rate", "seed", "split_seed"):
            command += [f"--{option.replace('_', '-')}", getattr(args, option)]
        command += ["--fold", fold, "--patience", args.epochs]
        command += ["--mixed-precision", args.mixed_precision] if args.mixed_precision else []
        command += ["--weights-file", candidate.weights] if candidate.weights else []
        command += ["--shuffle-labels"] if candidate.shuffled else []
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "log.txt", "a", encoding="utf-8") as output:
            done = subprocess.run([str(part) for part in command], stdout=output, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            lines = (folder / "log.txt").read_text(encoding="utf-8").splitlines() or ["no output"]
            raise TrainingError(f"{folder}: the run failed with status {done.returncode}: {lines[-1]}")
    return read_predictions(folder / "test_predictions.csv")


def _in_order(parts, record_ids):
    """Return (records, classes) probabilities of all folds in the order of the set."""
    row_of = {name: i for i, name in enumerate(record_ids.tolist())}
    probabilities = np.full((len(record_ids), parts[0]["y_prob"].shape[1]), np.nan)
    for part in parts:
        probabilities[[row_of[name] for name in part["record_names"]]] = part["y_prob"]
    return probabilities


def length_only_probabilities(data, n_folds, split_seed):
    """Return out-of-fold probabilities of a classifier that sees only a record's length.

    A decision tree with balanced class weights and at least five records a
    leaf. What a network gains over it, it gained from the signal.

    Args:
        data: `LabelledSet`.
        n_folds, split_seed: of the folds.

    Returns:
        float64 (records, classes).
    """
    from sklearn.tree import DecisionTreeClassifier

    probabilities = np.zeros((len(data), len(data.classes)))
    lengths = data.lengths[:, None]
    for train, test in stratified_folds(data.y, data.group_ids, n_folds, split_seed):
        tree = DecisionTreeClassifier(min_samples_leaf=5, class_weight="balanced", random_state=0)
        tree.fit(lengths[train], data.y[train])
        probabilities[np.ix_(test, tree.classes_)] = tree.predict_proba(lengths[test])
    return probabilities


def _report(data, pooled, first, job, log):
    metrics, differences = {}, {}
    for name, probabilities in pooled.items():
        metrics[name] = evaluate_predictions(data.y, probabilities, data.classes, data.group_ids)
        folder_name = _folder_name(name)
        write_predictions(
            job / f"{folder_name}_predictions.csv",
            data.record_ids.tolist(),
            data.one_hot(),
            probabilities,
            data.classes,
        )
        plot_confusion(metrics[name]["confusion"], data.classes, job / f"confusion_{folder_name}.png", name)
        if name != first:
            differences[name] = paired_bootstrap(data.y, pooled[first], probabilities, data.classes, data.group_ids)
    log(results_table(list(metrics.items())))
    unit = next(iter(differences.values()))["macro_f1"]["unit"]
    log(f"difference to {first}, macro-F1 [95% interval, paired bootstrap over {unit}]:")
    for name, difference in differences.items():
        d = difference["macro_f1"]
        log(f"  {name}: {d['difference']:+.3f} [{d['low']:+.3f}, {d['high']:+.3f}] {verdict(d['low'], d['high'])}")
        for label, c in difference["f1"].items():
            log(f"    {label}: {c['difference']:+.3f} [{c['low']:+.3f}, {c['high']:+.3f}]")
    plot_macro_f1_comparison(list(metrics.items()), job / "comparison.png", f"{data.dataset}, pooled out-of-fold")
    write_metrics(job / "comparison.json", {"metrics": metrics, f"difference to {first}": differences})
    log(f"wrote {job / 'comparison.json'}, {job / 'comparison.png'} and pooled predictions")
    return metrics

"""The runs of a comparison: independent processes of finetuning.trainer, each kept once it is finished."""

import dataclasses
import itertools
import pathlib
import shutil
import subprocess
import sys

from finetuning.rows import Row
from transplant.errors import OptionError, TrainingError
from transplant.training.checkpoint import checkpoint_folders
from transplant.training.folder_lock import folder_lock


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of a row.

    Attributes:
        row: `Row`.
        seed: of initial weights and order of records.
        folds: those of the cross-validation that it holds out; none where there is a test set.
        folder: its job folder.
    """

    row: Row
    seed: int
    folds: tuple
    folder: pathlib.Path

    @property
    def is_finished(self):
        """Whether it has left its metrics."""
        return (self.folder / "metrics.json").is_file()

    def __str__(self):
        return f"{self.row.name}, seed {self.seed}" + (f", fold {'+'.join(map(str, self.folds))}" if self.folds else "")


def list_runs(rows, seeds, parts, job):
    """Return all runs of a comparison, row by row.

    Args:
        rows: `Row`s.
        seeds: list of seeds.
        parts: what the runs hold out: `single_folds`, `inner_folds`, or [()] where there is a test set.
        job: folder of the comparison.

    Raises:
        OptionError: if a seed is given twice.
    """
    if len(set(seeds)) < len(seeds):
        raise OptionError(f"a run counts once. Received: --seeds {' '.join(map(str, seeds))}; give each seed once")
    runs, performed = [], {}
    for row, seed, folds in itertools.product(rows, seeds, parts):
        folder = job / row.folder / f"seed_{seed}" / ("_".join(["fold", *map(str, folds)]) if folds else "test")
        asked = (*row.options(*folds[:1]), seed, folds)
        if row.of_folds:
            folder = performed.get(asked, folder)  # what another row does on this fold is not done again
        performed.setdefault(asked, folder)
        runs.append(Run(row, seed, folds, folder))
    return runs


def single_folds(n_folds):
    """Return what the runs of a cross-validation hold out: one fold each."""
    return [(fold,) for fold in range(n_folds)]


def inner_folds(n_folds):
    """Return what the runs of inner cross-validations hold out: neighbouring folds, (0, 1), (1, 2) ... (k - 1, 0).

    A run that holds out i and j is an inner run of the outer fold i, scored on
    j, and one of the outer fold j, scored on i: every outer fold has two.
    """
    return [(fold, (fold + 1) % n_folds) for fold in range(n_folds)]


def share_of_array(runs, job_array):
    """Return the runs of one job of a scheduler's array.

    Args:
        runs: list of `Run`.
        job_array: (k, n): every n-th run from the k-th on, k from 1; None for all.
    """
    return runs if job_array is None else runs[job_array[0] - 1 :: job_array[1]]


def perform(run, options):
    """Perform a run in a process of its own, or go on with it, unless it is finished or another process performs it.

    The checkpoints of a run that has ended are removed: nothing goes on from them, and they are most of its size.

    Args:
        run: `Run`.
        options: options of `finetuning.trainer` that all runs share, a list of text.

    Raises:
        OptionError: if the trainer refuses its options.
        TrainingError: if the run fails.
    """
    if run.is_finished:
        return
    # What a row says of itself stands above what all share.
    command = [sys.executable, "-m", "finetuning.trainer", "--resume", "--job-dir", run.folder, *options]
    command += [*run.row.options(*run.folds[:1]), "--seed", run.seed, *(("--fold", *run.folds) if run.folds else ())]
    run.folder.mkdir(parents=True, exist_ok=True)
    log = run.folder / "log.txt"
    with folder_lock(run.folder, ".run.lock") as is_free, open(log, "a", encoding="utf-8") as output:
        if not is_free or run.is_finished:
            return
        done = subprocess.run([str(part) for part in command], stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        last = (log.read_text(encoding="utf-8").splitlines() or ["no output"])[-1]
        kind = OptionError if done.returncode == 2 else TrainingError
        raise kind(f"{run.folder}: the run failed with status {done.returncode}: {last}")
    for checkpoint in checkpoint_folders(run.folder).values():
        shutil.rmtree(checkpoint)

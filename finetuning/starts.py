"""Initial weights of a comparison: random ones, files, or the epochs of a pretraining job."""

import dataclasses
import hashlib
import json
import pathlib
import re

import pandas as pd

from transplant.errors import OptionError
from transplant.modules.registry import FUSION
from transplant.training.transfer import find_weights
from transplant.training.weights import read_weights

RANDOM = "random"


@dataclasses.dataclass(frozen=True)
class Start:
    """Initial weights.

    Attributes:
        name: in the row's name.
        files: weights files: none for random weights, two for the branches of a fusion.
        share: share of the pretraining patients that the weights have seen, 0 for random ones; None if not known.
    """

    name: str
    files: tuple = ()
    share: float | None = None

    @classmethod
    def parse(cls, text):
        """Return what `random`, `W`, `NAME=W`, `W+W` (two branches) or `W@SHARE` stands for.

        Raises:
            OptionError: if a file is not there, or a share is none.
        """
        name, _, spec = text.rpartition("=")
        if spec == RANDOM:
            return cls(name or RANDOM, share=0.0)
        spec, _, share = spec.rpartition("@") if re.search(r"@(\d+\.?\d*|\.\d+)$", spec) else (spec, "", "")
        paths = [pathlib.Path(part) for part in spec.split("+")]
        for path in paths:
            if not path.exists() and not path.with_name(f"{path.name}.index").is_file():
                raise OptionError(
                    f"--init {text}: no such weights file or job folder. Received: {path}; check the path"
                )
        if share and not 0 < float(share) <= 1:
            raise OptionError(f"--init {text}: a share is above 0 and at most 1. Received: {share}")
        files = tuple(str(find_weights(path)) for path in paths)
        known = float(share) if share else epoch_share(files[0])
        return cls(name or "+".join(_short(path) for path in paths), files, known)

    def architectures(self):
        """Return the architectures that these weights fit, or None for any."""
        if not self.files:
            return None
        if len(self.files) > 1:
            return {FUSION}
        return {read_weights(self.files[0]).description.architecture, FUSION}

    def digest(self):
        """Return a hex digest of the weights, or "random"."""
        digests = [hashlib.sha256(pathlib.Path(file).read_bytes()).hexdigest()[:16] for file in self.files]
        return "+".join(digests) or RANDOM


def epoch_share(path):
    """Return the share of a pretraining run that an epoch's weights have seen, or None for other files.

    With `--samples-per-patient` such that the run is one pass over the patients, it is the share of the patients.

    Args:
        path: weights file.
    """
    folder = pathlib.Path(path).parent
    match = re.fullmatch(r"epoch_(\d+)", folder.name)
    history = folder.parent / "history.csv"
    return int(match.group(1)) / len(pd.read_csv(history)) if match and history.is_file() else None


def checkpoints_at(job, shares):
    """Return the `Start`s of a pretraining job nearest to some shares of its run, the last epoch for 1.

    Args:
        job: folder of a finished pretraining job with its epochs' weights.
        shares: e.g. (0.01, 0.1, 0.2, 1.0).

    Raises:
        OptionError: if the folder holds no epochs.
    """
    job = pathlib.Path(job)
    # As text, epoch_100 would stand before epoch_99.
    epochs = sorted((path.parent for path in job.glob("epoch_*/weights.npz")), key=lambda path: int(path.name[6:]))
    if not epochs or not (job / "history.csv").is_file():
        raise OptionError(
            f"{job}: a pretraining job with epoch_NN/weights.npz is needed. Received: none; check the path"
        )
    chosen = dict.fromkeys(epochs[max(round(share * len(epochs)), 1) - 1] for share in shares)
    coverage = _passes(job)
    starts = []
    for folder in chosen:
        share = min(epoch_share(folder / "weights.npz") * coverage, 1.0)
        starts.append(Start(f"{100 * share:.3g}%", (str(folder / "weights.npz"),), share))
    return starts


def _passes(job):
    """Return how much of the patients a pretraining run visited, at most 1; refuse runs on a file of windows."""
    options = json.loads((job / "config.json").read_text())["options"]
    if options["steps_per_epoch"] is None:
        raise OptionError(
            f"{job}: the share of the patients that an epoch has seen is known of jobs that stream recordings. "
            "Received: a job trained on a file of windows, every epoch of which sees all patients"
        )
    patients = len(read_weights(job / "backbone.npz").description.data["training_patients"])
    drawn = options["epochs"] * options["steps_per_epoch"] * options["batch_size"]
    return min(drawn / (patients * options["samples_per_patient"]), 1.0) * options["patient_fraction"]


def _short(path):
    return path.stem if path.is_file() and path.suffix != ".index" else path.name

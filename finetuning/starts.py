"""Initial weights of a comparison: random ones, files, or the epochs of a pretraining job."""

import dataclasses
import hashlib
import pathlib
import re

from transplant.errors import OptionError
from transplant.modules.registry import FUSION, PREFIXES
from transplant.training.job import read_config
from transplant.training.transfer import find_weights
from transplant.training.weights import read_weights

RANDOM = "random"
_ONE_PASS = 1.05  # passes over the patients: more or less one


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
        own = read_weights(self.files[0]).description.architecture
        return {own, FUSION} if own in PREFIXES else {own}

    def digest(self):
        """Return a hex digest of the weights, or "random"."""
        digests = [hashlib.sha256(pathlib.Path(file).read_bytes()).hexdigest()[:16] for file in self.files]
        return "+".join(digests) or RANDOM


def epoch_share(path):
    """Return the share of the pretraining patients that an epoch's weights have seen, or None if that is not known.

    Args:
        path: weights file of an epoch of a pretraining job.
    """
    folder = pathlib.Path(path).parent
    match = re.fullmatch(r"epoch_(\d+)", folder.name)
    passes = _passes_of_an_epoch(folder.parent) if match else None
    return None if passes is None else _share(folder.parent, passes * int(match.group(1)))


def checkpoints_at(job, shares):
    """Return the `Start`s of a pretraining job nearest to some shares of its run, the last epoch for 1.

    Args:
        job: folder of a finished pretraining job with its epochs' weights.
        shares: e.g. (0.01, 0.1, 0.2, 1.0).

    Raises:
        OptionError: if the folder holds no epochs, or they are no shares of the
            patients: the run made more than one pass over them, or read a file of windows.
    """
    job = pathlib.Path(job)
    # As text, epoch_100 would stand before epoch_99.
    epochs = sorted((path.parent for path in job.glob("epoch_*/weights.npz")), key=lambda path: int(path.name[6:]))
    if not epochs or not (job / "config.json").is_file():
        raise OptionError(
            f"{job}: a pretraining job with epoch_NN/weights.npz is needed. Received: none; check the path"
        )
    passes = _passes_of_an_epoch(job)
    if passes is None or passes * len(epochs) > _ONE_PASS:
        made = "one trained on a file of windows" if passes is None else f"one of {passes * len(epochs):.3g} passes"
        raise OptionError(
            f"{job}: the epochs of a run are shares of the patients where it passes over them once. Received: {made}; "
            "pretrain with --samples-per-patient for one pass, or a job for each --patient-fraction and "
            "--init 10%=JOB@0.1"
        )
    chosen = dict.fromkeys(epochs[max(round(share * len(epochs)), 1) - 1] for share in shares)
    found = [(folder, _share(job, passes * int(folder.name[6:]))) for folder in chosen]
    return [Start(f"{100 * share:.3g}%", (str(folder / "weights.npz"),), share) for folder, share in found]


def _passes_of_an_epoch(job):
    """Return how often an epoch of a pretraining job passes over its patients, None of a job on a file."""
    config = read_config(job)
    options = config["options"] if config and config["command"] == "pretraining.trainer" else {}
    weights = next(iter(sorted(job.glob("epoch_*/weights.npz"))), None)
    if not options.get("steps_per_epoch") or weights is None:
        return None
    patients = len(read_weights(weights).description.data["training_patients"])
    return options["steps_per_epoch"] * options["batch_size"] / (patients * options["samples_per_patient"])


def _share(job, passes):
    """Return the share of the patients that so many passes of a job have visited."""
    return min(passes, 1.0) * read_config(job)["options"]["patient_fraction"]


def _short(path):
    return path.stem if path.is_file() and path.suffix != ".index" else path.name

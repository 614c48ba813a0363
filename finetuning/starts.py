"""Initial weights of a comparison: random ones, files, or the epochs of a pretraining job."""

import dataclasses
import functools
import hashlib
import pathlib
import re

from transplant.errors import OptionError
from transplant.modules.registry import FUSION, PREFIXES
from transplant.training.job import read_config
from transplant.training.transfer import find_weights
from transplant.training.weights import read_weights
from transplant.training.working_sets import patients_visited

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

    @functools.cached_property
    def descriptions(self):
        """The `ModelDescription` of each file, read once."""
        return tuple(read_weights(file).description for file in self.files)

    def architectures(self):
        """Return the architectures that these weights fit, or None for any."""
        if not self.files:
            return None
        if len(self.files) > 1:
            return {FUSION}
        own = self.descriptions[0].architecture
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
    coverage = _Coverage.of_job(folder.parent) if match else None
    return coverage and coverage.share(int(match.group(1)))


def checkpoints_at(job, shares):
    """Return the `Start`s of a pretraining job nearest to some shares of its patients, the last epoch for 1.

    Epochs that have seen the same patients are one, the latest: patients are opened some at a time.

    Args:
        job: folder of a finished pretraining job with its epochs' weights.
        shares: e.g. (0.01, 0.1, 0.2, 1.0).

    Raises:
        OptionError: if the folder holds no epochs, or they are no shares of the
            patients: the run made more than one pass over them, read a file of
            windows, or opened all patients at once.
    """
    job = pathlib.Path(job)
    # As text, epoch_100 would stand before epoch_99.
    epochs = sorted((path.parent for path in job.glob("epoch_*/weights.npz")), key=lambda path: int(path.name[6:]))
    if not epochs or not (job / "config.json").is_file():
        raise OptionError(
            f"{job}: a pretraining job with epoch_NN/weights.npz is needed. Received: none; check the path"
        )
    coverage = _Coverage.of_job(job)
    if coverage is None:
        made = "one on a file of windows, or of an earlier version"
    elif coverage.passes(len(epochs)) > _ONE_PASS:
        made = f"one of {coverage.passes(len(epochs)):.3g} passes"
    elif coverage.share(1) == coverage.fraction:
        made = f"one that opens its {coverage.patients} patients together"
    else:
        chosen = [epochs[max(round(share * len(epochs)), 1) - 1] for share in shares]
        of_share = {coverage.share(int(folder.name[6:])): str(folder / "weights.npz") for folder in chosen}
        return [Start(f"{100 * share:.3g}%", (file,), share) for share, file in of_share.items()]
    raise OptionError(
        f"{job}: the epochs of a run are shares of its patients where it passes over them once. Received: {made}; "
        "pretrain with --samples-per-patient for one pass over many patients, or a job for each --patient-fraction and "
        "--init 10%=JOB@0.1"
    )


@dataclasses.dataclass(frozen=True)
class _Coverage:
    """How a pretraining job passes over its patients."""

    epoch_windows: int
    patients: int
    working_set: int
    samples_per_patient: int
    fraction: float

    @classmethod
    def of_job(cls, job):
        """Return that of a job folder, or None where it is not known."""
        config = read_config(job)
        weights = next(iter(sorted(job.glob("epoch_*/weights.npz"))), None)
        if config is None or config["command"] != "pretraining.trainer" or weights is None:
            return None
        options, data = config["options"], read_weights(weights).description.data
        if not options["steps_per_epoch"] or not data.get("working_set"):
            return None
        return cls(
            epoch_windows=options["steps_per_epoch"] * options["batch_size"],
            patients=len(data["training_patients"]),
            working_set=data["working_set"],
            samples_per_patient=options["samples_per_patient"],
            fraction=options["patient_fraction"],
        )

    def passes(self, epochs):
        """Return how many passes so many epochs make."""
        return epochs * self.epoch_windows / (self.patients * self.samples_per_patient)

    def share(self, epoch):
        """Return the share of all training patients that have been opened by the end of an epoch."""
        opened = patients_visited(epoch * self.epoch_windows, self.patients, self.working_set, self.samples_per_patient)
        return opened / self.patients * self.fraction


def _short(path):
    return path.stem if path.is_file() and path.suffix != ".index" else path.name

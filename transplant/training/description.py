"""What a model was trained on and how its input must be prepared: saved with the weights."""

import dataclasses
import importlib.metadata
import json
import platform
import sys

from transplant import __version__
from transplant.errors import WeightsError
from transplant.signals.normalization import Normalization

FORMAT = "transplant model description 1"


def collect_versions():
    """Return the versions that results depend on, as a dict of strings.

    Nothing is imported for it: a library that is neither loaded nor installed
    under its usual name is given as "unknown".
    """
    versions = {"python": platform.python_version(), "transplant": __version__}
    for name in ("tensorflow", "keras", "numpy"):
        module = sys.modules.get(name)
        if hasattr(module, "__version__"):
            versions[name] = module.__version__
            continue
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "unknown"
    return versions


@dataclasses.dataclass(frozen=True)
class ModelDescription:
    """Everything that must be known to use a model's weights rightly.

    Attributes:
        architecture: name in `transplant.modules.registry`.
        stages: stages of the backbone that were built.
        leads: lead names in the order of the input's last axis.
        sampling_rate_hz: samples per second of the input; None where it has no time in seconds.
        unit: unit of the signal before normalisation, such as "mV".
        normalization: how the signal was standardised.
        input_length: samples of one training input; None where it varied; of images their height.
        task: name of the pretraining task, "finetuning", or "unknown".
        classes: class names in the order of the head's outputs.
        data: name, fingerprint, label version and the like of the training data.
        seed: seed of the run, or None.
        versions: what `collect_versions` returned.
        spectrogram: settings of the spectrogram layer; None for raw signals.
        padding_aware: whether the network leaves padding out of account.
    """

    architecture: str
    stages: int
    leads: tuple
    sampling_rate_hz: float | None
    unit: str
    normalization: Normalization
    input_length: int | None
    task: str
    classes: tuple
    data: dict
    seed: int | None = None
    versions: dict = dataclasses.field(default_factory=collect_versions)
    spectrogram: dict | None = None
    padding_aware: bool = False

    def __post_init__(self):
        object.__setattr__(self, "leads", tuple(self.leads))
        object.__setattr__(self, "classes", tuple(self.classes))

    def to_dict(self):
        """Return a JSON-ready dict."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        values |= {
            "leads": list(self.leads),
            "classes": list(self.classes),
            "normalization": self.normalization.to_dict(),
        }
        return {"format": FORMAT} | values

    def to_json(self):
        """Return the description as a JSON string."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    @classmethod
    def from_dict(cls, values, source="description"):
        """Return the description that `to_dict` wrote.

        Args:
            values: the dict.
            source: file name for error messages.

        Raises:
            WeightsError: if it is not a description of this format. Fields that
                are not known are refused, because they may say how the input
                must be prepared.
        """
        values = dict(values)
        received = values.pop("format", None)
        if received != FORMAT:
            raise WeightsError(
                f"{source}: the model description must be of the format {FORMAT!r}. Received: {received!r}; "
                "read it with the version of transplant that wrote it"
            )
        fields = {field.name for field in dataclasses.fields(cls)}
        required = {f.name for f in dataclasses.fields(cls) if f.default is f.default_factory is dataclasses.MISSING}
        if not required <= set(values) <= fields:
            wrong = sorted((required - set(values)) | (set(values) - fields))
            raise WeightsError(
                f"{source}: the model description has missing or unknown fields. Received: {', '.join(wrong)}; "
                "read it with the version of transplant that wrote it"
            )
        values["normalization"] = Normalization.from_dict(values["normalization"])
        return cls(**values)

    @classmethod
    def from_json(cls, text, source="description"):
        """Return the description that `to_json` wrote.

        Raises:
            WeightsError: if `text` is not such a description.
        """
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise WeightsError(f"{source}: the model description is not JSON. Received: {error}") from error
        if not isinstance(values, dict):
            raise WeightsError(f"{source}: the model description must be a JSON object. Received: {text[:40]!r}")
        return cls.from_dict(values, source)

"""What a pretraining job hands over, without the job: a backbone of random weights with its description."""

from transplant.modules.classifier import build_classifier
from transplant.signals.normalization import Normalization
from transplant.training.description import ModelDescription
from transplant.training.weights import save_weights


def write_backbone(path, arch="resnet18", stages=1, spectrogram=None):
    """Write the weights file of a backbone on one lead; return its path as a string.

    Args:
        path: file, whose folder is made where it is missing.
        arch: architecture. Defaults to "resnet18".
        stages: number of stages. Defaults to 1.
        spectrogram: `SpectrogramSettings` of a 2-D network. Defaults to None.
    """
    model = build_classifier(arch, 5, stages=stages, seed=3, spectrogram=spectrogram)
    description = ModelDescription(
        architecture=arch,
        stages=stages,
        leads=("II",),
        sampling_rate_hz=250.0,
        unit="mV",
        normalization=Normalization("zscore", "train", (0.0,), (1.0,)),
        input_length=512,
        task="beat",
        classes=("a", "b", "c", "d", "e"),
        data={"name": "synthetic"},
        spectrogram=spectrogram and spectrogram.to_dict(),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    save_weights(path, model.get_layer("backbone"), description)
    return str(path)

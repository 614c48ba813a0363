"""The one list of architectures: name, what it is, and how to build it.

Builders are named by module and function and imported when one is built, so
that a command line can offer the names without loading Keras.
"""

import dataclasses
import importlib

from transplant.errors import OptionError
from transplant.signals.spectrogram import SpectrogramSettings


@dataclasses.dataclass(frozen=True)
class Architecture:
    """One entry of the registry.

    Attributes:
        name: what `--arch` takes.
        module, function: where the backbone's builder lives; it is called as
            `function(arch, stages=, leads=, seed=, batch_norm=, padding_aware=)`, with
            `spectrogram=` where it takes one, and returns a `keras.Model` named "backbone" from
            (batch, time, leads) to (batch, time', channels), to (batch, frequency', slice',
            channels), or to (batch, channels) where it pools by itself.
        stages: number of stages of the full network.
        description: one line for help and model cards.
        takes_spectrogram: whether a spectrogram is its first layer.
    """

    name: str
    module: str
    function: str
    stages: int
    description: str
    takes_spectrogram: bool = False


FUSION = "fusion"
# The networks that a fusion joins, and the prefix of their layers' names in it.
PREFIXES = {"resnet18": "raw_", "resnet18_2d": "spectrogram_"}

ARCHITECTURES = {
    entry.name: entry
    for entry in (
        Architecture(
            "resnet18", "transplant.modules.resnet1d", "build_resnet1d", 4, "1-D ResNet-18, 4,492,480 parameters"
        ),
        Architecture(
            "resnet34", "transplant.modules.resnet1d", "build_resnet1d", 4, "1-D ResNet-34, 9,086,656 parameters"
        ),
        Architecture(
            "resnet50", "transplant.modules.resnet1d", "build_resnet1d", 4, "1-D ResNet-50, 16,974,016 parameters"
        ),
        Architecture(
            "resnet18_2d",
            "transplant.modules.resnet2d",
            "build_resnet2d",
            4,
            "2-D ResNet-18 on spectrograms, 11,184,640 parameters",
            takes_spectrogram=True,
        ),
        Architecture(
            FUSION,
            "transplant.modules.fusion",
            "build_fusion",
            4,
            "1-D ResNet-18 and 2-D ResNet-18 on spectrograms side by side, 15,677,120 parameters",
            takes_spectrogram=True,
        ),
    )
}


def get_architecture(name):
    """Return the registry's entry for `name`.

    Raises:
        OptionError: if there is none; the message lists the names.
    """
    if name not in ARCHITECTURES:
        raise OptionError(f"unknown architecture; choose one of {', '.join(ARCHITECTURES)}. Received: {name}")
    return ARCHITECTURES[name]


def choose_spectrogram(name, spectrogram=None, bins=None):
    """Return the `SpectrogramSettings` that a network is built with, or None where it takes raw signals.

    Args:
        name: a key of `ARCHITECTURES`.
        spectrogram: name of a preset, or `SpectrogramSettings`. Defaults to "final"
            where the network takes one.
        bins: frequency bins of the preset. Defaults to its own.

    Raises:
        OptionError: if the network takes no spectrogram and one is asked for, or
            the settings are wrong.
    """
    if not get_architecture(name).takes_spectrogram:
        if spectrogram is None and bins is None:
            return None
        takers = ", ".join(entry.name for entry in ARCHITECTURES.values() if entry.takes_spectrogram)
        raise OptionError(
            f"{name} takes the raw signal, and only {takers} a spectrogram. Received: "
            f"spectrogram={spectrogram or 'none'}, bins={bins or 'none'}; leave them out, or change the network"
        )
    if isinstance(spectrogram, SpectrogramSettings):
        return spectrogram
    return SpectrogramSettings(bins=bins) if spectrogram is None else SpectrogramSettings(spectrogram, bins)


def build_backbone(name, stages=None, leads=1, seed=None, batch_norm="stock", spectrogram=None, padding_aware=False):
    """Build the backbone of an architecture.

    Args:
        name: a key of `ARCHITECTURES`.
        stages: first so many stages. Defaults to all of them.
        leads: input channels. Defaults to 1.
        seed: of the initial weights. Defaults to Keras' global random state.
        batch_norm: kind of batch normalisation, as in `make_batch_norm`. Defaults to "stock".
        spectrogram: `SpectrogramSettings`, or the name of a preset, for a network that
            takes one. Defaults to "final" there.
        padding_aware: give a record the same features however many zeros stand before it,
            see `transplant.modules.padding`. Defaults to False.

    Returns:
        A `keras.Model` named "backbone", (batch, time, leads) to (batch, time', channels), to
        (batch, frequency', slice', channels) where a spectrogram comes first, or to float32
        (batch, channels) where it pools by itself, as "fusion" does.

    Raises:
        OptionError: if the name, the number of stages or the spectrogram is wrong.
    """
    entry = get_architecture(name)
    settings = choose_spectrogram(name, spectrogram)
    if stages is not None and not 1 <= stages <= entry.stages:
        raise OptionError(f"{name} has 1 to {entry.stages} stages. Received: stages={stages}")
    build = getattr(importlib.import_module(entry.module), entry.function)
    special = {"spectrogram": settings} if entry.takes_spectrogram else {}
    return build(
        name, stages=stages, leads=leads, seed=seed, batch_norm=batch_norm, padding_aware=padding_aware, **special
    )

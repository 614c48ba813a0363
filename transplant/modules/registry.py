"""The one list of architectures: name, what it is, and how to build it.

Builders are named by module and function and imported when one is built, so
that a command line can offer the names without loading Keras.
"""

import dataclasses
import importlib

from transplant.errors import OptionError


@dataclasses.dataclass(frozen=True)
class Architecture:
    """One entry of the registry.

    Attributes:
        name: what `--arch` takes.
        module, function: where the backbone's builder lives; it is called as
            `function(arch, stages=, leads=, seed=, batch_norm=)` and returns a `keras.Model`
            named "backbone" from (batch, time, leads) to (batch, time', channels).
        stages: number of stages of the full network.
        description: one line for help and model cards.
    """

    name: str
    module: str
    function: str
    stages: int
    description: str


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


def build_backbone(name, stages=None, leads=1, seed=None, batch_norm="stock"):
    """Build the backbone of an architecture.

    Args:
        name: a key of `ARCHITECTURES`.
        stages: first so many stages. Defaults to all of them.
        leads: input channels. Defaults to 1.
        seed: of the initial weights. Defaults to Keras' global random state.
        batch_norm: kind of batch normalisation, as in `make_batch_norm`. Defaults to "stock".

    Returns:
        A `keras.Model` named "backbone", (batch, time, leads) to (batch, time', channels).

    Raises:
        OptionError: if the name or the number of stages is wrong.
    """
    entry = get_architecture(name)
    if stages is not None and not 1 <= stages <= entry.stages:
        raise OptionError(f"{name} has 1 to {entry.stages} stages. Received: stages={stages}")
    build = getattr(importlib.import_module(entry.module), entry.function)
    return build(name, stages=stages, leads=leads, seed=seed, batch_norm=batch_norm)

"""The rows of a comparison: which weights, network, recipe and share of the records."""

import dataclasses
import itertools
import re

from finetuning.starts import Start
from finetuning.variants import Variant
from transplant.errors import OptionError
from transplant.modules.registry import get_architecture
from transplant.training.weights import read_weights


@dataclasses.dataclass(frozen=True)
class Row:
    """One row: runs that differ in seed or fold alone.

    Attributes:
        name: of the row and of its folder.
        start: `Start`.
        arch: network.
        variant: `finetuning.variants.Variant`, the recipe.
        subset: share of the training records.
        shuffled: whether training and validation labels are permuted.
        of_folds: options on each fold, where they differ; then network and recipe are names alone. Defaults to none.
    """

    name: str
    start: Start
    arch: str
    variant: Variant
    subset: float = 1.0
    shuffled: bool = False
    of_folds: tuple = ()

    @property
    def folder(self):
        """The row's name as that of a folder."""
        return file_name(self.name)

    def options(self, fold=None):
        """Return the row's options of `finetuning.trainer`, a list of text.

        Args:
            fold: that a run holds out. Defaults to None.
        """
        if self.of_folds:
            return list(self.of_folds[fold])
        options = ["--arch", self.arch, *self.variant.options(), "--subset", f"{self.subset:g}"]
        for flag, file in zip(("--weights-file", "--second-weights-file"), self.start.files):
            options += [flag, file]
        if self.start.files:
            options += _network_options(self.arch, self.start.files)
        return options + ["--shuffle-labels"] * self.shuffled


def file_name(name):
    """Return a row's name as that of a file or folder."""
    return re.sub(r"[^\w.-]+", "_", name)


def expand_rows(starts, archs, variants, subsets):
    """Return the rows of every combination that makes sense: weights serve their own network, and a fusion of it.

    Args:
        starts: `Start`s.
        archs: networks.
        variants: `Variant`s of recipes.
        subsets: shares of the records.

    Raises:
        OptionError: if weights fit none of the networks, or two rows have one name.
    """
    rows = []
    for start in starts:
        fitting = start.architectures()
        chosen = [arch for arch in archs if fitting is None or arch in fitting]
        if not chosen:
            raise OptionError(
                f"{start.name}: weights of {' or '.join(sorted(fitting))} need that network. "
                f"Received: --arch {' '.join(archs)}"
            )
        for arch, variant, subset in itertools.product(chosen, variants, subsets):
            parts = [start.name, arch if len(archs) > 1 else "", variant.name if len(variants) > 1 else ""]
            parts.append(f"{subset:.0%}" if len(subsets) > 1 else "")
            rows.append(Row(" ".join(filter(None, parts)), start, arch, variant, subset))
    folders = [row.folder for row in rows]
    if len(set(folders)) < len(folders) or any(not folder.strip(".") for folder in folders):
        raise OptionError(f"rows need names of their own. Received: {', '.join(folders)}; write NAME=W")
    return rows


def _network_options(arch, files):
    descriptions = [read_weights(file).description for file in files]
    spectrogram = next((d.spectrogram for d in descriptions if d.spectrogram), None)
    options = []
    if descriptions[0].stages < get_architecture(arch).stages:
        options += ["--stages", str(descriptions[0].stages)]
    if spectrogram:
        options += ["--spectrogram", spectrogram["preset"], "--bins", str(spectrogram["bins"])]
    return options

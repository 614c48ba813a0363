"""The rows of a comparison: which weights, network, recipe and share of the records."""

import dataclasses
import itertools
import re

from finetuning.starts import RANDOM, Start
from finetuning.variants import Variant, default_variants
from transplant.errors import OptionError
from transplant.modules.registry import FUSION, get_architecture


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
        network: the network's options of `finetuning.trainer`, as text. Defaults to none.
        of_folds: (row name, its options) on each fold, where they differ; then network and recipe are names alone.
            Defaults to none.
    """

    name: str
    start: Start
    arch: str
    variant: Variant
    subset: float = 1.0
    shuffled: bool = False
    network: tuple = ()
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
            return list(self.of_folds[fold][1])
        options = ["--arch", self.arch, *self.variant.options(), "--subset", f"{self.subset:g}"]
        for flag, file in zip(("--weights-file", "--second-weights-file"), self.start.files):
            options += [flag, file]
        return options + list(self.network) + ["--shuffle-labels"] * self.shuffled

    def names_of_folds(self):
        """Return the names of the rows that it is on each fold, where they differ."""
        return [name for name, _ in self.of_folds]


def file_name(name):
    """Return a row's name as that of a file or folder."""
    return re.sub(r"[^\w.-]+", "_", name).strip("_")


def expand_rows(starts, archs, variants, subsets):
    """Return the rows of every combination that makes sense.

    Weights serve their own network, and a fusion of it unless others are given for both
    branches. Random weights get the network of the rows beside them.

    Args:
        starts: `Start`s.
        archs: networks.
        variants: `Variant`s of recipes; none for the default of each network.
        subsets: shares of the records.

    Raises:
        OptionError: if weights fit none of the networks, or two rows have one name.
    """
    pairs = any(len(start.files) > 1 for start in starts)
    rows = []
    for start in starts:
        fitting = start.architectures()
        if pairs and len(start.files) == 1:
            fitting = fitting - {FUSION}
        chosen = [arch for arch in archs if fitting is None or arch in fitting]
        if not chosen:
            raise OptionError(
                f"{start.name}: these weights serve --arch {' or '.join(sorted(fitting, key=lambda a: a == FUSION))}. "
                f"Received: --arch {' '.join(archs)}; add that network, or leave the weights out"
            )
        combinations = [
            (arch, variant, subset)
            for arch in chosen
            for variant, subset in itertools.product(variants or default_variants(arch), subsets)
        ]
        for arch, variant, subset in combinations:
            # One start that says nothing of itself is no part of the names.
            only = len(starts) == 1 and len(archs) > 1 and start.name == RANDOM
            parts = [
                "" if only else start.name,
                arch if len(archs) > 1 else "",
                variant.name if len(variants) > 1 else "",
                f"{subset:.0%}" if len(subsets) > 1 else "",
            ]
            rows.append(Row(" ".join(filter(None, parts)), start, arch, variant, subset))
    folders = [row.folder for row in rows]
    if len(set(folders)) < len(folders) or any(not folder.strip(".") for folder in folders):
        raise OptionError(f"rows need names of their own. Received: {', '.join(folders)}; write NAME=W")
    return _with_networks(rows)


def _with_networks(rows):
    """Return the rows with the options of their networks: those of the weights.

    What a row's own weights leave open, all of it where they are random, is as in the other rows of
    its architecture, if they agree: such rows differ in their weights alone.
    """
    own = [_network_of(row.start.descriptions) for row in rows]
    completed = []
    for row, network in zip(rows, own):
        beside = [other for other, of in zip(own, rows) if of.arch == row.arch]
        for name in ("stages", "spectrogram"):
            given = {other[name] for other in beside if name in other}
            if name not in network and len(given) == 1:
                network = network | {name: given.pop()}
        every_stage = get_architecture(row.arch).stages
        options = []
        if network.get("stages", every_stage) < every_stage:
            options += ["--stages", str(network["stages"])]
        if "spectrogram" in network:
            preset, bins = network["spectrogram"]
            options += ["--spectrogram", preset, "--bins", str(bins)]
        completed.append(dataclasses.replace(row, network=tuple(options)))
    return completed


def _network_of(descriptions):
    """Return what weights decide of their network: stages, and preset and bins of the spectrogram."""
    network = {"stages": min(description.stages for description in descriptions)} if descriptions else {}
    spectrogram = next((d.spectrogram for d in descriptions if d.spectrogram), None)
    return network | ({"spectrogram": (spectrogram["preset"], spectrogram["bins"])} if spectrogram else {})

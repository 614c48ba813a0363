"""Names of the labelled data sets. A new one is a module and an entry in `DATASETS`.

Command lines import this file for their help, so it imports nothing heavy.
"""

import dataclasses
import importlib

from transplant.errors import OptionError


@dataclasses.dataclass(frozen=True)
class DatasetSpec:
    """A labelled data set that the preparation knows; its module is imported when it is used.

    Attributes:
        name: what `--dataset` takes.
        description: one line for the help.
        module: where it is read. The module has `CLASSES` and, if a publication
            gives constants, `PAPER_NAME`, `PAPER_MEAN_MV` and `PAPER_STD_MV`.
        opener: name of the function in `module` that returns a `RecordSource`.
        needs_source: whether there are files to read.
    """

    name: str
    description: str
    module: str
    opener: str
    needs_source: bool = True

    def _load(self):
        return importlib.import_module(self.module)

    @property
    def classes(self):
        """Class names, in the order of the network's outputs."""
        return self._load().CLASSES

    def open(self, *args, **kwargs):
        """Return the data set's `RecordSource`; the arguments are those of its opener."""
        return getattr(self._load(), self.opener)(*args, **kwargs)

    def paper_normalization(self, leads=1):
        """Return the publication's standardisation.

        Raises:
            OptionError: if no publication gives constants for this data set.
        """
        from transplant.signals.normalization import Normalization

        module = self._load()
        if not hasattr(module, "PAPER_MEAN_MV"):
            raise OptionError(
                f"--normalization paper needs constants that belong to the data set. Received: {self.name}, which "
                "has none; use --normalization train"
            )
        return Normalization.paper(module.PAPER_NAME, module.PAPER_MEAN_MV, module.PAPER_STD_MV, leads)


DATASETS = {
    spec.name: spec
    for spec in (
        DatasetSpec(
            "challenge2017",
            "PhysioNet/CinC Challenge 2017, AF from a short single-lead ECG",
            "transplant.datasets.challenge2017",
            "read_challenge2017",
        ),
        DatasetSpec(
            "synthetic",
            "embedded synthetic records with the challenge's labels, not evidence",
            "transplant.datasets.synthetic_set",
            "read_synthetic",
            needs_source=False,
        ),
    )
}


def get_dataset(name):
    """Return the `DatasetSpec` called `name`.

    Raises:
        OptionError: if there is none.
    """
    if name not in DATASETS:
        raise OptionError(f"data sets are {', '.join(DATASETS)}. Received: {name}")
    return DATASETS[name]

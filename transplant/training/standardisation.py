"""Which standardisation a run has: from its training set, published, or none."""

from transplant.datasets.labelled_set import indicator_columns
from transplant.datasets.registry import get_dataset
from transplant.errors import OptionError
from transplant.signals.normalization import Normalization, fit_normalization


def choose_normalization(mode, train):
    """Return the `Normalization` of a run: from the training set, published, or none.

    Args:
        mode: "train", "paper" or "none".
        train: the training `LabelledSet`.
    """
    if train.is_standardised:
        if mode != "train":
            raise OptionError(
                f"--normalization {mode} needs values as recorded. Received: a set that its writer standardised; "
                "prepare the records with finetuning.prepare, or leave the option out"
            )
        return train.normalization
    if mode == "train":
        if len(train.indicators) == len(train.leads):
            return Normalization.none(len(train.leads))
        return fit_normalization(train.x, train.lengths, indicator_columns(train))
    if mode == "paper":
        return get_dataset(train.dataset).paper_normalization(len(train.leads))
    return Normalization.none(len(train.leads))

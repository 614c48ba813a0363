"""The synthetic short records as a data set: the default where no data is given."""

from transplant.datasets import synthetic

CLASSES = ("A", "N", "O", "~")


def read_synthetic(n_records=200, seed=2024):
    """Open `n_records` synthetic records with the challenge's four labels."""
    return SyntheticSet(n_records, seed)


class SyntheticSet:
    """Synthetic records, made one at a time. Not evidence of anything clinical.

    Args:
        n_records: how many.
        seed: same seed, same records.
    """

    name = "synthetic"
    label_version = "synthetic"
    classes = CLASSES

    def __init__(self, n_records=200, seed=2024):
        self._n_records = n_records
        self._seed = seed

    def __len__(self):
        return self._n_records

    def __iter__(self):
        return iter(synthetic.short_records(self._n_records, self._seed))

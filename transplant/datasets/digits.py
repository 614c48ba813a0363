"""Optical digits: 1,797 handwritten digits of 8 x 8 pixels that scikit-learn brings along.

Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits" (1998), UCI Machine Learning
Repository; `sklearn.datasets.load_digits` is a copy of its test part.
"""

import numpy as np

from transplant.datasets.labelled_set import LabelledSet
from transplant.datasets.whole_set import WholeSet
from transplant.errors import OptionError

CLASSES = tuple("0123456789")


def read_digits(source=None, *, skipped=None, on_record=None):
    """Return the digits; there is nothing to fetch and nothing that could be damaged.

    Args:
        source: None, as they are part of scikit-learn.
        skipped: not used.
        on_record: called once, as one file is read. Defaults to None.

    Returns:
        A `WholeSet`; x is uint8 (1797, 8, 8, 1), values 0 to 16, named "digit-0000" by their place.

    Raises:
        OptionError: if a source is given.
    """
    if source is not None:
        raise OptionError(f"the digits are part of scikit-learn. Received: source {source}; leave it out")
    import sklearn.datasets

    digits = sklearn.datasets.load_digits()
    if on_record:
        on_record()
    record_ids = [f"digit-{index:04}" for index in range(len(digits.target))]
    data = LabelledSet(
        x=digits.images.astype(np.uint8)[..., None],
        lengths=np.full(len(record_ids), digits.images.shape[1]),
        y=digits.target,
        classes=CLASSES,
        record_ids=record_ids,
        group_ids=record_ids,
        sampling_rate_hz=None,
        leads=("grey",),
        dataset="digits",
        label_version="published",
        unit="grey level",
        notes=(
            "grey levels are 0 to 16",
            "who wrote a digit is not told: every image is a group of its own, though 13 people wrote them",
        ),
    )
    return WholeSet(data)

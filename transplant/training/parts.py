"""Whether the parts of a run are of one kind, and share nothing that would let a test be learned."""

import itertools

from transplant.errors import DataError
from transplant.training.split_options import RANDOM
from transplant.training.splits import check_disjoint

_KIND = ("classes", "leads", "indicators", "sampling_rate_hz", "input_shape", "unit", "label_version")


def check_parts(parts, split):
    """Refuse parts of another kind than the training part, and what is in two of them.

    Args:
        parts: dict name -> `LabelledSet`, "training" among them.
        split: "group", "random" or "published"; a random one may divide a patient's records.

    Raises:
        DataError: if a part has other classes, channels, rate, shape, unit or labels, or is standardised where the
            training part is not.
        SplitError: if two have a patient or recording (but of a random split), or a record, in common.
    """
    train = parts["training"]
    for name, other in parts.items():
        for what in (*_KIND, "is_standardised"):
            here, there = getattr(train, what), getattr(other, what)
            if here != there:
                raise DataError(
                    f"the sets of a run have the same {what}. Received: {here} for training and {there} in the "
                    f"{name} set {other.dataset}; prepare them together"
                )
    for first, second in itertools.combinations(parts, 2):
        if split != RANDOM:
            check_disjoint(parts[first].group_ids, parts[second].group_ids, (first, second))
        check_disjoint(parts[first].record_ids, parts[second].record_ids, (first, second), "record")

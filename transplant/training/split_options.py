"""How records are divided: whole groups, at random, or as their publisher did."""

from transplant.errors import SplitError

TEST_SHARE = 0.2
GROUP, RANDOM, PUBLISHED = "group", "random", "published"


def add_split_flag(parser, published=True):
    """Add `--split` and `--check-leakage` to a parser or argument group.

    Args:
        parser: parser or argument group.
        published: whether the publisher's division can be had. Defaults to True.
    """
    parser.add_argument(
        "--split",
        choices=(GROUP, RANDOM, PUBLISHED) if published else (GROUP, RANDOM),
        default=GROUP,
        help="keep every patient or recording whole; or divide single records, so that a group may be on both sides"
        + ("; or as the data set's publisher did" if published else ""),
    )
    parser.add_argument(
        "--check-leakage",
        action="store_true",
        help="report records that are identical, or overlap in time, in two of the parts, and groups in two of them",
    )


def units_of(data, split):
    """Return what a split keeps whole: the group of each record, or the record itself where it is random.

    Args:
        data: `LabelledSet`.
        split: "group", "random" or "published".
    """
    return data.record_ids if split == RANDOM else data.group_ids


def split_in_words(data, split):
    """Return what a split of these records keeps whole, for a log.

    Args:
        data: `LabelledSet`.
        split: "group", "random" or "published".
    """
    if split == PUBLISHED:
        return "as published"
    if split == RANDOM:
        return "single records at random, whatever patient or recording they are of"
    if len(set(data.group_ids.tolist())) == len(data):
        return "stratified by class; every record stands for itself"
    return "stratified by class; records of one patient or recording stay together"


def hold_out(whole, size, split, seed):
    """Return the training and the test set of a `WholeSet`.

    Args:
        whole: `WholeSet`.
        size: share or number of the records to hold out; the published division has its own.
        split: "group", "random" or "published".
        seed: of the division.

    Raises:
        SplitError: too few records of a class or groups, or no division is published.
    """
    import numpy as np

    from transplant.training.splits import check_disjoint, stratified_split

    data = whole.data
    if split == PUBLISHED:
        if whole.published_test is None:
            raise SplitError(
                f"--split published is the division that a data set came with. Received: {data.dataset}, which has "
                "none here; choose group or random"
            )
        held_out = np.flatnonzero(whole.published_test)
        rest = np.flatnonzero(~whole.published_test)
        for name, part in (("test", held_out), ("training", rest)):
            if not len(part):
                raise SplitError(
                    f"{data.dataset}: the published division leaves records to both parts. Received: none for {name}; "
                    "choose --split group"
                )
    else:
        rest, held_out = stratified_split(
            data.y, units_of(data, split), size, seed, data.record_ids, data.classes
        )
    train, test = data.select(rest), data.select(held_out)
    if split != RANDOM:
        check_disjoint(train.group_ids, test.group_ids)
    return train, test


def warn_of_random(split, parts, log=print):
    """Say where a random split has put groups on both sides, and return whether it has.

    Args:
        split: "group", "random" or "published".
        parts: dict name -> `LabelledSet`.
        log: function that takes a line.
    """
    import numpy as np

    if split != RANDOM or len(parts) < 2:
        return False
    first, *others = parts.values()
    seen = set(first.group_ids.tolist())
    shared = sum(int(np.isin(other.group_ids, list(seen)).sum()) for other in others)
    if shared:
        total = sum(map(len, others))
        log(
            f"warning: --split random put {shared:,} of {total:,} held-out records beside training records of the same "
            "patient or recording: scores say how well these are known, not how well new ones will be"
        )
    return bool(shared)


def check_leakage_of(parts, log=print):
    """Report what the parts of a division share, and return the `LeakageReport`.

    Args:
        parts: dict name -> `LabelledSet`.
        log: function that takes a line.
    """
    from transplant.evaluation.leakage import find_leakage

    report = find_leakage(parts)
    log(str(report))
    return report

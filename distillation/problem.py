"""Real data that knowledge is distilled from: training, validation and test part, standardised."""

import dataclasses

import numpy as np

from transplant.datasets.labelled_set import LabelledSet
from transplant.datasets.registry import get_dataset
from transplant.errors import OptionError
from transplant.signals.normalization import Normalization
from transplant.training.dataset_options import read_dataset
from transplant.training.parts import check_parts
from transplant.training.split_options import (
    GROUP,
    PUBLISHED,
    TEST_SHARE,
    check_leakage_of,
    hold_out,
    units_of,
    warn_of_random,
)
from transplant.training.splits import stratified_split
from transplant.training.standardisation import choose_normalization


@dataclasses.dataclass(frozen=True)
class Problem:
    """What is distilled, and what the result is judged on.

    Attributes:
        train, validation, test: `LabelledSet`s, as recorded.
        normalization: from the training part.
    """

    train: LabelledSet
    validation: LabelledSet
    test: LabelledSet
    normalization: Normalization

    def __post_init__(self):
        object.__setattr__(self, "_inputs", {})

    def fingerprints(self):
        """Return dict part -> fingerprint of its records."""
        return {part: getattr(self, part).fingerprint() for part in ("train", "validation", "test")}

    def inputs(self, part):
        """Return the standardised values of "train", "validation" or "test", which are computed once."""
        if part not in self._inputs:
            self._inputs[part] = getattr(self, part).standardized(self.normalization)
        return self._inputs[part]


def load_problem(args, log=print, normalization=None):
    """Read and divide what the options name.

    Args:
        args: options of the trainer: train, val, test, dataset and its own, test_size, val_size, split,
            split_seed, check_leakage, skip_bad.
        log: function that takes a line.
        normalization: that of a distilled set. Defaults to None: from the training part.

    Returns:
        `Problem` of parts that share no patient or recording, unless the split is random.

    Raises:
        DataError: if files cannot be used.
        OptionError: if options contradict each other.
        SplitError: if there are too few records.
    """
    train, validation, test = _read(args, log)
    if validation is None:
        kept, taken = stratified_split(
            train.y, units_of(train, args.split), args.val_size, args.split_seed, train.record_ids, train.classes
        )
        train, validation = train.select(kept), train.select(taken)
    parts = {"training": train, "validation": validation, "test": test}
    warn_of_random(args.split, parts, log)
    check_parts(parts, args.split)
    log(train.summary)
    for note in train.notes:
        log(note)
    log(f"records: {len(train):,} to learn from, {len(validation):,} for validation, {len(test):,} for the test")
    if args.check_leakage:
        check_leakage_of(parts, log)
    return Problem(train, validation, test, normalization or choose_normalization("train", train))


def _read(args, log):
    if args.train:
        if args.dataset:
            raise OptionError("--train is a prepared set, --dataset reads one. Received: both; leave one of them out")
        if not args.test:
            raise OptionError("--train goes with --test. Received: no --test; finetuning.prepare makes both")
        load = LabelledSet.load
        return load(args.train), load(args.val) if args.val else None, load(args.test)
    if args.test or args.val:
        raise OptionError("--val and --test go with --train. Received: no --train")
    spec = get_dataset(args.dataset)
    if not spec.needs_source:
        log(f"embedded data set {spec.name}")
    skipped = [] if args.skip_bad else None
    whole, _ = read_dataset(args, args.split_seed, skipped)
    if skipped:
        log(f"skipped {len(skipped)} record{'s' if len(skipped) > 1 else ''}")
    if args.test_size == 0:
        raise OptionError("a distilled set is judged on test records. Received: --test-size 0; give a share of them")
    has_published = whole.published_test is not None and np.any(whole.published_test)
    split = PUBLISHED if args.split == GROUP and has_published and args.test_size is None else args.split
    train, test = hold_out(whole, args.test_size or TEST_SHARE, split, args.split_seed)
    return train, None, test

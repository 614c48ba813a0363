"""What a fine-tuning run trains, validates and tests on."""

import dataclasses

import numpy as np

from transplant.datasets.labelled_set import LabelledSet
from transplant.datasets.preparation import prepare_records
from transplant.datasets.registry import get_dataset
from transplant.errors import DataError, OptionError, SplitError, shorten
from transplant.modules.registry import check_fit
from transplant.training.balance import balanced_subset
from transplant.training.dataset_options import dataset_values, read_dataset, settle_dataset_options
from transplant.training.fold_option import LEFT_OUT
from transplant.training.parts import check_parts
from transplant.training.split_options import (
    PUBLISHED,
    TEST_SHARE,
    check_leakage_of,
    hold_out,
    units_of,
    warn_of_random,
)
from transplant.training.splits import make_folds, stratified_split, stratified_subset

SYNTHETIC_RECORDS = 200
SYNTHETIC_TEST_SHARE = 0.25
FEWEST_VALIDATION_RECORDS, FEWEST_VALIDATION_RECORDS_OF_A_CLASS = 20, 2


@dataclasses.dataclass(frozen=True)
class FinetuningData:
    """The sets of one run; `validation` and `test` may be None.

    Attributes:
        train, validation, test: `LabelledSet`s.
        name: where they come from, for the job's description.
        fingerprint: of the training set as it was given, before splits.
        leakage: `LeakageReport` of the three, or None where none was asked for.
    """

    train: LabelledSet
    validation: LabelledSet | None
    test: LabelledSet | None
    name: str
    fingerprint: str
    leakage: object = None


def load_data(args, log=print):
    """Load and divide the sets that the options describe.

    Args:
        args: options of `finetuning.trainer`.
        log: function that takes a line.

    Returns:
        `FinetuningData` of sets that share no patient, unless `--split random` divides single records.

    Raises:
        DataError: a file that cannot be used, or sets that do not fit together.
        SplitError: too few records to divide, or a patient in two sets.
    """
    train, validation, test = _load_sets(args, log)
    check_classes(train)
    name, fingerprint = f"{train.dataset} {train.label_version}", train.fingerprint()
    whole, (rest, held_out, tested) = train, divide(train, args, validation is None)
    if len(held_out):
        shares = [100 * len(part) / (len(rest) + len(held_out)) for part in (rest, held_out)]
        log(f"Split data into train {shares[0]:.2f}% and validation {shares[1]:.2f}%")
        validation = whole.select(held_out)
    if len(tested):
        test = whole.select(tested)
    if len(rest) < len(whole):
        train = whole.select(rest)
    parts = {"training": train, "validation": validation, "test": test}
    parts = {name: part for name, part in parts.items() if part is not None}
    check_parts(parts, args.split)
    warn_of_random(args.split, parts, log)
    leakage = check_leakage_of(parts, log) if args.check_leakage else None
    if args.subset < 1:
        train = train.select(stratified_subset(train.y, args.subset, args.split_seed, train.classes))
    if args.training_set == "balanced":
        train = train.select(balanced_subset(train.y, args.split_seed, train.classes))
    if args.shuffle_labels:
        # Of the validation set too: real labels there would choose the epoch that fits them best.
        log("labels of the training and validation sets are shuffled: this run measures chance")
        rng = np.random.default_rng((args.seed, 1))
        train = dataclasses.replace(train, y=rng.permutation(train.y))
        if validation is not None:
            validation = dataclasses.replace(validation, y=rng.permutation(validation.y))
    return FinetuningData(train, validation, test, name, fingerprint, leakage)


def divide(data, args, takes_validation=True):
    """Return which records of a set train, validate and test, as the options say; `--subset` thins the first out later.

    Args:
        data: `LabelledSet`.
        args: options of `finetuning.trainer`.
        takes_validation: whether the validation set is taken out of it. Defaults to True.

    Returns:
        Three sorted int64 arrays; that of the test set is empty without `--folds`.

    Raises:
        SplitError: too few records of a class.
    """
    rest, held_out, tested = np.arange(len(data)), np.array([], np.int64), np.array([], np.int64)
    units = units_of(data, args.split)
    if args.folds:
        folds = make_folds(data.y, units, args.folds, args.split_seed, data.classes)
        if max(args.fold) >= len(folds):
            raise SplitError(
                f"--fold is 0 to {len(folds) - 1} with --folds {args.folds} of {data.dataset}. "
                f"Received: {max(args.fold)}"
            )
        tested = np.unique(np.concatenate([folds[fold][1] for fold in args.fold]))
        rest = np.setdiff1d(rest, tested)
    if takes_validation and args.val_size:
        kept, taken = stratified_split(
            data.y[rest], units[rest], args.val_size, args.split_seed, data.record_ids[rest], data.classes
        )
        rest, held_out = rest[kept], rest[taken]
    return rest, held_out, tested


def check_subset(data, args):
    """Refuse a `--subset` that leaves a class of the training part without records.

    Args:
        data: `LabelledSet`.
        args: options of `finetuning.trainer`.

    Raises:
        SplitError: if it does.
    """
    if args.subset < 1:
        rest, _, _ = divide(data, args)
        stratified_subset(data.y[rest], args.subset, args.split_seed, data.classes)


def check_data_options(args):
    """Refuse options that contradict each other, before anything is read.

    Args:
        args: options of `finetuning.trainer`.
    """
    if args.train and args.dataset:
        raise OptionError("--train is a prepared set, --dataset reads one. Received: both; leave one of them out")
    if args.train is None and (args.val or args.test):
        raise OptionError("--val and --test go with --train. Received: no --train")
    if args.train is None and args.folds and not args.dataset:
        raise OptionError("--folds goes with --train or --dataset. Received: neither")
    if args.dataset and args.folds and args.test_size is not None:
        raise OptionError("--folds takes the test set out of --dataset; leave out --test-size")
    if args.dataset:
        settle_dataset_options(args)
    else:
        _refuse_dataset_options(args)
    if args.split == PUBLISHED and (args.folds or args.test_size is not None):
        raise OptionError(
            "--split published has a test set of its own. Received: --folds or --test-size too; leave one of them out"
        )
    shape = get_dataset(args.dataset).shape if args.dataset and not args.folds else None
    if shape and args.length in (None, shape[0]):
        # Where the shape is known, reading the data for nothing can be saved.
        check_fit(args.arch, (*shape[:-1], 1) if args.channel is not None else shape)
    if (args.fold is None) != (args.folds is None):
        raise OptionError(
            f"--folds and --fold go together. Received: --folds {args.folds}, --fold {args.fold and args.fold[0]}"
        )
    if not args.folds:
        return
    if args.test:
        raise OptionError("--folds takes the test set out of --train; leave out --test")
    given = ", ".join(map(str, args.fold))
    if args.folds in LEFT_OUT:  # how many there are, the data say
        if min(args.fold) < 0:
            raise OptionError(f"--fold counts from 0. Received: {given}")
        return
    if not all(0 <= fold < args.folds for fold in args.fold):
        raise OptionError(f"--fold is 0 to {args.folds - 1} with --folds {args.folds}. Received: {given}")
    if len(set(args.fold)) == args.folds:
        raise OptionError(f"--fold {given} leaves nothing of --folds {args.folds} to train on; leave one out")


def _refuse_dataset_options(args):
    given = [flag for flag, value in dataset_values(args).items() if value is not None]
    given += ["--skip-bad"] * args.skip_bad
    if args.test_size is not None:
        given.append("--test-size")
    if args.split == PUBLISHED:
        given.append("--split published")
    if given:
        raise OptionError(f"{', '.join(given)} go with --dataset. Received: no --dataset; name one, or leave them out")


def coarse_validation(validation):
    """Return a line that warns of a validation set too small to choose an epoch by, or None.

    Args:
        validation: `LabelledSet`, or None.
    """
    if validation is None:
        return None
    counts = validation.counts()
    if len(validation) >= FEWEST_VALIDATION_RECORDS and min(counts.values()) >= FEWEST_VALIDATION_RECORDS_OF_A_CLASS:
        return None
    each = ", ".join(f"{name} {count}" for name, count in counts.items())
    return f"validation has {len(validation)} records ({each}): scores jump, and choose the epoch; see --val-size"


def _load_sets(args, log):
    def load(path):
        loaded = LabelledSet.load(path)
        return loaded if args.channel is None else loaded.select_lead(args.channel)

    if args.dataset:
        skipped = [] if args.skip_bad else None
        whole, _ = read_dataset(args, args.seed, skipped)
        if skipped:
            records = f"{len(skipped)} record{'s' if len(skipped) > 1 else ''}"
            log(f"skipped {records}: {shorten(f'{bad.name} ({bad.reason})' for bad in skipped)}")
        if args.channel is not None:
            whole = dataclasses.replace(whole, data=whole.data.select_lead(args.channel))
        if args.folds or args.test_size == 0:
            return whole.data, None, None
        train, test = hold_out(whole, args.test_size or TEST_SHARE, args.split, args.split_seed)
        return train, None, test
    if args.train is None:
        log("no data given: fine-tuning on the embedded synthetic records (not evidence)")
        everything = synthetic_set(args.seed)
        rest, held_out = stratified_split(everything.y, everything.group_ids, SYNTHETIC_TEST_SHARE, args.seed)
        return everything.select(rest), None, everything.select(held_out)
    return load(args.train), load(args.val) if args.val else None, load(args.test) if args.test else None


def synthetic_set(seed, n_records=SYNTHETIC_RECORDS, **preparation):
    """Return the embedded synthetic records as a labelled set.

    Args:
        seed: seed of the records.
        n_records: how many.
        **preparation: further arguments of `prepare_records`.
    """
    spec = get_dataset("synthetic")
    return prepare_records(
        spec.open(n_records, seed), spec.classes, dataset="synthetic", label_version="synthetic", **preparation
    )


def check_classes(data):
    """Refuse a set with records of one class alone, of which nothing can be learned.

    Args:
        data: `LabelledSet`.

    Raises:
        DataError: if there are fewer than two classes.
    """
    present = np.unique(data.y)
    if len(present) < 2:
        raise DataError(
            f"a classifier needs records of two classes or more. Received: {data.dataset} with {len(data)} of "
            f"{', '.join(data.classes[index] for index in present)}; give records of the other classes too"
        )

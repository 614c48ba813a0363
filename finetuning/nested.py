"""The row that nested cross-validation scores: on every outer fold what the inner folds chose for it."""

import json
import pathlib

from finetuning.rows import Row
from finetuning.starts import Start
from finetuning.variants import Variant, recipe_values
from transplant.errors import OptionError
from transplant.training.job import read_config


def chosen_row(job, folds, split_seed, split, fingerprint):
    """Return the `Row` that is run on each fold as the inner folds of an earlier comparison chose for it.

    Args:
        job: folder of a finished comparison with `--inner-folds`.
        folds, split_seed, split: of the comparison that the row joins.
        fingerprint: of its records.

    Raises:
        OptionError: if there is no such comparison, or it divided other records, or otherwise.
    """
    from finetuning.trainer import parse

    report, config = pathlib.Path(job) / "comparison.json", read_config(job)
    if config is None or not config["options"].get("inner_folds") or not report.is_file():
        raise OptionError(
            f"--chosen-by {job}: a finished comparison with --inner-folds is needed. Received: none; check the path"
        )
    theirs = config["options"]
    pairs = [
        ("--folds", theirs["folds"], folds),
        ("--split-seed", theirs["split_seed"], split_seed),
        ("--split", theirs.get("split", "group"), split),
        ("records", theirs["fingerprints"]["data"], fingerprint),
    ]
    different = [f"{what} {there}, now {here}" for what, there, here in pairs if there != here]
    if different:
        raise OptionError(f"--chosen-by {job}: the folds must be the same. Received: {'; '.join(different)}")
    found = json.loads(report.read_text(encoding="utf-8"))
    names = [choice["chosen"] for choice in found["choices"]]
    of_folds = tuple((name, tuple(found["rows"][name])) for name in names)
    for name, options in of_folds:
        if found.get("recipes", {}).get(name) != recipe_values(options):
            raise OptionError(f"--chosen-by {job}: run it again. Received: {name} with a recipe of an earlier version")
    name = "chosen by inner folds"
    subsets = {parse(options).subset for _, options in of_folds}
    subset = subsets.pop() if len(subsets) == 1 else 1.0
    return Row(name, Start(name), "chosen", Variant(name, "chosen"), subset, of_folds=of_folds)

"""Variants of a recipe: a recipe with some of its options set otherwise, or one of its ingredients left out."""

import argparse
import dataclasses

from finetuning.recipes import BEST, PAPER, RECIPES
from transplant.errors import OptionError

INGREDIENTS = {
    "augmentation": ("augment",),
    "crops": ("crop",),
    "cosine schedule": ("schedule", "warmup_steps"),
    "weight decay and clipping": ("weight_decay", "clip_norm"),
    "weight average": ("ema",),
    "class weights": ("class_weights", "focal_gamma"),
    "label smoothing": ("label_smoothing",),
    "dropout": ("dropout",),
    "backbone rate": ("backbone_rate", "unfreeze_epochs"),
    "padding awareness": ("padding_aware", "by_length"),
}
"""What a recipe is made of, and the options that belong to it: the paper's recipe has none of it."""


@dataclasses.dataclass(frozen=True)
class Variant:
    """A recipe, with or without changes.

    Attributes:
        name: as a part of row names.
        recipe: a key of `finetuning.recipes.RECIPES`.
        changes: options of `finetuning.trainer` that stand above it, of text.
    """

    name: str
    recipe: str
    changes: tuple = ()

    @classmethod
    def parse(cls, text):
        """Return what `RECIPE` or `RECIPE:option=value:option=value` stands for, such as `best:ema=0:crop=4096`.

        `NAME=` before it names the variant. Options that are switches take yes and no, as in `best:padding-aware=no`.

        Raises:
            argparse.ArgumentTypeError: if there is no such recipe, or a change is none.
        """
        recipe, *settings = text.split(":")
        name, _, recipe = recipe.rpartition("=")
        if recipe not in RECIPES:
            raise argparse.ArgumentTypeError(f"recipes are {', '.join(RECIPES)}, not {recipe or 'nothing'}")
        changes = []
        for setting in settings:
            option, equals, value = setting.partition("=")
            known = option.replace("-", "_") in RECIPES[recipe]
            if not (known and equals and value):
                raise argparse.ArgumentTypeError(
                    f"a change is option=value of {', '.join(name.replace('_', '-') for name in RECIPES[recipe])}, "
                    f"not {setting or 'nothing'}"
                )
            changes += _option(option.replace("-", "_"), value)
        return cls(name or text, recipe, tuple(changes))

    def options(self):
        """Return the variant's options of `finetuning.trainer`, a list of text."""
        return ["--recipe", self.recipe, *self.changes]


def leave_one_out(recipe=BEST):
    """Return the recipe's `Variant`s without one of its ingredients each, which is then as in the paper's.

    Args:
        recipe: a key of `RECIPES`. Defaults to "best".

    Raises:
        OptionError: if the recipe is the paper's, which has no ingredient.
    """
    variants = []
    for ingredient, names in INGREDIENTS.items():
        changed = [name for name in names if RECIPES[recipe][name] != RECIPES[PAPER][name]]
        changes = [part for name in changed for part in _option(name, RECIPES[PAPER][name])]
        if changes:
            variants.append(Variant(f"{recipe} without {ingredient}", recipe, tuple(changes)))
    if not variants:
        raise OptionError(f"--ablate leaves out what the paper's recipe does not have. Received: --recipe {recipe}")
    return variants


def _option(name, value):
    """Return a change as arguments of the trainer."""
    flag = name.replace("_", "-")
    if isinstance(RECIPES[BEST][name], bool):
        return (f"--{flag}",) if value in (True, "yes") else (f"--no-{flag}",)
    return (f"--{flag}", str(value))

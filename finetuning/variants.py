"""Variants of a recipe: a recipe with some of its options set otherwise, or one of its ingredients left out."""

import argparse
import dataclasses

from finetuning.recipes import BEST, PAPER, RECIPES, default_recipe
from transplant.errors import OptionError

INGREDIENTS = {
    "augmentation": ("augment",),
    "crops": ("crop",),
    "cosine schedule and warm-up": ("schedule", "warmup_steps"),
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


def default_variants(arch):
    """Return the `Variant`s of a network where no recipe is asked for: one."""
    return [Variant(default_recipe(arch), default_recipe(arch))]


def recipe_values(options):
    """Return dict option -> value of what a recipe and its changes come to in this version.

    Args:
        options: of `finetuning.trainer`, a list of text.
    """
    from finetuning.trainer import parse

    values = parse(options)
    return {name: getattr(values, name) for name in RECIPES[values.recipe]}


def leave_one_out(variant, shared=()):
    """Return `Variant`s without one of its ingredients each, which is then as in the paper's recipe.

    Args:
        variant: `Variant`.
        shared: options of `finetuning.trainer` that hold for every variant, a list of text. Defaults to none.

    Raises:
        OptionError: if it has no ingredient, as the paper's recipe.
    """
    from finetuning.trainer import parse

    options = parse([*shared, *variant.options()])
    variants = []
    for ingredient, names in INGREDIENTS.items():
        present = [name for name in names if getattr(options, name) != RECIPES[PAPER][name]]
        changes = [part for name in present for part in _option(name, RECIPES[PAPER][name])]
        if changes:
            name = f"{variant.name} without {ingredient}"
            variants.append(Variant(name, variant.recipe, (*variant.changes, *changes)))
    if not variants:
        raise OptionError(
            f"--ablate leaves out what the paper's recipe does not have. Received: --recipe {variant.name}, which has "
            "nothing more"
        )
    return variants


def _option(name, value):
    """Return a change as arguments of the trainer."""
    flag = name.replace("_", "-")
    if isinstance(RECIPES[BEST][name], bool):
        switches = {True: f"--{flag}", "yes": f"--{flag}", False: f"--no-{flag}", "no": f"--no-{flag}"}
        if value not in switches:
            raise argparse.ArgumentTypeError(f"{flag} is yes or no, not {value}")
        return (switches[value],)
    return (f"--{flag}", str(value))

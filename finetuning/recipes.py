"""Named sets of training options: the paper's, ours, and a plain one for plain networks."""

from transplant.modules.registry import get_architecture

PAPER, BEST, PLAIN = "paper", "best", "plain"

FEWEST_EPOCHS, MOST_EPOCHS = 20, 200
FEWEST_STEPS = 600  # of 150 records; a third of them scored less (RESULTS.md)

# Every option that a recipe decides; one that is given stands above the recipe.
RECIPES = {
    # Weimann and Conrad (2021) and their public code: plain Adam and cross-entropy, nothing augmented, batches of
    # 128, best weights by macro-F1, stopped after 50 epochs without a better validation loss.
    PAPER: {
        "epochs": 200,
        "batch_size": 128,
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "schedule": "constant",
        "warmup_steps": 0,
        "weight_decay": 0.0,
        "clip_norm": 0.0,
        "ema": 0.0,
        "val_metric": "f1",
        "early_stop_metric": "loss",
        "patience": 50,
        "class_weights": "none",
        "focal_gamma": 0.0,
        "label_smoothing": 0.0,
        "dropout": 0.0,
        "backbone_rate": 1.0,
        "unfreeze_epochs": 0,
        "augment": "none",
        "crop": 0,
        "padding_aware": False,
        "by_length": False,
    },
    BEST: {
        "epochs": None,  # `enough_epochs`
        "batch_size": 16,
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "schedule": "cosine",
        "warmup_steps": None,  # a twentieth of the run
        "weight_decay": 1e-4,
        "clip_norm": 1.0,
        "ema": 0.98,
        "val_metric": "f1",
        "early_stop_metric": None,  # what the best weights are chosen by
        "patience": None,  # the schedule runs to its end
        "class_weights": "sqrt",
        "focal_gamma": 0.0,
        "label_smoothing": 0.0,
        "dropout": 0.3,
        "backbone_rate": 0.5,
        "unfreeze_epochs": 0,
        "augment": "scale,shift,cutout,resample,wander,noise,mains",
        "crop": 0,
        "padding_aware": True,
        "by_length": True,
    },
}
# Nothing but Adam as in the paper's, for the plain networks and for data that are no ECG.
RECIPES[PLAIN] = RECIPES[PAPER] | {
    "epochs": 50,
    "batch_size": 64,
    "val_metric": None,  # `default_metric`
    "patience": 10,
}


def default_recipe(arch):
    """Return the recipe of a network where none is asked for: `best` for the ResNets, `plain` for the plain networks.

    Args:
        arch: a key of `transplant.modules.registry.ARCHITECTURES`.
    """
    return PLAIN if get_architecture(arch).is_plain else BEST


def recipes_table():
    """Return what each recipe sets, as lines of text in columns."""
    unset = {"patience": "none", "early_stop_metric": "--val-metric"}
    rows = [("", *RECIPES)]
    for name in RECIPES[PAPER]:
        values = (recipe[name] for recipe in RECIPES.values())
        cells = (unset.get(name, "by the data") if value is None else f"{value}".lower() for value in values)
        rows.append((f"--{name.replace('_', '-')}", *cells))
    # The list of augmentations is longer than all the rest: it has a line to itself.
    rows = [tuple("(below)" if len(cell) > 20 else cell for cell in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return "\n".join([*lines, f"  --augment of {BEST}: {RECIPES[BEST]['augment']}"])


def default_metric(n_classes):
    """Return what chooses the best weights where nothing says it: AUROC of two classes, macro-F1 of more."""
    return "auc" if n_classes == 2 else "f1"


def enough_epochs(steps_per_epoch):
    """Return the epochs of a run that leaves them open: 20, of few records as many as make 600 steps, at most 200."""
    return min(max(FEWEST_EPOCHS, -(-FEWEST_STEPS // steps_per_epoch)), MOST_EPOCHS)


def departures(options):
    """Return dict name -> value of the options that are not as their recipe has them.

    Args:
        options: parsed options, `recipe` among them.
    """
    recipe = RECIPES[options.recipe]
    return {name: getattr(options, name) for name in recipe if getattr(options, name) != recipe[name]}

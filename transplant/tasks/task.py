"""What a pretraining task is, and the list of them."""

import dataclasses
import importlib
from collections.abc import Callable

from transplant.errors import OptionError


@dataclasses.dataclass(frozen=True)
class Task:
    """A pretraining task: what a frame is asked for.

    Attributes:
        name: the value of `--task`.
        classes: class names; a label is an index into them.
        label_frames: function (AnnotationAxis, starts (frames,), frame_size) -> int32 (frames,).
    """

    name: str
    classes: tuple
    label_frames: Callable


# Adding a task is one module that defines TASK and one line here.
_MODULES = {
    "beat": "transplant.tasks.beat",
    "rhythm": "transplant.tasks.rhythm",
    "hr": "transplant.tasks.heart_rate",
}


def task_names():
    """Return the names that `--task` takes."""
    return tuple(_MODULES)


def get_task(name):
    """Return the `Task` of a name.

    Raises:
        OptionError: if there is none.
    """
    if name not in _MODULES:
        raise OptionError(f"--task is one of {', '.join(_MODULES)}. Received: {name}")
    return importlib.import_module(_MODULES[name]).TASK

"""Slower and later learning of a pretrained backbone."""

import dataclasses
import functools
import re

_STAGE = re.compile(r"(?:^|_)stage(\d+)_")
_STEM = re.compile(r"(?:^|_)stem_")


@dataclasses.dataclass(frozen=True)
class BackboneRates:
    """How a backbone learns beside a head that is new.

    The head learns from the first step. With `unfreeze_steps` n, the last stage of
    the backbone joins after n steps, the one before it after 2 n, and the stem last
    of all. Batch norm moments follow the data from the start.

    Attributes:
        factor: learning rate of the backbone as a share of the head's.
        unfreeze_steps: steps until one more part of the backbone learns; 0: all learn from the start.
        branches: prefixes of the layers that are pretrained, where the backbone is a
            fusion of which one branch is not; none: all of it is.

    Source: Howard and Ruder, "Universal language model fine-tuning" (2018), for both.
    """

    factor: float = 1.0
    unfreeze_steps: int = 0
    branches: tuple = ()

    def rate_of(self, stages):
        """Return the function from a variable's path to what `of` returns, or None where all learn alike."""
        return None if (self.factor, self.unfreeze_steps) == (1.0, 0) else functools.partial(self.of, stages=stages)

    def of(self, path, stages):
        """Return a variable's share of the learning rate, and the step from which on it has it.

        Args:
            path: "layer/variable".
            stages: stages of the backbone.
        """
        depth = backbone_depth(path)
        is_new = self.branches and not any(re.search(rf"(?:^|/){prefix}", path) for prefix in self.branches)
        if depth is None or is_new:
            return 1.0, 0
        return self.factor, (stages - depth + 1) * self.unfreeze_steps


def backbone_depth(path):
    """Return the stage of a backbone's variable, 0 for the stem, or None for a variable outside it."""
    if match := _STAGE.search(path):
        return int(match.group(1))
    return 0 if _STEM.search(path) else None

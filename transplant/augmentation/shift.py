"""Time shift: recording might have stopped a moment earlier."""

import dataclasses

from transplant.augmentation.transform import Transform, check_range


@dataclasses.dataclass(frozen=True)
class Shift(Transform):
    """Move a record to the right; what leaves at the end is lost, and padding fills the freed side.

    Records end where the axis ends and have their padding on the left, so this
    is the only direction in which padding can follow. To the left a record
    would lose its beginning and be moved back to the end: that is `crop`.
    Turning a record around its ends would join beats that do not follow each
    other, which is an irregular rhythm that nobody had.

    Attributes:
        seconds: (lowest, highest); never more than half of a record.

    Source: shifting with zeros in front as in ECG-DualNet, by several seconds.
    Two are enough here: the network's steps of 32 samples fall anew on the
    beats after a tenth of a second, and `crop` does the rest.
    """

    name = "shift"
    summary = "move to the right, so that the end is lost"

    seconds: tuple = (0.0, 2.0)

    def __post_init__(self):
        super().__post_init__()
        check_range(self, "seconds", lowest=0)

    def apply(self, x, lengths, draws, rate):
        """Move every record that has two samples, by one sample at least."""
        from transplant.augmentation.padding import move_right

        dropped = draws.spans(self.seconds, lengths, rate)
        return move_right(x, dropped), lengths - dropped

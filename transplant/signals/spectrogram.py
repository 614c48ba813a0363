"""What a spectrogram is here: its settings. Light, because command lines offer the presets."""

import dataclasses

from transplant.errors import DataError, OptionError

WINDOW = 256
MAX_BINS = WINDOW // 2
DRAFT, FINAL = "draft", "final"
_HOPS = {DRAFT: 64, FINAL: 32}
_BINS = {DRAFT: 64, FINAL: 128}
PRESETS = tuple(_HOPS)


@dataclasses.dataclass(frozen=True)
class SpectrogramSettings:
    """Settings of the magnitude of a short-time Fourier transform.

    Both presets have a periodic Hann window of 256 samples, columns centred on
    every `hop`-th sample from the first one on (outside the signal there are
    zeros), linear magnitude that nothing is divided by, and no bin of 0 Hz:

    - `draft`: hop 64, bins 1 to 64; 4,096 samples give (64, 64, 1).
    - `final`: hop 32, bins 1 to 128; 4,096 samples give (128, 128, 1) and
      16,384 give (128, 512, 1).

    The draft report describes its input in three ways that do not fit: "32
    frequency components", "0-62.5 Hz", and a network built for (64, 64, 1). At
    250 Hz a bin is 250 / 256 Hz wide, so 32 bins end at 31.25 Hz and 64 at
    62.5 Hz. The preset takes 64, with which range and shape agree; `bins=32` is
    the first reading.

    Attributes:
        preset: "draft" or "final". Defaults to "final".
        bins: frequency bins that are kept, from 1 to 128. Defaults to the preset's.

    Raises:
        OptionError: if there is no such preset, or a bin that the window does not have.

    Example:
        >>> SpectrogramSettings("draft").shape(4096)
        (64, 64)
    """

    preset: str = FINAL
    bins: int | None = None

    def __post_init__(self):
        if self.preset not in PRESETS:
            raise OptionError(f"a spectrogram is one of {', '.join(PRESETS)}. Received: {self.preset}")
        if self.bins is None:
            object.__setattr__(self, "bins", _BINS[self.preset])
        if not 1 <= self.bins <= MAX_BINS:
            raise OptionError(
                f"a window of {WINDOW} samples has 1 to {MAX_BINS} bins above 0 Hz. Received: bins={self.bins}"
            )

    @property
    def hop(self):
        """Samples from one column to the next."""
        return _HOPS[self.preset]

    def shape(self, samples):
        """Return (frequency, slice) of the spectrogram of so many samples."""
        return self.bins, -(-samples // self.hop)

    def to_dict(self):
        """Return a JSON-ready dict that also says what the preset stands for."""
        return {"preset": self.preset, "window": WINDOW, "hop": self.hop, "bins": self.bins}

    @classmethod
    def from_dict(cls, values, source="spectrogram"):
        """Return the settings that `to_dict` described.

        Args:
            values: the dict.
            source: file name for error messages.

        Raises:
            DataError: if they are not those of a preset of this version.
        """
        settings = cls(values.get("preset"), values.get("bins"))
        if settings.to_dict() != values:
            raise DataError(
                f"{source}: the settings of a spectrogram must be those of its preset. Received: {values}, here "
                f"{settings.to_dict()}; use the version of transplant that wrote them"
            )
        return settings

    def __str__(self):
        return f"{self.preset} (window {WINDOW}, hop {self.hop}, {self.bins} bins)"

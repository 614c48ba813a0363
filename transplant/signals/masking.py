"""Which samples of a frame are hidden in masked reconstruction; numpy alone."""

import numpy as np

from transplant.errors import OptionError


def masked_samples(frame_size, patch_size, ratio):
    """Return how many samples of every frame are hidden.

    Whole patches are: the share `ratio` of them, rounded to the nearest number,
    at least one and never all.

    Args:
        frame_size: samples in a frame.
        patch_size: samples in a patch.
        ratio: share of the patches, between 0 and 1.

    Raises:
        OptionError: if a frame has no two patches, or the ratio is out of range.
    """
    patches = frame_size // patch_size if patch_size > 0 else 0
    if patches < 2 or not 0 < ratio < 1:
        raise OptionError(
            "masking needs two patches in a frame and a share of them above 0 and below 1. "
            f"Received: frame_size={frame_size}, patch_size={patch_size}, ratio={ratio:g}"
        )
    return patch_size * min(max(round(ratio * patches), 1), patches - 1)


def draw_masks(rng, n, frame_size, patch_size, ratio):
    """Draw which samples of each frame are hidden.

    Every frame has the same number of hidden samples, so that the mean over a
    batch's hidden samples is the mean of the frames' means. Patches lie side by
    side from the first sample on; what remains behind the last whole one is
    never hidden.

    Args:
        rng: `np.random.Generator`.
        n: number of frames.
        frame_size: samples in a frame.
        patch_size: samples in a patch. A multiple of the backbone's stride (32
            for four stages) hides whole steps of its features.
        ratio: share of the patches that are hidden, between 0 and 1.

    Returns:
        bool (n, frame_size), True where hidden.

    Raises:
        OptionError: if a frame has no two patches, or the ratio is out of range.
    """
    hidden = masked_samples(frame_size, patch_size, ratio) // patch_size
    patches = frame_size // patch_size
    chosen = rng.permuted(np.broadcast_to(np.arange(patches) < hidden, (n, patches)), axis=1)
    masks = np.zeros((n, frame_size), bool)
    masks[:, : patches * patch_size] = np.repeat(chosen, patch_size, axis=1)
    return masks

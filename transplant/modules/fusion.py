"""Two networks side by side: a 1-D ResNet-18 on the signal, a 2-D ResNet-18 on its spectrogram.

Each branch is pooled over time, and the pooled features are joined, so that a
head weighs both. The layers of a branch have the names of the network alone
behind a prefix, so that every variable has a name of its own, and a backbone
that was pretrained alone can initialise its branch (`transplant.training.transfer`).
"""

import keras

from transplant.errors import OptionError
from transplant.modules.padding import valid_features
from transplant.modules.registry import FUSION, PREFIXES
from transplant.modules.resnet1d import build_resnet1d, pool_features
from transplant.modules.resnet2d import build_resnet2d


def build_fusion(
    arch="fusion",
    stages=None,
    leads=1,
    seed=None,
    batch_norm="stock",
    spectrogram=None,
    name="backbone",
    padding_aware=False,
):
    """Build the backbone of both branches.

    Args:
        arch: "fusion", the only one.
        stages: first so many stages of both branches. Defaults to all four.
        leads: input channels. Defaults to 1.
        seed: of the initial weights. Defaults to Keras' global random state.
        batch_norm: kind of batch normalisation, as in `make_batch_norm`. Defaults to "stock".
        spectrogram: `SpectrogramSettings`. Defaults to those of the preset "final".
        name: name of the model. Defaults to "backbone", under which transfer looks for it.
        padding_aware: as in `build_resnet1d` and `build_resnet2d`, pooling included. Defaults to False.

    Returns:
        A `keras.Model` from (batch, time, leads) to float32 features (batch, channels),
        those of the signal before those of the spectrogram, 512 each with four stages. The
        branches are its nested models "raw_branch" and "spectrogram_branch".

    Raises:
        OptionError: if an argument is out of range.

    Example:
        >>> build_fusion().output_shape
        (None, 1024)
    """
    if arch != FUSION:
        raise OptionError(f"arch must be fusion. Received: arch={arch}")
    inputs = keras.Input((None, leads), name="signal")

    def pooled_branch(build, architecture, **special):
        prefix = PREFIXES[architecture]
        branch = build(
            architecture,
            stages=stages,
            leads=leads,
            seed=seed,
            batch_norm=batch_norm,
            name=f"{prefix}branch",
            padding_aware=padding_aware,
            prefix=prefix,
            **special,
        )
        return pool_features(branch(inputs), valid_features(branch, inputs, prefix), name=f"{prefix}pool")

    raw = pooled_branch(build_resnet1d, "resnet18")
    image = pooled_branch(build_resnet2d, "resnet18_2d", spectrogram=spectrogram)
    joined = keras.layers.Concatenate(dtype="float32", name="joined")([raw, image])
    return keras.Model(inputs, joined, name=name)

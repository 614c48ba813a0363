"""A classifier: a backbone of the registry, mean over all positions where it has such, one linear layer."""

import keras

from transplant.errors import OptionError
from transplant.modules import registry
from transplant.modules.padding import valid_features
from transplant.modules.resnet1d import add_head


def build_classifier(
    arch,
    n_classes,
    input_length=None,
    leads=1,
    stages=None,
    seed=None,
    batch_norm="stock",
    spectrogram=None,
    padding_aware=False,
    dropout=0.0,
    input_shape=None,
):
    """Build a model that gives class logits.

    Args:
        arch: a name of `transplant.modules.registry.ARCHITECTURES`.
        n_classes: number of classes.
        input_length: samples per input. Defaults to None: any length.
        leads: input channels, where no `input_shape` says it. Defaults to 1.
        stages: first so many stages of the backbone. Defaults to all.
        seed: of the initial weights. Defaults to Keras' global random state.
        batch_norm: kind of batch normalisation, as in `make_batch_norm`; of a model with
            another than "stock" save weights, not a `.keras` file. Defaults to "stock".
        spectrogram: `SpectrogramSettings`, or the name of a preset, for a network that
            takes one. Defaults to "final" there.
        padding_aware: give a record the same logits however many zeros stand before it, in
            training too; what counts as padding stands in `transplant.modules.padding`. Of a
            model with batch normalisation "stock" the `.keras` file then needs
            `import transplant`. Defaults to False.
        dropout: share of the pooled features that is dropped in training, below 1. Defaults to 0.
        input_shape: shape of one record, (time, channels) or (height, width, channels), for
            which a plain network is built; another is refused where it does not fit. Defaults
            to None, which is enough for the others.

    Returns:
        A functional `keras.Model` from (batch, time, leads), of a plain network from (batch,
        *input_shape), to float32 logits (batch, n_classes): the nested model "backbone", then
        "pool" (where the backbone does not pool itself), "head_dropout" (where `dropout` is not
        0) and "head".

    Raises:
        OptionError: if an argument is out of range, or the network does not fit the records.

    Example:
        >>> build_classifier("resnet18", n_classes=5).count_params()
        4495045
        >>> build_classifier("mlp-16", n_classes=5, input_shape=(178, 1)).count_params()
        2949
    """
    if n_classes < 1:
        raise OptionError(f"a classifier needs at least one class. Received: n_classes={n_classes}")
    backbone = registry.build_backbone(
        arch,
        stages=stages,
        leads=leads,
        seed=seed,
        batch_norm=batch_norm,
        spectrogram=spectrogram,
        padding_aware=padding_aware,
        input_shape=input_shape,
    )
    # The backbone's own input says what it was built for: (None, leads) unless it is plain.
    time, *others = backbone.input_shape[1:]
    inputs = keras.Input((input_length if time is None else time, *others), name="signal")
    logits = add_head(backbone(inputs), n_classes, seed, valid_features(backbone, inputs), dropout)
    return keras.Model(inputs, logits, name=f"{arch}_classifier")

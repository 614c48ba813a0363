"""The kinds of batch normalisation that a network can be built with."""

import keras

from transplant.errors import OptionError

STOCK, FUSED, SYNCHRONIZED = KINDS = ("stock", "fused", "synchronized")


def make_batch_norm(kind, padding_aware=False, **arguments):
    """Return a batch normalisation layer.

    All kinds have the same variables and the same inference.

    Args:
        kind: "stock" (Keras' own, in models that are kept), "fused" (faster
            training on TensorFlow, see `transplant.modules.fused_batch_norm`) or
            "synchronized" (moments over all devices of a MirroredStrategy).
        padding_aware: whether the layer is called with `valid` and leaves the padding
            out, see `transplant.modules.padded_batch_norm`. Defaults to False.
        **arguments: of `keras.layers.BatchNormalization`.

    Raises:
        OptionError: if there is no such kind.
    """
    if kind not in KINDS:
        raise OptionError(f"batch normalisation is one of {', '.join(KINDS)}. Received: {kind}")
    if kind == SYNCHRONIZED:
        arguments["synchronized"] = True
    # The fused layers are imported here, because they tie the model to the TensorFlow backend.
    if padding_aware and kind == FUSED:
        from transplant.modules.fused_padded_batch_norm import FusedPaddedBatchNormalization

        return FusedPaddedBatchNormalization(**arguments)
    if padding_aware:
        from transplant.modules.padded_batch_norm import PaddedBatchNormalization

        return PaddedBatchNormalization(**arguments)
    if kind == FUSED:
        from transplant.modules.fused_batch_norm import FusedBatchNormalization

        return FusedBatchNormalization(**arguments)
    return keras.layers.BatchNormalization(**arguments)

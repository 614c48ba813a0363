"""The kinds of batch normalisation that a network can be built with."""

import keras

from transplant.errors import OptionError

STOCK, FUSED, SYNCHRONIZED = KINDS = ("stock", "fused", "synchronized")


def make_batch_norm(kind, **arguments):
    """Return a batch normalisation layer.

    All kinds have the same variables and the same inference.

    Args:
        kind: "stock" (Keras' own, in models that are kept), "fused" (faster
            training on TensorFlow, see `transplant.modules.fused_batch_norm`) or
            "synchronized" (moments over all devices of a MirroredStrategy).
        **arguments: of `keras.layers.BatchNormalization`.

    Raises:
        OptionError: if there is no such kind.
    """
    if kind == STOCK:
        return keras.layers.BatchNormalization(**arguments)
    if kind == SYNCHRONIZED:
        return keras.layers.BatchNormalization(synchronized=True, **arguments)
    if kind == FUSED:
        # Imported here, because it ties the model to the TensorFlow backend.
        from transplant.modules.fused_batch_norm import FusedBatchNormalization

        return FusedBatchNormalization(**arguments)
    raise OptionError(f"batch normalisation is one of {', '.join(KINDS)}. Received: {kind}")

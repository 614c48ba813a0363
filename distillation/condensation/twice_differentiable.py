"""The layers of a network that is differentiated twice, by what compiles its steps."""

import keras

from transplant.modules.block_max_pooling import BlockMaxPooling
from transplant.modules.narrow_convolution import LANES, NarrowConvolution

GRAPH, XLA = "graph", "xla"


def with_layers_for(backbone, compiler):
    """Return a network whose second derivatives its compiler has, and has quickly.

    Args:
        backbone: network of Keras' own layers.
        compiler: `GRAPH`, TensorFlow's own graphs: narrow convolutions of images are `NarrowConvolution`s. `XLA`:
            maxima are taken by `BlockMaxPooling`, because XLA has no second derivative of Keras'.

    Returns:
        The network itself where it has no such layer, else a copy with other layers, and weights as they were
        initialised.
    """
    replacement = {GRAPH: _for_graphs, XLA: _for_xla}[compiler]
    found = {layer.name: other for layer in backbone.layers if (other := replacement(layer)) is not None}
    if not found:
        return backbone

    def clone(layer):
        return found[layer.name] if layer.name in found else type(layer).from_config(layer.get_config())

    return keras.models.clone_model(backbone, clone_function=clone)


def _for_graphs(layer):
    if type(layer) is keras.layers.Conv2D and layer.filters <= LANES:  # wider ones gain little
        return NarrowConvolution.from_config(layer.get_config())
    return None


def _for_xla(layer):
    if isinstance(layer, (keras.layers.MaxPooling1D, keras.layers.MaxPooling2D)):
        return BlockMaxPooling(layer.pool_size[0], name=layer.name)
    return None

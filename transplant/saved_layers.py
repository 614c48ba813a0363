"""Make the package's layers and losses known to Keras, so that `import transplant` is enough to load a `.keras` file.

A file names a layer's class as it was registered, and a class is registered
when its module is imported. The modules import Keras, which takes seconds that
a `--help` should not: so Keras is told of the names when it is loaded, and a
module is imported when a file asks for its layer.
"""

import importlib
import importlib.util
import sys

# Every class that is registered with Keras: its registered name, and the module it is in.
SAVED_LAYERS = {
    "transplant.batch_norm>FusedBatchNormalization": "transplant.modules.fused_batch_norm",
    "transplant.batch_norm>FusedPaddedBatchNormalization": "transplant.modules.fused_padded_batch_norm",
    "transplant.batch_norm>PaddedBatchNormalization": "transplant.modules.padded_batch_norm",
    "transplant.block_convolution>BlockConvolution": "transplant.modules.block_convolution",
    "transplant.block_max_pooling>BlockMaxPooling": "transplant.modules.block_max_pooling",
    "transplant.cpc>BatchToFrames": "transplant.modules.cpc",
    "transplant.cpc>FrameScores": "transplant.modules.cpc",
    "transplant.cpc>FramesToBatch": "transplant.modules.cpc",
    "transplant.exact_normalization>ExactBatchNormalization": "transplant.modules.exact_normalization",
    "transplant.exact_normalization>ExactGroupNormalization": "transplant.modules.exact_normalization",
    "transplant.exact_normalization>ExactInstanceNormalization": "transplant.modules.exact_normalization",
    "transplant.exact_normalization>ExactLayerNormalization": "transplant.modules.exact_normalization",
    "transplant.half_dropout>HalfDropout": "transplant.modules.half_dropout",
    "transplant.masked>MeanOverFrequency": "transplant.modules.masked",
    "transplant.masked>StandardizedFrameError": "transplant.modules.masked",
    "transplant.narrow_convolution>NarrowConvolution": "transplant.modules.narrow_convolution",
    "transplant.padding>AlignToEnd": "transplant.modules.padding",
    "transplant.padding>ClearPadding": "transplant.modules.padding",
    "transplant.padding>MeanOverValid": "transplant.modules.padding",
    "transplant.padding>ValidPositions": "transplant.modules.padding",
    "transplant.pooling_token>PoolingToken": "transplant.modules.pooling_token",
    "transplant.segment_attention>JoinLeads": "transplant.modules.segment_attention",
    "transplant.segment_attention>LeadsToBatch": "transplant.modules.segment_attention",
    "transplant.segment_mean>SegmentMean": "transplant.modules.segment_mean",
    "transplant.spectrogram>Spectrogram": "transplant.modules.spectrogram",
    "transplant.transformer>ScaledPositions": "transplant.modules.transformer",
    "transplant.transformer>SelfAttention": "transplant.modules.transformer",
    "transplant.transformer>TransformerLayer": "transplant.modules.transformer",
}


def register_saved_layers():
    """Tell Keras of the layers: now where it is loaded, else as soon as it is."""
    if "keras" in sys.modules:
        _register(sys.modules["keras"])
    else:
        sys.meta_path.insert(0, _AfterKeras())


def _register(keras):
    known = keras.saving.get_custom_objects()
    for registered_name, module in SAVED_LAYERS.items():
        known.setdefault(registered_name, _Later(module, registered_name.partition(">")[2]))


class _Later:
    """Stands for a class whose module is not imported yet, which replaces it by registering the class."""

    def __init__(self, module, name):
        self._module = module
        self._name = name

    def from_config(self, config):
        """Return the layer of a configuration; it is all that Keras asks of a class when it reads a file."""
        return getattr(importlib.import_module(self._module), self._name).from_config(config)


class _AfterKeras:
    """A finder that lets the others find Keras, and adds the registration to what happens when it is loaded."""

    def __init__(self):
        self._is_asking = False

    def find_spec(self, name, path=None, target=None):
        """Return the spec of Keras; None for all else, which leaves it to the other finders."""
        if name != "keras" or self._is_asking:
            return None
        self._is_asking = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._is_asking = False
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def load_and_register(module):
            load(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
                _register(module)

        spec.loader.exec_module = load_and_register
        return spec

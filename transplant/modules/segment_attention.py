"""A one-lead backbone on each lead of a record, with attention over the segments of all: an RDPD teacher."""

import keras

from transplant.errors import OptionError
from transplant.modules.attention_pooling import attend_segments
from transplant.modules.mlp import full_precision
from transplant.modules.registry import ARCHITECTURES, build_backbone, get_architecture
from transplant.modules.resnet1d import layer_seed
from transplant.modules.segment_mean import SegmentMean

SEGMENT_ATTENTION = "segment_attention"
BACKBONES = tuple(e.name for e in ARCHITECTURES.values() if not e.is_plain and not e.takes_spectrogram)
"""Names of the networks that it can be made of: the 1-D ResNets."""

DROPOUT = 0.5
_PACKAGE = "transplant.segment_attention"


@keras.saving.register_keras_serializable(_PACKAGE)
class LeadsToBatch(keras.layers.Layer):
    """Lay the leads of records behind one another along the batch axis.

    Call arguments: inputs of shape (batch, time, leads); the result has shape (batch * leads, time, 1), the leads of
    a record in a row.
    """

    def call(self, inputs):
        """Return every lead as a record of its own."""
        by_lead = keras.ops.transpose(inputs, (0, 2, 1))
        return keras.ops.reshape(by_lead, (-1, keras.ops.shape(inputs)[1], 1))

    def compute_output_shape(self, input_shape):
        """Return (batch * leads, time, 1)."""
        batch, time, leads = input_shape
        return None if batch is None else batch * leads, time, 1


@keras.saving.register_keras_serializable(_PACKAGE)
class JoinLeads(keras.layers.Layer):
    """Put the features of a record's leads, which `LeadsToBatch` made records of their own, side by side.

    Args:
        leads: of a record.
        **kwargs: of `keras.layers.Layer`.

    Call arguments: inputs of shape (batch * leads, segments, channels); the result has shape (batch, segments,
    leads * channels), the channels of the first lead first.
    """

    def __init__(self, leads, **kwargs):
        super().__init__(**kwargs)
        self.leads = leads

    def call(self, inputs):
        """Return the features of all leads of a record together."""
        segments, channels = keras.ops.shape(inputs)[1], inputs.shape[-1]
        by_record = keras.ops.reshape(inputs, (-1, self.leads, segments, channels))
        return keras.ops.reshape(keras.ops.transpose(by_record, (0, 2, 1, 3)), (-1, segments, self.leads * channels))

    def compute_output_shape(self, input_shape):
        """Return (batch, segments, leads * channels)."""
        batch, segments, channels = input_shape
        return None if batch is None else batch // self.leads, segments, self.leads * channels

    def get_config(self):
        """Return the arguments that make the same layer."""
        return super().get_config() | {"leads": self.leads}


def build_segment_attention(
    input_shape, n_classes, segment, arch="resnet18", stages=None, seed=None, batch_norm="stock", name=SEGMENT_ATTENTION
):
    """Build the network.

    One backbone, with the same weights, sees each lead by itself, as it did when it was pretrained on one lead. All
    leads of a batch pass it together, so that batch normalisation has one set of moments in training, which is what
    it has at inference. Its features are averaged over each of the record's M segments and the leads' features put
    side by side: H (M, leads * channels). They are joined and not averaged over leads, because the leads say
    different things: the attention and the head, which are linear, can weigh one against another and leave a noisy one
    out. A linear layer between would add nothing to them. The attention A = softmax over the segments of H W, without
    a bias; the logits are a linear layer of the sum of A H.

    Args:
        input_shape: (samples, leads) of a record.
        n_classes: number of classes.
        segment: samples of a segment.
        arch: of the backbone, a name of `BACKBONES`. Defaults to "resnet18".
        stages: first so many stages of it. Defaults to all.
        seed: of the initial weights and of dropout, which takes .5 of H in training as a segment network does. Defaults
            to Keras' global random state.
        batch_norm: kind of batch normalisation, as in `make_batch_norm`. Defaults to "stock".
        name: of the model. Defaults to "segment_attention".

    Returns:
        A `keras.Model` with the nested model "backbone", from (batch, samples, leads) to two outputs, float32 whatever
        the dtype policy is: logits (batch, n_classes) and attention (batch, M).

    Raises:
        OptionError: if the record is no whole number of segments, a segment is shorter than a position of the
            backbone's features, or the backbone is no 1-D ResNet.

    Example:
        >>> logits, attention = build_segment_attention((1000, 3), 4, segment=250).outputs
        >>> logits.shape, attention.shape
        ((None, 4), (None, 4))
    """
    samples, leads = input_shape
    if arch not in BACKBONES:
        raise OptionError(f"the backbone of one lead is one of {', '.join(BACKBONES)}. Received: {arch}")
    stages = stages or get_architecture(arch).stages
    # Made first: it refuses segments that do not fit.
    mean = SegmentMean(samples, segment, stride_of(stages), dtype=full_precision(), name="segment_features")
    backbone = build_backbone(arch, stages, leads=1, seed=seed, batch_norm=batch_norm)
    inputs = keras.Input(input_shape, name="signal")
    x = mean(backbone(LeadsToBatch(name="leads_to_batch")(inputs)))
    x = JoinLeads(leads, dtype=full_precision(), name="join_leads")(x)
    x = keras.layers.Dropout(
        DROPOUT, seed=layer_seed(seed, "feature_dropout"), dtype=full_precision(), name="feature_dropout"
    )(x)
    return keras.Model(inputs, list(attend_segments(x, n_classes, seed)), name=name)


def stride_of(stages):
    """Return the samples of a position of a 1-D ResNet's features: 4 after the stem, twice as many after a later stage.

    Args:
        stages: of the network.
    """
    return 2 ** (stages + 1)

"""What the package's own layers cost; importing this adds their rules to those of Keras' layers."""

import math

import keras

from transplant.evaluation.cost_terms import elementwise, multiply_adds
from transplant.evaluation.layer_costs import (
    batch_normalization_terms,
    convolution_terms,
    counts,
    dense_terms,
    layer_normalization_terms,
    mean_terms,
    nothing_terms,
    score_terms,
    values,
)
from transplant.modules.block_convolution import BlockConvolution
from transplant.modules.block_max_pooling import BlockMaxPooling
from transplant.modules.cpc import BatchToFrames, FrameScores, FramesToBatch
from transplant.modules.exact_normalization import (
    ExactBatchNormalization,
    ExactGroupNormalization,
    ExactInstanceNormalization,
    ExactLayerNormalization,
)
from transplant.modules.fused_batch_norm import FusedBatchNormalization
from transplant.modules.fused_padded_batch_norm import FusedPaddedBatchNormalization
from transplant.modules.half_dropout import HalfDropout
from transplant.modules.masked import MeanOverFrequency
from transplant.modules.narrow_convolution import NarrowConvolution
from transplant.modules.padded_batch_norm import PaddedBatchNormalization
from transplant.modules.padding import AlignToEnd, ClearPadding, MeanOverValid, ValidPositions
from transplant.modules.pooling_token import PoolingToken
from transplant.modules.segment_attention import JoinLeads, LeadsToBatch
from transplant.modules.segment_mean import SegmentMean
from transplant.modules.spectrogram import Spectrogram
from transplant.modules.transformer import ScaledPositions, SelfAttention, TransformerLayer
from transplant.signals.spectrogram import WINDOW

# A complex transform of radix 2 takes 5 N log2 N operations, and one of a real signal half of them.
FFT_OPERATIONS = 5 * WINDOW * int(math.log2(WINDOW)) // 2

counts(AlignToEnd, ClearPadding, PoolingToken, FramesToBatch, BatchToFrames, LeadsToBatch, JoinLeads, HalfDropout)(
    nothing_terms
)
counts(BlockConvolution, NarrowConvolution)(convolution_terms)
counts(FusedBatchNormalization, PaddedBatchNormalization, FusedPaddedBatchNormalization, ExactBatchNormalization)(
    batch_normalization_terms
)
counts(ExactInstanceNormalization, ExactGroupNormalization, ExactLayerNormalization)(layer_normalization_terms)
# Over the valid positions too all are added, those of the padding as zeros.
counts(MeanOverFrequency, MeanOverValid)(mean_terms)


@counts(BlockMaxPooling)
def block_max_pooling_terms(layer, inputs, outputs):
    """One comparison fewer than the block has values."""
    block = layer.pool_size ** (len(inputs[0].shape) - 2)
    return elementwise("maximum", block - 1, values(outputs[0]))


@counts(SegmentMean)
def segment_mean_terms(layer, inputs, outputs):
    """A product of the shares with the features: every segment takes every position, most of them with a share of 0."""
    batch, positions, channels = inputs[0].shape
    return [multiply_adds(batch, outputs[0].shape[1], positions, channels)]


@counts(ValidPositions)
def valid_positions_terms(layer, inputs, outputs):
    """A comparison of every sample with 0; what follows is done with whole numbers."""
    return elementwise("comparison", 1, values(inputs[0]))


@counts(Spectrogram)
def spectrogram_terms(layer, inputs, outputs):
    """Window and transform of every column, two squares and a sum for every bin, a limit and a root for those kept."""
    batch, bins, columns, leads = outputs[0].shape
    transforms = (batch * columns, leads)
    return [
        *elementwise("window", 1, *transforms, WINDOW),
        *elementwise("FFT of 256 real values, 5/2 N log2 N", FFT_OPERATIONS, *transforms),
        *elementwise("power", 3, *transforms, WINDOW // 2 + 1),
        *elementwise("root", 2, *transforms, bins),
    ]


@counts(ScaledPositions)
def scaled_positions_terms(layer, inputs, outputs):
    """A factor and a summand for every value; a product, a sine and a cosine for every value of one example."""
    n = values(inputs[0])
    return [
        *elementwise("scale and sum", 2, n),
        *elementwise("positions", 3, n // inputs[0].shape[0]),
    ]


@counts(SelfAttention)
def self_attention_terms(layer, inputs, outputs):
    """Four projections, the scores, their softmax and the weighted sum of the values."""
    batch, length, width = inputs[0].shape
    projection = multiply_adds(batch * length, width, width)
    per_head = width // layer.heads
    between = score_terms(batch, layer.heads, length, length, per_head, per_head)
    return [projection, projection, projection, *between, projection]


@counts(TransformerLayer)
def transformer_terms(layer, inputs, outputs):
    """Attention and two dense layers, two sums and two normalisations."""
    batch, length, _ = inputs[0].shape
    hidden = keras.KerasTensor((batch, length, layer.hidden), outputs[0].dtype)
    both_sums = elementwise("add", 2, values(inputs[0]))
    return [
        *self_attention_terms(layer.attention, inputs, inputs),
        *dense_terms(layer.hidden_layer, inputs, [hidden]),
        *dense_terms(layer.output_layer, [hidden], outputs),
        *both_sums,
        *layer_normalization_terms(layer.attention_norm, inputs, outputs),
        *layer_normalization_terms(layer.output_norm, inputs, outputs),
    ]


@counts(FrameScores)
def frame_scores_terms(layer, inputs, outputs):
    """A product of every frame with the context."""
    return [multiply_adds(*inputs[1].shape)]

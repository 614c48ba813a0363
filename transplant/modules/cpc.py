"""The network of contrastive predictive coding: which frame comes next after a context."""

import keras

from transplant.errors import OptionError
from transplant.modules import pooling_token, transformer
from transplant.modules.resnet1d import layer_seed, pool_features

N_LAYERS = 3
HEADS = 8


@keras.saving.register_keras_serializable("transplant.cpc")
class FramesToBatch(keras.layers.Layer):
    """Lay the frames of several inputs behind one another along the batch axis.

    Call arguments: list of tensors (batch, frames, time, leads) that differ in
    the number of frames alone; the result has shape (batch * all frames, time, leads).
    """

    def call(self, inputs):
        """Return all frames of all examples as one batch."""
        frames = keras.ops.concatenate(inputs, axis=1)
        return keras.ops.reshape(frames, (-1, *frames.shape[2:]))


@keras.saving.register_keras_serializable("transplant.cpc")
class BatchToFrames(keras.layers.Layer):
    """Undo `FramesToBatch` for embeddings.

    Args:
        counts: frames that each of the inputs had.
        **kwargs: of `keras.layers.Layer`.

    Call arguments: a tensor (batch * sum of counts, width); the result is a
    list of tensors (batch, count, width).
    """

    def __init__(self, counts, **kwargs):
        super().__init__(**kwargs)
        self.counts = tuple(counts)

    def call(self, inputs):
        """Return the embeddings of each input's frames."""
        embeddings = keras.ops.reshape(inputs, (-1, sum(self.counts), inputs.shape[-1]))
        starts = [sum(self.counts[:i]) for i in range(len(self.counts))]
        return [embeddings[:, start : start + count] for start, count in zip(starts, self.counts)]

    def get_config(self):
        """Return the arguments that make the same layer."""
        return super().get_config() | {"counts": list(self.counts)}


@keras.saving.register_keras_serializable("transplant.cpc")
class FrameScores(keras.layers.Layer):
    """Score frames by their dot product with the first position of a sequence.

    Call arguments: list of a sequence (batch, length, width) and frames
    (batch, frames, width); the result has shape (batch, frames).
    """

    def call(self, inputs):
        """Return the scores."""
        sequence, frames = inputs
        return keras.ops.einsum("bc,bnc->bn", sequence[:, 0], frames)


def build_cpc_model(backbone, context_size, n_samples, frame_size, leads=1, seed=None):
    """Build the network that scores sample frames as the continuation of a context.

    The backbone and mean pooling embed every frame. A learnt token goes in
    front of the context's embeddings; all are scaled by the root of their width,
    get sinusoidal positions (the token's is 0) and pass three transformer
    layers with 8 heads and a hidden layer of twice the width. The token's
    output is the context vector, and its dot product with a sample's embedding
    the sample's logit.

    What follows the backbone computes in float32 whatever the dtype policy is:
    the scaled embeddings would leave float16's range in the attention scores,
    and for a context of 8 frames it is a small share of the work.

    Differences from the public code: there the context and the samples pass the
    backbone one after the other, so that in training each is normalised by its
    own batch moments and the moving moments move twice a step. Here all frames
    pass it at once and share the moments, which are those of all frames alike,
    at inference too. Both batches hold the positive frames and the negative
    ones, so neither way tells them apart. At inference there is no difference.

    Args:
        backbone: `keras.Model` named "backbone" from (batch, time, leads) to
            (batch, time', channels), with two axes in the middle, or with none; 8
            must divide the channels.
        context_size: frames of the context.
        n_samples: sample frames, the true next one among them; at least two.
        frame_size: samples in a frame.
        leads: input channels. Defaults to 1.
        seed: of the initial weights. Defaults to Keras' global random state.

    Returns:
        A functional `keras.Model` named "cpc" from {"context": (batch,
        context_size, frame_size, leads), "samples": (batch, n_samples,
        frame_size, leads)} to float32 logits (batch, n_samples).

    Raises:
        OptionError: if an argument is out of range, or the heads do not divide
            the channels.

    Source: van den Oord et al., "Representation learning with contrastive
    predictive coding" (2018), in the form of Weimann and Conrad (2021) and their
    public code.

    Example:
        >>> from transplant.modules.registry import build_backbone
        >>> build_cpc_model(build_backbone("resnet18"), 8, 2, 2048).count_params()
        10801344
    """
    if context_size < 1 or n_samples < 2 or frame_size < 1:
        raise OptionError(
            "predictive coding needs a frame of context and two samples to choose from. "
            f"Received: context_size={context_size}, n_samples={n_samples}, frame_size={frame_size}"
        )
    context = keras.Input((context_size, frame_size, leads), name="context")
    samples = keras.Input((n_samples, frame_size, leads), name="samples")
    features = backbone(FramesToBatch(name="frames_to_batch")([context, samples]))
    embeddings = pool_features(features)
    width = embeddings.shape[-1]
    if width % HEADS:
        raise OptionError(
            f"predictive coding needs a backbone whose channels {HEADS} heads divide. Received: {width} channels"
        )
    sequence, frames = BatchToFrames((context_size, n_samples), dtype="float32", name="batch_to_frames")(embeddings)
    token_seed = layer_seed(seed, "pooling_token")
    sequence = pooling_token.PoolingToken(token_seed, dtype="float32", name="pooling_token")(sequence)
    sequence = transformer.ScaledPositions(dtype="float32", name="positions")(sequence)
    for number in range(1, N_LAYERS + 1):
        name = f"transformer{number}"
        layer = transformer.TransformerLayer(HEADS, 2 * width, layer_seed(seed, name), dtype="float32", name=name)
        sequence = layer(sequence)
    scores = FrameScores(dtype="float32", name="scores")([sequence, frames])
    return keras.Model({"context": context, "samples": samples}, scores, name="cpc")

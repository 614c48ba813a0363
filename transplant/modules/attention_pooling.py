"""Attention over the segments of a record, and the logits of what it gathers."""

import keras

from transplant.modules.mlp import dense, full_precision
from transplant.modules.resnet1d import layer_seed

ATTENTION = "attention"


def attend_segments(features, n_classes, seed=None, scores_name="attention_scores"):
    """Append attention over segments and a linear layer: A = softmax(H W), without a bias; logits of the sum of A H.

    Args:
        features: symbolic tensor (batch, segments, channels).
        n_classes: number of classes.
        seed: of the initial weights, Glorot uniform. Defaults to Keras' global random state.
        scores_name: of the layer with W. Defaults to "attention_scores".

    Returns:
        Symbolic logits (batch, n_classes) and attention (batch, segments), float32 whatever the dtype policy is.

    Source: Hong et al., "RDPD: Rich Data Helps Poor Data via Imitation" (IJCAI 2019), section 3.2.
    """
    scores = keras.layers.Dense(
        1,
        use_bias=False,
        kernel_initializer=keras.initializers.GlorotUniform(seed=layer_seed(seed, scores_name)),
        dtype=full_precision(),
        name=scores_name,
    )(features)
    scores = keras.layers.Reshape((features.shape[1],), dtype=full_precision(), name="scores")(scores)
    attention = keras.layers.Softmax(dtype=full_precision(), name=ATTENTION)(scores)
    summed = keras.layers.Dot(axes=1, dtype=full_precision(), name="attended")([attention, features])
    return dense(n_classes, None, seed, "head", full_precision())(summed), attention

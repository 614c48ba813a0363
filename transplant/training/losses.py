"""The loss of a classifier whose classes are not equally frequent."""

import keras
import numpy as np


class WeightedFocalLoss(keras.losses.Loss):
    """Cross-entropy of logits with class weights, focusing and label smoothing.

    Of one record of class c that the network gives the probability p:
    w_c (1 - p)^gamma CE, where CE is the cross-entropy against the label, 1 - s + s/k for its
    class and s/k for each of the others of k classes. Plain cross-entropy where
    all weights are 1 and gamma and smoothing are 0.

    Args:
        class_weights: one per class.
        gamma: the larger, the less a record counts that is already right. Defaults to 0.
        smoothing: s, from 0 to below 1. Defaults to 0.

    Call arguments: labels int (batch,), logits (batch, classes).

    Source: Lin et al., "Focal loss for dense object detection" (2017); Szegedy
    et al. (2016) for the smoothing.
    """

    def __init__(self, class_weights, gamma=0.0, smoothing=0.0):
        super().__init__(name="weighted_focal_loss", reduction="sum_over_batch_size")
        self._class_weights = np.asarray(class_weights, np.float32)
        self._gamma = gamma
        self._smoothing = smoothing

    def call(self, y_true, y_pred):
        """Return the loss of each record, float32 (batch,)."""
        ops = keras.ops
        labels = ops.cast(y_true, "int32")
        log_p = ops.log_softmax(ops.cast(y_pred, "float32"), axis=-1)
        classes = len(self._class_weights)
        own = ops.one_hot(labels, classes, dtype="float32")
        targets = own * (1.0 - self._smoothing) + self._smoothing / classes
        loss = -ops.sum(targets * log_p, axis=-1)
        if self._gamma:
            # 1 - p as a sum of the others: exact where p is almost 1, so that its power has a gradient.
            others = ops.sum((1.0 - own) * ops.exp(log_p), axis=-1)
            loss = loss * ops.power(ops.maximum(others, 1e-12), self._gamma)
        return loss * ops.take(ops.convert_to_tensor(self._class_weights), labels)


def classifier_loss(class_weights, gamma=0.0, smoothing=0.0):
    """Return the loss of logits against class indices: Keras' cross-entropy where nothing else is asked for.

    Args:
        class_weights, gamma, smoothing: as for `WeightedFocalLoss`.
    """
    if gamma == 0 and smoothing == 0 and (np.asarray(class_weights) == 1).all():
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return WeightedFocalLoss(class_weights, gamma, smoothing)

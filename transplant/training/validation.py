"""Predictions of a model and the validation values that both trainers monitor."""

import numpy as np
import scipy.special

from transplant.evaluation.metrics import monitored_value


def predict_probabilities(model, inputs, batch_size=None):
    """Return float64 (n, classes) class probabilities of a model that gives logits.

    Args:
        model: `keras.Model`.
        inputs: array (n, time, leads), or a tf.data.Dataset of batches.
        batch_size: for arrays.
    """
    logits = model.predict(inputs, batch_size=batch_size, verbose=0)
    return scipy.special.softmax(np.asarray(logits, np.float64), axis=1)


def validation_values(y_true, y_prob, metrics):
    """Return the history columns val_loss, val_acc, f1, and auc and auprc where they are monitored.

    Args:
        y_true: class indices (n,).
        y_prob: probabilities (n, classes).
        metrics: the monitored metrics.
    """
    values = {
        "val_loss": monitored_value("loss", y_true, y_prob),
        "val_acc": monitored_value("acc", y_true, y_prob),
        "f1": monitored_value("f1", y_true, y_prob),
    }
    for name in ("auc", "auprc"):
        if name in metrics:
            values[name] = monitored_value(name, y_true, y_prob)
    return values

"""A frozen backbone: its features are computed once, and the head is trained on them."""

import keras


def head_alone(model, batch_size):
    """Divide a compiled classifier whose backbone is frozen into features and head.

    The head shares layers and optimiser with the classifier, so training the one
    trains the other, to the losses that the classifier itself would have.

    Args:
        model: what `transplant.modules.classifier.build_classifier` returned, compiled.
        batch_size: records whose features are computed at once.

    Returns:
        head: compiled `keras.Model` from (batch, channels) to logits.
        features_of: function from float32 (records, time, leads) to float32 (records, channels).
    """
    head_layers = [layer for layer in model.layers if layer.name in ("head_dropout", "head")]
    features = keras.Model(model.input, head_layers[0].input)
    x = inputs = keras.Input(features.output_shape[1:], name="features")
    for layer in head_layers:
        x = layer(x)
    head = keras.Model(inputs, x, name="head_alone")
    head.compile(model.optimizer, model.loss, metrics=[keras.metrics.SparseCategoricalAccuracy(name="acc")])
    return head, lambda records: features.predict(records, batch_size=batch_size, verbose=0)

"""The network and the loss of masked reconstruction: fill in the patches that were hidden."""

import keras

from transplant.errors import OptionError
from transplant.modules.resnet1d import layer_seed

# Deviations of the training data; a frame that varies less is scaled as one that varies so much.
LEAST_DEVIATION = 0.01


@keras.saving.register_keras_serializable("transplant.masked")
class MeanOverFrequency(keras.layers.Layer):
    """Average the features of a spectrogram over frequency.

    Call arguments: inputs of shape (batch, frequency, slice, channels); the
    result has shape (batch, slice, channels).
    """

    def call(self, inputs):
        """Return the mean over axis 1."""
        return keras.ops.mean(inputs, axis=1)

    def compute_output_shape(self, input_shape):
        """Return the inputs' shape without axis 1."""
        return input_shape[:1] + input_shape[2:]


@keras.saving.register_keras_serializable("transplant.masked")
class StandardizedFrameError(keras.losses.Loss):
    """Squared error of every sample against the frame standardised by itself.

    The target is each frame and lead less its own mean, over its own deviation.
    Of the targets in use, the plain standardised signal lets the recordings of
    high amplitude decide the loss; MAE's patches, each scaled to a deviation of
    1, throw the amplitudes of P, QRS and T away and blow up the noise of the
    flat segments between them, most of an ECG, to the size of a QRS complex. By
    frame, every recording counts alike, and inside a frame a QRS complex is as
    much larger than an f wave as it was. A frame that varies by less than 0.01
    deviations of the training data (an electrode that is off) is divided by
    that, so that its noise does not count as much as a heart.

    With sample weights that are frame_size / `masked_samples` where hidden and 0
    elsewhere, the mean over all samples is the mean over the hidden ones.
    Predicting 0, the frame's mean, then costs 1.0 on average over masks that
    hide every sample equally often, whatever the data: that is chance. A frame
    that is flat costs 0.

    Args:
        reduction, name: of `keras.losses.Loss`. Defaults to the mean over all samples.
        **kwargs: of `keras.losses.Loss`.

    Call arguments: y_true, the frames as they were before they were hidden, and
    y_pred, both (batch, time, leads); sample_weight (batch, time).

    Source: the error over masked patches alone: Xie et al., "SimMIM" (2022), He
    et al., "Masked autoencoders are scalable vision learners" (2022, MAE).

    Example:
        >>> y = np.array([[[0.0], [2.0]]], "float32")
        >>> float(StandardizedFrameError()(y, np.zeros((1, 2, 1), "float32")))
        1.0
    """

    def __init__(self, reduction="sum_over_batch_size", name="standardized_frame_error", **kwargs):
        super().__init__(reduction=reduction, name=name, **kwargs)

    def call(self, y_true, y_pred):
        """Return the errors (batch, time), the mean over leads."""
        centred = y_true - keras.ops.mean(y_true, axis=1, keepdims=True)
        deviation = keras.ops.sqrt(keras.ops.mean(keras.ops.square(centred), axis=1, keepdims=True))
        target = centred / keras.ops.maximum(deviation, LEAST_DEVIATION)
        return keras.ops.mean(keras.ops.square(y_pred - target), axis=-1)


def build_masked_model(backbone, frame_size, leads=1, seed=None):
    """Build the network that reconstructs frames of which patches are hidden.

    Each step of the backbone's features is turned by one linear layer into the
    samples that belong to it; a frame that is no multiple of the steps is cut to
    its size at the end. The lighter the decoder, the more must be in the
    features.

    Masked autoencoders (MAE, and ST-MEM for ECG) show their encoder the visible
    patches alone, which a transformer can do and a convolution cannot: it needs
    its grid. SimMIM's form can: hidden samples stay in place with a constant
    value (0, the mean of the standardised signal), and a linear head predicts
    them. An ECG suits the task, for beats repeat: what is hidden can be told from
    rhythm and morphology around it, while what cannot (noise) is little where
    the amplitude is kept as in `StandardizedFrameError`. Two things to know: the
    batch moments of masked input are not those of whole signals, so the
    backbone's moving moments need the first steps of fine-tuning to settle; and a
    patch must be longer than a step of the features, else its neighbours show it.

    Args:
        backbone: `keras.Model` named "backbone" from (batch, time, leads) to
            (batch, steps, channels), or to (batch, frequency, slice, channels),
            of which the mean over frequency is taken.
        frame_size: samples in a frame.
        leads: input channels. Defaults to 1.
        seed: of the initial weights of the head. Defaults to Keras' global random state.

    Returns:
        A functional `keras.Model` named "masked" from the masked signal (batch,
        frame_size, leads) to the float32 reconstruction of the same shape, in
        deviations of the frame.

    Raises:
        OptionError: if an argument is out of range, or the backbone pools by itself.

    Source: Xie et al., "SimMIM: a simple framework for masked image modeling"
    (2022); He et al., "Masked autoencoders are scalable vision learners" (2022);
    Na et al., "Guiding masked representation learning to capture spatio-temporal
    relationship of electrocardiogram" (ST-MEM, ICLR 2024).

    Example:
        >>> from transplant.modules.registry import build_backbone
        >>> build_masked_model(build_backbone("resnet18"), 2048).output_shape
        (None, 2048, 1)
    """
    if frame_size < 1 or leads < 1:
        raise OptionError(f"a frame has samples and leads. Received: frame_size={frame_size}, leads={leads}")
    inputs = keras.Input((frame_size, leads), name="signal")
    features = backbone(inputs)
    if len(features.shape) < 3:
        raise OptionError(
            "reconstruction needs a backbone whose features are over time. "
            f"Received: features of shape {features.shape}; choose a backbone that does not pool by itself"
        )
    if len(features.shape) == 4:
        features = MeanOverFrequency(dtype="float32", name="mean_over_frequency")(features)
    steps = features.shape[1]
    samples_per_step = -(-frame_size // steps)
    patches = keras.layers.Dense(
        samples_per_step * leads,
        kernel_initializer=keras.initializers.GlorotUniform(seed=layer_seed(seed, "reconstruction")),
        dtype="float32",
        name="reconstruction",
    )(features)
    x = keras.layers.Reshape((steps * samples_per_step, leads), dtype="float32", name="samples")(patches)
    x = keras.layers.Cropping1D((0, steps * samples_per_step - frame_size), dtype="float32", name="crop")(x)
    return keras.Model(inputs, x, name="masked")

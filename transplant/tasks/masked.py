"""What hidden patches of a frame look like: masked reconstruction."""

from transplant.signals.masking import draw_masks, masked_samples
from transplant.tasks.task import Task


class MaskedReconstruction(Task):
    """Fill in the patches of a frame that were hidden.

    Of the frame's patches a share is set to 0, the mean of standardised input,
    and the network predicts the frame, standardised by itself, there.
    Predicting its mean costs 1.0. No annotation is needed, so any recording
    serves, and every sample of a patch is a target, where a frame's class is one
    number. `transplant.modules.masked` says why this form suits an ECG and a
    convolutional backbone.

    Source: Xie et al., "SimMIM" (2022); Na et al., ST-MEM (2024), for ECG.
    """

    name = "masked"
    summary = "what hidden patches of a frame look like"
    monitors = ("loss",)
    label_dtype = "bool"

    def add_flags(self, group):
        """Add the size and share of the hidden patches."""
        from transplant.training.command_line import fraction, positive_int

        group.add_argument(
            "--patch-size",
            type=positive_int,
            default=128,
            metavar="N",
            help="samples of a patch; a multiple of the step of the features (32 for four stages) hides whole steps",
        )
        group.add_argument(
            "--mask-ratio", type=fraction, default=0.5, metavar="S", help="share of the patches that are hidden"
        )

    def check(self, options):
        """Refuse frames without two patches, and a share that hides all."""
        masked_samples(options.frame_size, options.patch_size, options.mask_ratio)

    def classes(self, options):
        """Return no classes."""
        return ()

    def label_shape(self, options):
        """Return the shape of a mask."""
        return (options.frame_size,)

    def label(self, axis, starts, rng, options):
        """Draw the masks, True where hidden."""
        return draw_masks(rng, len(starts), options.frame_size, options.patch_size, options.mask_ratio)

    def finish(self, inputs, labels, options):
        """Return masked frames, whole frames, and weights whose mean over all samples counts the hidden ones alone."""
        import tensorflow as tf

        signal, hidden = inputs["signal"], tf.cast(labels, tf.float32)
        share = masked_samples(options.frame_size, options.patch_size, options.mask_ratio) / options.frame_size
        return signal * (1 - hidden)[..., None], signal, hidden / share

    def build_model(self, backbone, options, leads=1, seed=None):
        """Put one linear layer on every step of the features."""
        from transplant.modules.masked import build_masked_model

        return build_masked_model(backbone, options.frame_size, leads, seed)

    def loss(self):
        """Return the squared error against the frame standardised by itself."""
        from transplant.modules.masked import StandardizedFrameError

        return StandardizedFrameError()

    def validation_values(self, model, batches, labels, metric):
        """Return val_loss, the mean over all hidden samples of all windows."""
        import numpy as np

        predictions = model.predict(batches.map(lambda x, y, weights: x), verbose=0)
        error, hidden, first = 0.0, 0, 0
        for _, frames, weights in batches:
            found = self.loss().call(frames, predictions[first : first + len(frames)]).numpy()
            first += len(frames)
            is_hidden = weights.numpy() > 0
            error += found[is_hidden].sum(dtype=np.float64)
            hidden += is_hidden.sum()
        return {"val_loss": float(error / hidden)}


TASK = MaskedReconstruction()

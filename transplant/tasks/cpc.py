"""Which frame comes next: contrastive predictive coding."""

import numpy as np

from transplant.errors import OptionError
from transplant.tasks.classification import ClassifierTask


class ContrastivePredictiveCoding(ClassifierTask):
    """Find the true next frame after a context among frames from elsewhere.

    A window holds `context_size` frames, each beginning `context_overlap`
    samples before the end of the one before, then `positive_offset` frames that
    nobody sees, then the positive frame. It begins behind the context's last
    sample, so no sample of it can leak into the context. Negatives come from any
    segment of the patients that are open together (sixteen), the own patient
    and segment included: were they all of other patients, the answer would be
    who it is, not what comes next. None of them touches the window.

    Differences from the public code: there a context with an overlap and an
    offset of 0 shares samples with the positive frame, and negatives may
    overlap context and positive.

    Source: van den Oord et al., "Representation learning with contrastive
    predictive coding" (2018), in the form of Weimann & Conrad (2021).
    """

    name = "cpc"
    summary = "which of some frames follows the ones before"
    # The public code's 1e-3 did not learn on MIT-BIH in 450 steps of 16 windows: the scores, dot products of
    # hundreds of features, run away first. With 2e-4 it does.
    learning_rate = 2e-4

    def add_flags(self, group):
        """Add the shape of context and samples."""
        from transplant.training.command_line import non_negative_int, positive_int

        group.add_argument("--context-size", type=positive_int, default=8, metavar="N", help="frames in the context")
        group.add_argument("--ns", type=positive_int, default=1, metavar="N", help="negative frames")
        group.add_argument(
            "--positive-offset",
            type=non_negative_int,
            default=0,
            metavar="N",
            help="frames left out between context and positive frame",
        )
        group.add_argument(
            "--context-overlap",
            type=non_negative_int,
            default=0,
            metavar="N",
            help="samples that two frames of the context share",
        )

    def check(self, options):
        """Refuse frames of the context that do not move on."""
        if options.context_overlap >= options.frame_size:
            raise OptionError(
                f"--context-overlap must be smaller than --frame-size {options.frame_size}. "
                f"Received: {options.context_overlap}"
            )

    def classes(self, options):
        """Return the numbers of the samples."""
        return tuple(str(i) for i in range(options.ns + 1))

    def _context_starts(self, options):
        return np.arange(options.context_size) * (options.frame_size - options.context_overlap)

    def _positive_start(self, options):
        context_end = int(self._context_starts(options)[-1]) + options.frame_size
        return context_end + options.positive_offset * options.frame_size

    def window_size(self, options):
        """Return the samples from the context's first to the positive frame's last."""
        return self._positive_start(options) + options.frame_size

    def others(self, options):
        """Return the number of negatives."""
        return options.ns

    def frames_shape(self, options):
        """Return context and samples."""
        return {"context": (options.context_size,), "samples": (options.ns + 1,)}

    def label(self, axis, starts, rng, options):
        """Draw the place of the positive frame among the samples."""
        return rng.integers(options.ns + 1, size=len(starts)).astype(np.int32)

    def frames(self, windows, others, labels, options):
        """Lay the context frame by frame, and the samples with the positive one at its label's place."""
        segments, starts = windows.segments[:, None], windows.starts[:, None]
        context_starts = starts + self._context_starts(options)
        numbers = np.arange(options.ns + 1)
        is_positive = numbers == labels[:, None]
        # The negatives in order, with a place left free for the positive frame.
        negative = np.minimum(numbers - (numbers > labels[:, None]), options.ns - 1)
        return {
            "context": (np.broadcast_to(segments, context_starts.shape), context_starts),
            "samples": (
                np.where(is_positive, segments, np.take_along_axis(others.segments, negative, axis=1)),
                np.where(
                    is_positive,
                    starts + self._positive_start(options),
                    np.take_along_axis(others.starts, negative, axis=1),
                ),
            ),
        }

    def finish(self, inputs, labels, options):
        """Return context and samples as a dict."""
        return inputs, labels

    def build_model(self, backbone, options, leads=1, seed=None):
        """Put the transformer over the context, and score the samples against it."""
        from transplant.modules.cpc import build_cpc_model

        return build_cpc_model(backbone, options.context_size, options.ns + 1, options.frame_size, leads, seed)


TASK = ContrastivePredictiveCoding()

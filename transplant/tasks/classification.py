"""Tasks whose answer is a class: the network's head, loss and validation that they share."""

import numpy as np

from transplant.tasks.task import Task


class ClassifierTask(Task):
    """A task that is answered by logits; subclasses say over what."""

    def loss(self):
        """Return cross entropy on logits."""
        import keras

        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def metrics(self):
        """Return accuracy, named as in history.csv."""
        import keras

        return [keras.metrics.SparseCategoricalAccuracy(name="acc")]

    def validation_values(self, model, batches, labels, metric):
        """Return val_loss, val_acc and macro-F1."""
        from transplant.training.validation import predict_probabilities, validation_values

        probabilities = predict_probabilities(model, batches.map(lambda x, y: x))
        return validation_values(labels, probabilities, [metric])


class FrameClassification(ClassifierTask):
    """Name what one frame shows.

    Args:
        name: of the task.
        summary: one line.
        classes: class names.
        label_frames: function (`AnnotationAxis`, starts (frames,), frame size) ->
            int32 (frames,), the rule on its own.
    """

    def __init__(self, name, summary, classes, label_frames):
        self.name = name
        self.summary = summary
        self._classes = tuple(classes)
        self.label_frames = label_frames

    def classes(self, options):
        """Return the class names."""
        return self._classes

    def label(self, axis, starts, rng, options):
        """Label frames by the task's rule."""
        return self.label_frames(axis, starts, options.frame_size)

    def describe_labels(self, draw):
        """Return how often each class occurs, and a warning where only one does."""
        labels = draw()
        counts = np.bincount(labels, minlength=len(self._classes))
        shares = ", ".join(f"{name} {count:,}" for name, count in zip(self._classes, counts))
        line = f"classes of the first {len(labels):,} frames: {shares}"
        if np.count_nonzero(counts) == 1:
            line += "; one class alone teaches nothing: take other patients, or another task"
        return line

    def build_model(self, backbone, options, leads=1, seed=None):
        """Put mean over time and a linear layer on the backbone."""
        import keras

        from transplant.modules.resnet1d import add_head

        inputs = keras.Input((None, leads), name="signal")
        return keras.Model(inputs, add_head(backbone(inputs), len(self._classes), seed), name=f"{self.name}_classifier")

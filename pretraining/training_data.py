"""What a pretraining run asks of its data."""

import abc


class TrainingData(abc.ABC):
    """Training batches and validation windows, with whole patients on either side.

    Attributes:
        name: where the data come from.
        fingerprint: hex digest of the data.
        sampling_rate_hz: rate of the windows.
        leads: name of each lead.
        normalization: `Normalization` of the windows.
        training_patients, validation_patients: patient ids.
        working_set: training patients opened together, at most; None where all windows are at hand.
        validation: `WindowSet`, or None.
        pass_steps: batches in a pass over the data, where there is an end to them; else None.
    """

    @abc.abstractmethod
    def dataset(self, steps, first_step=0):
        """Return finished training batches.

        Args:
            steps: number of batches.
            first_step: number of the first batch. A batch depends on the seed of the
                run and its number alone.

        Returns:
            tf.data.Dataset of what the task's `finish` returns.
        """

    @abc.abstractmethod
    def first_labels(self):
        """Return some labels to describe, (windows, ...)."""

    @abc.abstractmethod
    def coverage(self, steps_per_epoch):
        """Return the line that compares what a run draws with what there is."""

    @abc.abstractmethod
    def plot_first_frame(self, path):
        """Draw the first frame into a .png file."""

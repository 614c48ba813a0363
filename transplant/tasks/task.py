"""What a pretraining task is, and the list of them."""

import abc
import argparse
import functools
import importlib
import pkgutil

import transplant.tasks
from transplant.errors import OptionError


class Task(abc.ABC):
    """A pretraining task: what is drawn from recordings, what is asked, and who answers.

    A batch is made of windows, each of `window_size` samples inside one
    segment, and, where a task wants them, of frames from elsewhere. In numpy
    the task labels the windows and says which frames the network sees; in the
    graph it finishes the batch. `options` are the parsed options of the run,
    `options.frame_size` and those that `add_flags` added among them.

    A subclass is one module of this package with an instance named `TASK`; it
    imports neither TensorFlow nor Keras before its methods are called.

    Attributes:
        name: the value of `--task`.
        summary: one line for the help.
        monitors: what `--val-metric` may be.
        label_dtype: dtype of a label.
        learning_rate: default of `--learning-rate`.
    """

    name = ""
    summary = ""
    monitors = ("loss", "acc", "f1")
    label_dtype = "int32"
    learning_rate = 1e-3

    def add_flags(self, group):  # noqa: B027 - most tasks have none
        """Add the task's own options to an argparse group."""

    def check(self, options):  # noqa: B027 - most tasks take any
        """Raise `OptionError` where options contradict each other."""

    @abc.abstractmethod
    def classes(self, options):
        """Return the class names, in the order of the outputs; empty for a task without classes."""

    def window_size(self, options):
        """Return the samples of a window."""
        return options.frame_size

    def others(self, options):
        """Return how many frames are drawn from elsewhere for each window."""
        return 0

    def frames_shape(self, options):
        """Return {input name: shape of the frames' array but for batch, time and leads}."""
        return {"signal": ()}

    def label_shape(self, options):
        """Return the shape of one window's label."""
        return ()

    @abc.abstractmethod
    def label(self, axis, starts, rng, options):
        """Label windows.

        Args:
            axis: `AnnotationAxis`.
            starts: int64 (windows,), first samples of the windows on the axis.
            rng: `np.random.Generator` of this batch.
            options: of the run.

        Returns:
            `label_dtype` (windows, *label_shape).
        """

    def frames(self, windows, others, labels, options):
        """Say which frames the network sees.

        Args:
            windows, others: objects with integer arrays `segments` and `starts`,
                of shape (windows,) and (windows, others); a frame is given by
                its segment and its first sample there.
            labels: what `label` returned.
            options: of the run.

        Returns:
            dict input name -> (segments, starts), each of shape (windows, *frames_shape).
        """
        return {"signal": (windows.segments, windows.starts)}

    def finish(self, inputs, labels, options):
        """Turn tensors into what `model.fit` takes.

        Args:
            inputs: dict name -> float32 (batch, *frames_shape, time, leads).
            labels: (batch, *label_shape).
            options: of the run.

        Returns:
            (x, y) or (x, y, sample weights).
        """
        return inputs["signal"], labels

    @abc.abstractmethod
    def build_model(self, backbone, options, leads=1, seed=None):
        """Build the network over a backbone, a `keras.Model` (batch, time, leads) -> features."""

    @abc.abstractmethod
    def loss(self):
        """Return the loss, a `keras.losses.Loss`."""

    def metrics(self):
        """Return the list of metrics of the training batches."""
        return []

    def describe_labels(self, draw):
        """Return a line for the log on the labels that `draw()` returns, or None where there is nothing to say."""
        return None

    @abc.abstractmethod
    def validation_values(self, model, batches, labels, metric):
        """Score a model.

        Args:
            model: compiled `keras.Model`.
            batches: tf.data.Dataset of what `finish` returned, in order.
            labels: (windows, *label_shape), the labels of all batches.
            metric: the monitored one.

        Returns:
            dict of history columns, val_loss among them.
        """


@functools.cache
def _modules():
    """Return {task name: Task} of the modules of this package that define `TASK`."""
    found = {}
    for module in pkgutil.iter_modules(transplant.tasks.__path__):
        task = getattr(importlib.import_module(f"transplant.tasks.{module.name}"), "TASK", None)
        if task is not None:
            found[task.name] = task
    return found


def task_names():
    """Return the names that `--task` takes."""
    return tuple(_modules())


def get_task(name):
    """Return the `Task` of a name.

    Raises:
        OptionError: if there is none.
    """
    if name not in _modules():
        raise OptionError(f"--task is one of {', '.join(_modules())}. Received: {name}")
    return _modules()[name]


def _defaults(task):
    parser = argparse.ArgumentParser()
    task.add_flags(parser.add_argument_group())
    return vars(parser.parse_args([]))


def task_options(task, options):
    """Return the task's own options, those that its flags set, as a dict."""
    return {name: getattr(options, name) for name in _defaults(task)}


def default_options(task, frame_size, **options):
    """Return the options of a run as the command line would give them.

    Args:
        task: `Task`.
        frame_size: samples in a frame.
        **options: others than the defaults of the task's flags.

    Raises:
        OptionError: if an option is none of the task's, or they contradict each other.
    """
    defaults = _defaults(task)
    unknown = sorted(options.keys() - defaults.keys())
    if unknown:
        raise OptionError(f"options of {task.name} are {', '.join(defaults) or 'none'}. Received: {', '.join(unknown)}")
    values = argparse.Namespace(frame_size=frame_size, **(defaults | options))
    task.check(values)
    return values

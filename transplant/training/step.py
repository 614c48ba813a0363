"""The training step and an epoch of it: what `model.fit` would run, with every batch fetched outside the graph."""

import tensorflow as tf

from transplant.errors import TrainingError
from transplant.training.distribution import enough_rows, run_on_rows


def make_step(model, batch_spec, average=None):
    """Return the compiled training step: a function of a batch that returns its running metrics.

    It is traced once, for the shapes that every batch has, so that the same
    kernels see the same rows whatever batch a run begins with.

    Args:
        model: compiled `keras.Model`; its `train_step` is what is run.
        batch_spec: `element_spec` of the datasets.
        average: `WeightAverage` to keep up, or None.
    """
    strategy = model.distribute_strategy

    def step(batch):
        logs = run_on_rows(strategy, model.train_step, batch)
        if average:
            average.update()
        return logs

    return tf.function(step, input_signature=[batch_spec], autograph=False, jit_compile=model.jit_compile)


def train_epoch(model, step, batches, after_step=lambda logs: None):
    """Train on the batches of an epoch.

    Args:
        model: the model of the step.
        step: what `make_step` returned.
        batches: iterable of batches.
        after_step: called with the running metrics, dict name -> float.

    Returns:
        dict name -> float: loss and metrics over the epoch.
    """
    model.reset_metrics()
    logs = {}
    for batch in batches:
        if enough_rows(model.distribute_strategy, batch):
            # As numbers: a GPU has finished the step then, and waiting for the next batch is waiting.
            logs = {name: float(value) for name, value in step(batch).items()}
            after_step(logs)
    if not logs:
        raise TrainingError("an epoch needs a batch with a row for every device. Received: none; give more data")
    # Over the rows of all devices; a train_step that reports something else is taken by its last word.
    overall = {name: float(value) for name, value in model.get_metrics_result().items()}
    return overall if overall.keys() == logs.keys() else logs

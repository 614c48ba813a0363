"""The training of one network, teacher or student, and what it says of records."""

import pathlib

import numpy as np
import pandas as pd
import scipy.special
import tensorflow as tf

from distillation.rdpd.batches import epoch_batches
from distillation.rdpd.methods import HARD
from distillation.rdpd.term_plots import plot_terms
from transplant.evaluation.plots import plot_learning_curves
from transplant.training.loop import BEST_WEIGHTS, Plan, run_plan
from transplant.training.optimization import OptimizerSettings, build_optimizer
from transplant.training.validation import validation_values
from transplant.training.weights import assign_weights, read_weights


def train(model, x, targets, validation, settings, description, job, log=print, rate_of=None):
    """Train, or go on training, a network, and leave it with its best weights.

    Args:
        model: `Imitation`.
        x: standardised records of the training part, as the network sees them.
        targets: dict of the model's targets.
        validation: (x, y) of the validation part.
        settings: `TrainingSettings`.
        description: `ModelDescription` of the network.
        job: folder of its history, checkpoints and best weights.
        log: function that takes a line.
        rate_of: share of the learning rate that a variable has, as `build_optimizer` takes it. Defaults to None: all
            learn alike.

    Returns:
        The final `Progression`.
    """
    steps = -(-len(x) // settings.batch_size)
    optimizer = OptimizerSettings(learning_rate=settings.learning_rate)
    model.compile(build_optimizer(optimizer, settings.epochs * steps, rate_of=rate_of))
    held_out, truth = validation
    answer = answers_by(model, settings.batch_size)

    def validate():
        logits, _ = answer(held_out)
        return validation_values(truth, scipy.special.softmax(logits, axis=1), (settings.monitor,))

    plan = Plan(
        epochs=settings.epochs,
        steps_per_epoch=steps,
        dataset_of_epoch=lambda epoch: epoch_batches(x, targets, settings.batch_size, settings.seed, epoch),
        validate=validate,
        monitor=settings.monitor,
        stop_metric=settings.monitor,
        patience=settings.patience,
        keep_weights=False,
        settings=optimizer,
        shows_progress=settings.shows_progress,
    )
    job = pathlib.Path(job)
    job.mkdir(exist_ok=True)
    state = run_plan(plan, model, description, job, log)
    assign_weights(model, read_weights(job / BEST_WEIGHTS))
    history, title = pd.DataFrame(state.history), description.task
    if HARD in history:
        plot_terms(history, job / "loss_terms.png", title, state.best_epoch)
        # Validation has the loss of hard labels; the sum of all terms is no curve to lay beside it.
        history = history.assign(loss=history[HARD])
    plot_learning_curves(history, job / "learning_curves.png", title, state.best_epoch)
    return state


def answers_by(model, batch_size):
    """Return a function that asks a network about records, without dropout.

    It is a graph of its own, made once: `predict` spends longer on its preparations than on the records of an epoch's
    validation.

    Args:
        model: network or `Imitation`.
        batch_size: records at once.

    Returns:
        function x (records, samples, channels) -> float64 logits (records, classes), attention (records, segments).
    """

    @tf.function(input_signature=[tf.TensorSpec((None, *model.input_shape[1:]))], autograph=False)
    def ask(x):
        logits, attention, *_ = model(x, training=False)
        return logits, attention

    def answer(x):
        parts = zip(*(ask(x[first : first + batch_size]) for first in range(0, len(x), batch_size)))
        return tuple(np.concatenate(part).astype(np.float64) for part in parts)

    return answer

"""A process with two logical CPUs: prints what training on both and on one of them gives, as JSON."""

import json
import pathlib
import sys

import keras
import numpy as np
import tensorflow as tf
from small_run import STEPS, batches, build_model, compile_classifier, run, signals

from transplant.errors import OptionError
from transplant.training.distribution import batch_norm_kind, check_batch_size, training_strategy
from transplant.training.optimization import OptimizerSettings, build_optimizer
from transplant.training.runtime import precision
from transplant.training.step import make_step, train_epoch
from transplant.training.validation import predict_probabilities


def weights(model):
    return {v.path: np.asarray(v.numpy(), np.float64).tolist() for v in model.variables if "seed" not in v.path}


def train(strategy, dataset, epochs=3):
    """Train with SGD; return the last epoch's values, weights and predictions of an odd number of rows."""
    with strategy.scope():
        model = compile_classifier(build_model(batch_norm=batch_norm_kind(strategy)), keras.optimizers.SGD(0.1))
        model.optimizer.build(model.trainable_variables)
    step = make_step(model, dataset.element_spec)
    for _ in range(epochs):
        values = train_epoch(model, step, dataset)
    x = signals()[0][:9]
    predictions = [predict_probabilities(model, x, batch_size=4)]
    predictions.append(predict_probabilities(model, tf.data.Dataset.from_tensor_slices(x).batch(4)))
    return {"values": values, "weights": weights(model), "predictions": [p.tolist() for p in predictions]}


def step_of_gradients(strategy, settings, gradients, **arguments):
    """Apply one gradient a device to a weight of zeros; return the weight and the optimizer's variables."""
    with strategy.scope():
        weight = keras.Variable(np.zeros(2, np.float32), name="kernel")
        optimizer = build_optimizer(settings, 10, **arguments)
        optimizer.build([weight])

    @tf.function
    def step():
        def value(context):
            return tf.constant(gradients[context.replica_id_in_sync_group], tf.float32)

        def apply(gradient):
            optimizer.apply([gradient], [weight])

        strategy.run(apply, args=(strategy.experimental_distribute_values_from_function(value),))

    step()
    return weight.numpy().tolist(), {v.name: np.asarray(v.numpy()).tolist() for v in optimizer.variables}


def resumed(strategy, folder):
    """Run with an average and clipping, whole and in two parts; return the losses and averaged weights of both."""
    settings = OptimizerSettings(0.05, ema=0.9, clip_norm=0.5, weight_decay=0.01)

    def go(job, stop_after=None):
        with strategy.scope():
            model = build_model(0.3, batch_norm_kind(strategy))
            compile_classifier(model, build_optimizer(settings, 3 * STEPS))
        return run(job, settings, model=model, stop_after=stop_after)

    go(folder / "parts", stop_after=1)
    found = []
    for job in ("parts", "whole"):
        state, _, _ = go(folder / job)
        with np.load(folder / job / "best_weights.npz", allow_pickle=False) as arrays:
            found.append({"history": state.history, "conv": arrays["conv/kernel"].tolist()})
    return found


def refusals(strategy):
    """Return the messages of what is refused."""
    said = []
    for attempt in (lambda: training_strategy(3), lambda: check_batch_size(strategy, 5)):
        try:
            attempt()
        except OptionError as error:
            said.append(str(error))
    return said


def main(folder):
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    one, two = training_strategy("all"), training_strategy(2)
    found = {
        "replicas": [one.num_replicas_in_sync, two.num_replicas_in_sync],
        "same object": training_strategy(2) is two,
        "refused": refusals(two),
    }
    # Ten rows in batches of four: two devices take 2 + 2, 2 + 2 and 1 + 1 of them.
    found["even"] = [train(s, batches()) for s in (one, two)]
    # Of a batch of three the third row does not divide, nor does a single one; one device is not given them.
    rows = batches().unbatch()
    uneven = rows.take(7).batch(4).concatenate(rows.skip(7).take(1).batch(4))
    found["odd"] = [train(one, rows.take(6).batch(4)), train(two, uneven)]
    # Together (3, 4) of norm 5, each device's share below the limit.
    clipped = OptimizerSettings(1.0, clip_norm=4.5)
    # With this epsilon a first step of Adam is the gradient itself, times the rate.
    plain = {"beta_1": 0.0, "beta_2": 0.0, "epsilon": 1e6}
    found["clipped"] = step_of_gradients(two, clipped, [[3.0, 0.0], [0.0, 4.0]], **plain)[0]
    with precision("float16"):
        for name, gradients in (("finite", [[1.0, 0.0]] * 2), ("overflow", [[1.0, 0.0], [np.inf, 0.0]])):
            found[name] = step_of_gradients(two, OptimizerSettings(), gradients)
    found["resumed"] = resumed(two, folder)
    print(json.dumps(found))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))

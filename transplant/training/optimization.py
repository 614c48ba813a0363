"""The optimiser of a run: learning-rate schedule, weight decay, clipping."""

import dataclasses

import keras
import tensorflow as tf

from transplant.errors import OptionError
from transplant.training.own_rates import OwnRates

# tf.Variable names end in ":0", and in "/replica_1:0" on the second device.
_NOT_DECAYED = r"(^|/)(bias|gamma|beta)(/replica_\d+)?(:\d+)?$"


@dataclasses.dataclass(frozen=True)
class OptimizerSettings:
    """What the command line says of the optimiser; the defaults are plain Adam.

    Attributes:
        optimizer: "adam", or "sgd": gradient descent without momentum.
        learning_rate: its highest value.
        schedule: "constant", or "cosine": down to 0 at the last step of the run.
        warmup_steps: steps in which the rate rises linearly from 0. Defaults to 0.
        weight_decay: share of a weight, times the learning rate, that is taken off
            each step, apart from the gradient; biases, gammas and betas are left
            as they are. Defaults to 0.
        clip_norm: largest norm of all gradients together. Defaults to 0: any.
        ema: decay of the average of the weights, see
            `transplant.training.weight_average`. Defaults to 0: no average.
    """

    learning_rate: float = 1e-3
    schedule: str = "constant"
    warmup_steps: int = 0
    weight_decay: float = 0.0
    clip_norm: float = 0.0
    ema: float = 0.0
    optimizer: str = "adam"

    @classmethod
    def from_options(cls, options):
        """Return the settings of parsed options that `add_optimizer_flags` made."""
        return cls(**{field.name: getattr(options, field.name) for field in dataclasses.fields(cls)})

    @property
    def depends_on_total(self):
        """Whether a step's learning rate depends on how many steps the whole run has."""
        return self.schedule == "cosine"


def learning_rate_schedule(settings, total_steps):
    """Return the learning rate: a number, or a `keras.optimizers.schedules` object.

    Args:
        settings: `OptimizerSettings`.
        total_steps: training steps of the whole run.

    Raises:
        OptionError: if the warm-up does not end before the run.
    """
    peak, warmup = settings.learning_rate, settings.warmup_steps
    if warmup >= total_steps:
        raise OptionError(
            f"--warmup-steps must be fewer than the steps of the run, {total_steps:,}. Received: {warmup:,}; "
            "lower it, or raise --epochs"
        )
    if settings.schedule == "cosine":
        return keras.optimizers.schedules.CosineDecay(
            0.0 if warmup else peak,
            decay_steps=total_steps - warmup,
            warmup_target=peak if warmup else None,
            warmup_steps=warmup,
        )
    # A polynomial of power 1 is a line, and it stays at its end.
    return keras.optimizers.schedules.PolynomialDecay(0.0, warmup, end_learning_rate=peak) if warmup else peak


def build_optimizer(settings, total_steps, beta_1=0.9, beta_2=0.999, epsilon=1e-7, rate_of=None):
    """Build Adam, AdamW where weights decay, or SGD, for the strategy and precision in force.

    Call it where the model is built: inside the scope of the strategy and of
    `transplant.training.runtime.precision`.

    Args:
        settings: `OptimizerSettings`.
        total_steps: training steps of the whole run.
        beta_1, beta_2, epsilon: of Adam alone. Default to Keras' defaults.
        rate_of: function from a variable's path to its share of the learning rate and the
            step from which on it learns. Defaults to None: all learn alike.

    Returns:
        A `keras.optimizers.Optimizer`. The average of the weights is no part of it.

    Raises:
        OptionError: if the settings do not fit the length of the run.

    Source: Loshchilov and Hutter, "SGDR" (2017) and "Decoupled weight decay
    regularization" (2019); Goyal et al. (2017) for the warm-up.
    """
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    arguments = {
        "learning_rate": learning_rate_schedule(settings, total_steps),
        "global_clipnorm": settings.clip_norm / replicas or None,
    }
    if settings.optimizer == "sgd":
        kind = keras.optimizers.SGD
    else:
        kind = keras.optimizers.AdamW if settings.weight_decay else keras.optimizers.Adam
        arguments |= {"beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon}
    if settings.weight_decay:
        arguments["weight_decay"] = settings.weight_decay
    if settings.clip_norm and replicas > 1:
        kind = type(f"SummedFirst{kind.__name__}", (SummedFirst, kind), {})
    if rate_of:
        kind = type(f"OwnRates{kind.__name__}", (OwnRates, kind), {"rate_of": staticmethod(rate_of)})
    optimizer = kind(**arguments)
    if settings.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=[_NOT_DECAYED])
    if replicas > 1 and keras.config.dtype_policy().name == "mixed_float16":
        return SharedLossScale(optimizer)
    return optimizer


class SummedFirst:
    """Clips the gradients of all devices together.

    Keras clips each device's share before the shares are added, so the step
    would depend on the number of devices. Here the shares are added first, and
    every device hands on an equal part of the sum; the limit on its norm is
    divided alike.
    """

    def apply(self, grads, trainable_variables=None):
        """Apply gradients that were added over the devices."""
        context = tf.distribute.get_replica_context()
        present = [g for g in grads if g is not None]
        summed = iter(context.all_reduce(tf.distribute.ReduceOp.SUM, present))
        parts = [None if g is None else next(summed) / context.num_replicas_in_sync for g in grads]
        super().apply(parts, trainable_variables)


class SharedLossScale(keras.optimizers.LossScaleOptimizer):
    """Leaves a step out on every device where the gradients of any of them overflow.

    Keras asks the first device alone.
    """

    def check_finite(self, grads):
        """Return whether the gradients of all devices are finite."""
        finite = tf.cast(super().check_finite(grads), tf.float32)
        context = tf.distribute.get_replica_context()
        return context.all_reduce(tf.distribute.ReduceOp.SUM, finite) >= context.num_replicas_in_sync

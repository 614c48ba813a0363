"""The terms of RDPD's loss. Each is a mean over the records of a batch, in nats.

Source: Hong et al., "RDPD: Rich Data Helps Poor Data via Imitation" (IJCAI 2019), equations 8 to 12.
"""

import keras
from keras import ops

from distillation.rdpd.methods import STUDENT_TEACHER, TEACHER_STUDENT
from transplant.errors import OptionError


def check_temperature(temperature):
    """Return a temperature as a float.

    Raises:
        OptionError: if it is not above 0.
    """
    if not 0 < temperature < float("inf"):
        raise OptionError(f"a temperature is above 0. Received: {temperature}")
    return float(temperature)


def hard_loss(labels, logits, temperature=1.0):
    """Return CE(Y, softmax(O / T)): a student's at T = 1 (equation 9), a teacher's at T (equation 8).

    Args:
        labels: class indices (batch,).
        logits: (batch, classes).
        temperature: T. Defaults to 1.
    """
    log_posterior = ops.log_softmax(logits / temperature, axis=-1)
    return -ops.mean(ops.take_along_axis(log_posterior, ops.cast(labels, "int32")[:, None], axis=-1))


def soft_loss(teacher_logits, logits, temperature, weights=None):
    """Return T^2 CE(softmax(O_r / T), softmax(O_p / T)), a cross entropy: its least value is `soft_floor`.

    T^2 keeps the gradient's size, which falls with 1 / T^2, beside that of the hard labels (Hinton et al. 2015).

    Args:
        teacher_logits, logits: (batch, classes).
        temperature: T.
        weights: (batch,), 0 of records that no teacher has seen. Defaults to 1 of all.
    """
    soft_labels = ops.softmax(teacher_logits / temperature, axis=-1)
    log_posterior = ops.log_softmax(logits / temperature, axis=-1)
    return -(temperature**2) * _mean(ops.sum(soft_labels * log_posterior, axis=-1), weights)


def soft_floor(teacher_logits, temperature, weights=None):
    """Return T^2 times the entropy of the soft labels: `soft_loss` less this is T^2 KL(teacher, student).

    Args:
        teacher_logits: (batch, classes).
        temperature: T.
        weights: as `soft_loss` takes them.
    """
    return soft_loss(teacher_logits, teacher_logits, temperature, weights)


def attention_loss(teacher_attention, attention, direction=STUDENT_TEACHER, weights=None):
    """Return the KL divergence of attention over segments.

    Args:
        teacher_attention, attention: (batch, segments), not negative, 1 together.
        direction: "student-teacher", KL(A_p, A_r), equation 10; or "teacher-student", KL(A_r, A_p), as its public
            code has it.
        weights: as `soft_loss` takes them.

    Raises:
        OptionError: if it is neither direction.
    """
    first, second = {
        STUDENT_TEACHER: (attention, teacher_attention),
        TEACHER_STUDENT: (teacher_attention, attention),
    }.get(direction) or _refuse(direction)
    least = keras.config.epsilon()
    ratio = ops.log(ops.maximum(first, least)) - ops.log(ops.maximum(second, least))
    return _mean(ops.sum(first * ratio, axis=-1), weights)


def _mean(values, weights):
    """Return the mean over all records of a batch, those of weight 0 too: every term has one weight a record."""
    return ops.mean(values if weights is None else values * weights)


def _refuse(direction):
    raise OptionError(f"direction is {STUDENT_TEACHER} or {TEACHER_STUDENT}. Received: {direction}")


class LabelCombination(keras.layers.Layer):
    """Combine the posteriors at temperature 1 and T with learned weights: w1 P_1 + w2 P_T + b.

    The result goes through a softmax once more (equation 11), so it is a softmax over probabilities, whose
    posteriors lie close together. A scalar b moves all classes alike and has no gradient; with one b a class
    it has. w1 and w2 begin with .5, b with 0.

    Args:
        temperature: T.
        per_class_bias: whether b is one number a class. Defaults to False, as published.
        **kwargs: as `keras.layers.Layer`.

    Call arguments: logits (batch, classes); the result are logits, of the same shape.
    """

    def __init__(self, temperature, per_class_bias=False, **kwargs):
        super().__init__(**kwargs)
        self.temperature, self.per_class_bias = check_temperature(temperature), per_class_bias

    def build(self, input_shape):
        """Create w1, w2 and b."""
        half = keras.initializers.Constant(0.5)
        self.w1 = self.add_weight(shape=(), initializer=half, name="w1")
        self.w2 = self.add_weight(shape=(), initializer=half, name="w2")
        shape = (input_shape[-1],) if self.per_class_bias else ()
        self.b = self.add_weight(shape=shape, initializer="zeros", name="b")

    def call(self, inputs):
        """Combine the posteriors."""
        at_t = ops.softmax(inputs / self.temperature, axis=-1)
        return self.w1 * ops.softmax(inputs, axis=-1) + self.w2 * at_t + self.b

"""The model that is trained: a student with the terms of its method, or a teacher with its own loss."""

import keras
from keras import ops

from distillation.rdpd.losses import LabelCombination, attention_loss, hard_loss, soft_floor, soft_loss
from distillation.rdpd.methods import ATTENTION, COMBINED, HARD, SOFT, STUDENT_TEACHER

LABELS, TEACHER_LOGITS, TEACHER_ATTENTION = "labels", "teacher_logits", "teacher_attention"
HAS_TEACHER = "has_teacher"
_DIVERGENCE, _ACCURACY = "soft_kl", "acc"


def build_imitation(
    network, terms, temperature=1.0, direction=STUDENT_TEACHER, per_class_bias=False, hard_temperature=1.0
):
    """Build the model that trains a network.

    Args:
        network: what `build_segment_rnn` or `build_segment_attention` returned.
        terms: of the loss, a value of `distillation.rdpd.methods.METHODS`.
        temperature: T of the soft and the combined labels. Defaults to 1.
        direction: of the attention's divergence. Defaults to "student-teacher", as published.
        per_class_bias: of the combined labels. Defaults to False, as published.
        hard_temperature: T of the hard labels; a student's is 1, the default.

    Returns:
        `Imitation` that shares the network's layers; to be compiled with an optimizer alone.
    """
    outputs = list(network.outputs)
    if COMBINED in terms:
        combination = LabelCombination(temperature, per_class_bias, dtype="float32", name="label_combination")
        outputs.append(combination(network.outputs[0]))
    model = Imitation(network.inputs[0], outputs, name="imitation")
    model.set_loss(terms, temperature, direction, hard_temperature)
    return model


class Imitation(keras.Model):
    """A functional model from records to logits, attention and, where labels are combined, combined logits.

    Its targets are a dict: "labels" (batch,), and where a teacher is imitated "teacher_logits" (batch, classes)
    and "teacher_attention" (batch, segments), which were computed once; where the teacher has not seen all records
    also "has_teacher" (batch,), 1 or 0: one without it counts in the other terms alone. It logs the loss, the accuracy
    and every term; "soft_kl" is the soft term less the entropy of the soft labels, which no student can take away.
    """

    def set_loss(self, terms, temperature, direction, hard_temperature):
        """Say what the loss is made of; see `build_imitation`."""
        self._terms, self._direction = tuple(terms), direction
        self._temperature, self._hard_temperature = temperature, hard_temperature
        logged = [_ACCURACY] if len(terms) == 1 else [_ACCURACY, *terms, _DIVERGENCE]
        self._means = {name: keras.metrics.Mean(name=name) for name in logged}

    @property
    def metrics(self):
        """The loss, and means of what it is made of."""
        return [*super().metrics, *self._means.values()]

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the sum of the terms, each of weight 1."""
        values = self.terms(y, y_pred)
        total = sum(values[name] for name in self._terms)
        labels = ops.cast(y[LABELS], "int32")
        is_right = ops.equal(ops.cast(ops.argmax(y_pred[0], axis=-1), "int32"), labels)
        values[_ACCURACY] = ops.mean(ops.cast(is_right, "float32"))
        for name, mean in self._means.items():
            mean.update_state(values[name], sample_weight=ops.shape(labels)[0])
        return total

    def terms(self, y, y_pred):
        """Return dict name -> scalar tensor of every term of a batch.

        Args:
            y: targets.
            y_pred: outputs of the model.
        """
        (logits, attention, *combined), labels, values = y_pred, y[LABELS], {}
        weights = y.get(HAS_TEACHER)
        for term in self._terms:
            if term == HARD:
                values[term] = hard_loss(labels, logits, self._hard_temperature)
            elif term == SOFT:
                values[term] = soft_loss(y[TEACHER_LOGITS], logits, self._temperature, weights)
                values[_DIVERGENCE] = values[term] - soft_floor(y[TEACHER_LOGITS], self._temperature, weights)
            elif term == ATTENTION:
                values[term] = attention_loss(y[TEACHER_ATTENTION], attention, self._direction, weights)
            else:
                values[term] = hard_loss(labels, combined[0])
        return values

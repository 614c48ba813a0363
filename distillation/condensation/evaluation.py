"""How well fresh networks do that saw nothing but a handful of examples."""

import dataclasses

import numpy as np
import tensorflow as tf

from distillation.condensation.network_training import BATCH, NetworkTrainer
from distillation.condensation.networks import default_scheme, draw_weights
from distillation.condensation.siamese_augmentation import NO_AUGMENTATION
from distillation.condensation.streams import CHOICE, EVALUATION, ORDER, stream
from transplant.evaluation.metrics import macro_f1, roc_auc

_MOST_TO_CHOOSE_BY = 2000  # looks at more cost more than the training on a few examples


@dataclasses.dataclass(frozen=True)
class TrainingRecipe:
    """How a fresh network is trained on a set.

    Attributes:
        epochs: at most.
        rate, momentum, weight_decay: of gradient descent; the rate is a tenth in the second half.
        augmentation: `SiameseAugmentation`, or `NO_AUGMENTATION`.
        looks: how often validation is looked at, once an epoch at most; the best look is kept.

    Source: the evaluation of Zhao et al. (2021): 300 epochs (1,000 with augmentation), rate .01, momentum .9,
    decay 5e-4. Its code takes the last epoch; early stopping on validation is ours.
    """

    epochs: int = 300
    rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-4
    augmentation: object = NO_AUGMENTATION
    looks: int = 20

    def __post_init__(self):
        object.__setattr__(self, "looks", min(self.looks, self.epochs))

    def __str__(self):
        kind = "not augmented" if self.augmentation is NO_AUGMENTATION else "augmented"
        return (
            f"gradient descent of {self.rate:g}, a tenth of it in the second half, momentum {self.momentum:g}, decay "
            f"{self.weight_decay:g}, {self.epochs} epochs on small sets, {kind}; the best of {self.looks} looks at "
            "validation (at most 2,000 records of it) is kept"
        )


@dataclasses.dataclass(frozen=True)
class Examples:
    """Inputs and truth of a part: x float32 (records, *shape), y int64 (records,)."""

    x: np.ndarray
    y: np.ndarray


def choosing_examples(x, y, seed):
    """Return the `Examples` that epochs are chosen by: all of validation, of a large one 2,000 drawn at random.

    Args:
        x: standardised validation records.
        y: class indices.
        seed: of the draw.
    """
    if len(y) <= _MOST_TO_CHOOSE_BY:
        return Examples(x, y)
    rows = np.random.default_rng(stream(seed, CHOICE)).choice(len(y), _MOST_TO_CHOOSE_BY, replace=False)
    return Examples(x[rows], y[rows])


def predict(model, x):
    """Return probabilities (records, classes) of a network, batch by batch; where they are no numbers, a guess."""
    rows = []
    for first in range(0, len(x), 4 * BATCH):
        rows.append(tf.nn.softmax(_forward(model, x[first : first + 4 * BATCH])).numpy())
    found = np.concatenate(rows)
    return np.where(np.isfinite(found).all(axis=1, keepdims=True), found, np.float32(1 / found.shape[1]))


def is_guess(probabilities):
    """Return whether probabilities are all alike: of a network that has diverged."""
    return bool(np.ptp(probabilities) == 0)


def _forward(model, x):
    return model(tf.convert_to_tensor(x, tf.float32), training=False)


def main_measure(n_classes):
    """Return (key, name) of what sets are chosen and judged by: AUROC of two classes, macro-F1 of more."""
    return ("roc_auc", "AUROC") if n_classes == 2 else ("macro_f1", "macro-F1")


def score(y, probabilities):
    """Return what validation chooses by: AUROC of two classes, macro-F1 of more; a loss breaks ties."""
    n_classes = probabilities.shape[1]
    main = roc_auc(y, probabilities) if n_classes == 2 else macro_f1(y, probabilities.argmax(axis=1), n_classes)
    loss = -np.log(np.maximum(probabilities[np.arange(len(y)), y], 1e-12)).mean()
    return (0.0 if main is None else main, -loss)


class Evaluator:
    """Trains one architecture on sets, from fresh weights each time.

    Args:
        model: network, built.
        recipe: `TrainingRecipe`.
        validation: `Examples` that choose the epoch.
        seed: of weights and orders.
        scheme: how weights are drawn. Defaults to the network's own, see `default_scheme`.
        purpose: of the random streams, see `streams`. Defaults to that of an evaluation.
    """

    def __init__(self, model, recipe, validation, seed, scheme=None, purpose=EVALUATION):
        self._model, self._recipe, self._validation, self._seed = model, recipe, validation, seed
        self._scheme, self._purpose = scheme or default_scheme(model.name), purpose
        self._trainer = NetworkTrainer(model, recipe.rate, recipe.momentum, recipe.weight_decay, recipe.augmentation)

    def probabilities(self, x, targets, test, number):
        """Train on a set and predict.

        Args:
            x, targets: examples and label probabilities.
            test: float32 (records, *shape) to predict.
            number: which fresh network, from 0.

        Returns:
            float32 (records, classes), of the epoch that is best on validation.
        """
        draw_weights(self._model, stream(self._seed, self._purpose, number), self._scheme)
        self._trainer.reset()
        rng = np.random.default_rng(stream(self._seed, ORDER, self._purpose, number))
        x, targets = tf.convert_to_tensor(x, tf.float32), tf.convert_to_tensor(targets, tf.float32)
        best, weights = None, None
        for look in range(self._recipe.looks):
            first, last = (self._recipe.epochs * step // self._recipe.looks for step in (look, look + 1))
            self._trainer.rate.assign(self._recipe.rate * (1.0 if 2 * look < self._recipe.looks else 0.1))
            self._trainer.train(x, targets, last - first, rng)
            found = score(self._validation.y, predict(self._model, self._validation.x))
            if best is None or found > best:
                best, weights = found, self._model.get_weights()
        self._model.set_weights(weights)
        return predict(self._model, test)


def follow_steps(model, distilled, weights_seed, scheme):
    """Train a network by a vanilla set's own steps and rates, once through.

    Args:
        model: network, built.
        distilled: `DistilledSet` with rates.
        weights_seed: seed of its first weights.
        scheme: how they are drawn.
    """
    draw_weights(model, weights_seed, scheme)
    trainer = NetworkTrainer(model, 0.0, training=False)  # as the steps were learned
    steps = int(distilled.step.max()) + 1
    for number, rate in enumerate(distilled.rates):
        rows = distilled.step == number % steps
        trainer.rate.assign(rate)
        trainer.step(distilled.x[rows], distilled.targets[rows])

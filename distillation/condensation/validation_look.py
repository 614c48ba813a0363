"""How good the examples of a running distillation are, on validation; nothing is chosen by it."""

import functools

from distillation.condensation.evaluation import (
    Evaluator,
    TrainingRecipe,
    choosing_examples,
    follow_steps,
    main_measure,
    predict,
    score,
)
from distillation.condensation.streams import LOOK, WEIGHTS, stream

LOOK_EPOCHS = 100


class ValidationLook:
    """Scores examples by one fresh network: shortly trained, or after a vanilla set's own steps.

    Args:
        model: network, built.
        problem: `Problem`.
        options: `MethodOptions`: seed, scheme, and of vanilla init.
        augmentation: `SiameseAugmentation` of the method, or none.

    Attributes:
        measure: name of the score.
    """

    def __init__(self, model, problem, options, augmentation):
        self.measure = main_measure(model.output_shape[-1])[1]
        self._model, self._options, self._augmentation = model, options, augmentation
        self._validation = choosing_examples(problem.inputs("validation"), problem.validation.y, options.seed)

    @functools.cached_property
    def _evaluator(self):
        recipe, options = TrainingRecipe(LOOK_EPOCHS, augmentation=self._augmentation, looks=5), self._options
        return Evaluator(self._model, recipe, self._validation, options.seed, options.scheme, LOOK)

    def __call__(self, distilled):
        """Return the score of a `DistilledSet`."""
        if distilled.is_ordered:
            seed = stream(self._options.seed, *((WEIGHTS,) if self._options.init == "fixed" else (LOOK, 0)))
            follow_steps(self._model, distilled, seed, self._options.scheme)
            found = predict(self._model, self._validation.x)
        else:
            found = self._evaluator.probabilities(distilled.x, distilled.targets, self._validation.x, 0)
        return score(self._validation.y, found)[0]

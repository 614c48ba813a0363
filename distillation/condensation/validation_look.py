"""How good the examples of a running distillation are, on validation; nothing is chosen by it."""

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
        self._model, self._options = model, options
        self._validation = choosing_examples(problem.inputs("validation"), problem.validation.y, options.seed)
        recipe = TrainingRecipe(LOOK_EPOCHS, augmentation=augmentation, looks=5)
        self._evaluator = Evaluator(model, recipe, self._validation, options.seed, options.scheme, LOOK)

    def __call__(self, distilled):
        """Return the score of a `DistilledSet`."""
        if distilled.is_ordered:
            seed = stream(self._options.seed, *((WEIGHTS,) if self._options.init == "fixed" else (LOOK, 0)))
            follow_steps(self._model, distilled, seed, self._options.scheme)
            found = predict(self._model, self._validation.x)
        else:
            found = self._evaluator.probabilities(distilled.x, distilled.targets, self._validation.x, 0)
        return score(self._validation.y, found)[0]

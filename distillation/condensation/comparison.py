"""A distilled set against real examples of the same number and against the whole set."""

import dataclasses

import numpy as np

from distillation.condensation.classifiers import classifier_probabilities
from distillation.condensation.coresets import choose_coreset
from distillation.condensation.evaluation import (
    Evaluator,
    Examples,
    TrainingRecipe,
    choosing_examples,
    follow_steps,
    is_guess,
    main_measure,
    predict,
)
from distillation.condensation.network_training import BATCH
from distillation.condensation.networks import build_judge, build_network
from distillation.condensation.real_examples import RealExamples
from distillation.condensation.siamese_augmentation import SiameseAugmentation
from distillation.condensation.streams import OWN_STEPS, WEIGHTS, stream
from transplant.evaluation.network_means import difference_of_means, draw_scores, intervals_of_means
from transplant.evaluation.report import difference_with_interval, fixed_width, with_spread

DISTILLED, RANDOM, WHOLE = "distilled", "random", "whole set"
BY_OWN_STEPS = "own steps"
_SEEDS_APART = 2**33  # no seed of a command line is another one's random set
_MOST_FOR_BOOSTING = 5000
_FEWEST_WHOLE_UPDATES = 1000  # gradient steps on the whole set, whose epochs are longer


@dataclasses.dataclass(frozen=True)
class Row:
    """What one kind of training on one set gave.

    Attributes:
        learner: network or classifier.
        trained_on: "distilled", "random" or "whole set".
        probabilities: list of (records, classes), one a network.
        how: what is special about the training. Defaults to nothing.
    """

    learner: str
    trained_on: str
    probabilities: list
    how: str = ""


class Comparison:
    """Trains learners on a distilled set, on random sets of its size and on the whole set.

    Args:
        distilled: `DistilledSet`.
        problem: `Problem`.
        n_networks: fresh networks of each architecture; each has a random set of its own.
        seed: of the evaluation.
        epochs: of a network on a small set. Defaults to 300, augmented 1,000.
        augment: whether all that networks are trained on is augmented. Defaults to None: as it was distilled.
        log: function that takes a line.

    Attributes:
        distilled, problem: as given.
        recipe: `TrainingRecipe` of networks on a small set.
        notes: what a reader of the scores must know, a line each.
    """

    def __init__(self, distilled, problem, n_networks, seed, epochs=None, augment=None, log=print):
        self.distilled, self.problem = distilled, problem
        self._seed, self._log = seed, log
        self._n_networks = n_networks
        if distilled.provenance["options"].get("augment") if augment is None else augment:
            self.recipe = TrainingRecipe(epochs or 1000, augmentation=SiameseAugmentation.of(distilled))
        else:
            self.recipe = TrainingRecipe(epochs or 300)
        self._real = RealExamples.of(problem)
        self._test = Examples(problem.inputs("test"), problem.test.y)
        self._validation = choosing_examples(problem.inputs("validation"), problem.validation.y, seed)
        self._per_class = len(distilled) // len(distilled.classes)
        fewest = min(len(self._real.rows_of(label)) for label in range(self._real.n_classes))
        self.notes = []
        if self._per_class > fewest:
            self.notes.append(
                f"the rarest class has {fewest} real examples: random sets have as many of each, not "
                f"{self._per_class}, and are smaller than the distilled one"
            )
            log(self.notes[0])
            self._per_class = fewest

    def network_rows(self, arch, width=None, with_whole=True):
        """Return the `Row`s of an architecture.

        Args:
            arch: a name of `JUDGES`.
            width: of a ConvNet. Defaults to None: its own for such examples.
            with_whole: whether networks are trained on the whole set too. Defaults to True.
        """
        shape, n_classes = self.distilled.input_shape, len(self.distilled.classes)
        model = build_judge(arch, shape, n_classes, width)
        rows = [
            Row(arch, DISTILLED, self._networks(model, lambda number: self._own())),
            Row(arch, RANDOM, self._networks(model, self._random)),
        ]
        if with_whole:
            epochs = self.whole_epochs
            recipe = dataclasses.replace(self.recipe, epochs=epochs, looks=TrainingRecipe.looks)
            rows.append(Row(arch, WHOLE, self._networks(model, lambda number: self._whole(), recipe)))
        return rows

    def own_steps_row(self):
        """Return the `Row` of a vanilla set's own steps and rates in its own network."""
        origin = self.distilled.provenance
        arch, options = origin["arch"], origin["options"]
        model = build_network(arch, self.distilled.input_shape, len(self.distilled.classes), origin["width"])
        fixed = options["init"] == "fixed"
        found = []
        for number in range(1 if fixed else self._n_networks):
            seed = stream(options["seed"], WEIGHTS) if fixed else stream(self._seed, OWN_STEPS, number)
            follow_steps(model, self.distilled, seed, options["scheme"])
            found.append(predict(model, self._test.x))
        self._log(f"{arch}, {BY_OWN_STEPS}: {len(found)} network{'s' if len(found) > 1 else ''}")
        self._note_guesses(found, f"{arch}, {BY_OWN_STEPS}")
        return Row(arch, DISTILLED, found, BY_OWN_STEPS)

    @property
    def whole_epochs(self):
        """Epochs on the whole set: as many updates as on the small set, and no fewer than a thousand."""
        updates = max(_FEWEST_WHOLE_UPDATES, self.recipe.epochs * -(-len(self.distilled) // BATCH))
        return max(1, round(updates / -(-len(self._real.y) // BATCH)))

    def classifier_rows(self, name, with_whole=True):
        """Return the `Row`s of a classifier of scikit-learn."""
        sets = {
            DISTILLED: [self._own()],
            RANDOM: [self._random(number) for number in range(self._n_networks)],
        }
        limit = _MOST_FOR_BOOSTING if name == "gradient-boosting" and len(self._real.y) > _MOST_FOR_BOOSTING else None
        if limit and with_whole:
            self._log(f"{name}: of the whole set {limit:,} records drawn at random")
        if with_whole:
            sets[WHOLE] = [self._whole()]
        found = [
            Row(
                name,
                trained_on,
                [
                    classifier_probabilities(name, x, targets, self._test.x, (self._seed + number) % 2**32, limit)
                    for number, (x, targets) in enumerate(examples)
                ],
            )
            for trained_on, examples in sets.items()
        ]
        self._log(f"{name}: trained on {', '.join(sets)}")
        return found

    def _own(self):
        return self.distilled.x, self.distilled.targets

    def _random(self, number):
        rows = choose_coreset("random", self._real, self._per_class, self._seed + _SEEDS_APART * (number + 1))
        return self._real.x[rows], self._one_hot(self._real.y[rows])

    def _whole(self):
        return self._real.x, self._one_hot(self._real.y)

    def _one_hot(self, y):
        return np.eye(self._real.n_classes, dtype=np.float32)[y]

    def _networks(self, model, examples_of, recipe=None):
        evaluator = Evaluator(model, recipe or self.recipe, self._validation, self._seed)
        found = []
        for number in range(self._n_networks):
            x, targets = examples_of(number)
            found.append(evaluator.probabilities(x, targets, self._test.x, number))
        name = DISTILLED if x is self.distilled.x else "real"
        learner = f"{model.name}: {self._n_networks} networks on {len(x):,} {name} examples"
        self._log(learner)
        self._note_guesses(found, learner)
        return found

    def _note_guesses(self, found, learner):
        if guesses := sum(map(is_guess, found)):
            self.notes.append(f"{learner}: {guesses} diverged and count{'s' * (guesses == 1)} as guessing")
            self._log(self.notes[-1])


def summarise(rows, y, groups, test_rows=None):
    """Return what is reported: the scores of each row, and paired differences to random sets and to the whole set.

    Args:
        rows: list of `Row`.
        y: class indices of the test records.
        groups: their patients or recordings.
        test_rows: the records that count. Defaults to all.

    Returns:
        list of dicts: learner, trained_on, networks, and of each score what `intervals_of_means` returns; for
        distilled rows also "above", dict of "random" and "whole set" -> what `difference_of_means` returns, of
        those that the learner was trained on.
    """
    test_rows = np.arange(len(y)) if test_rows is None else test_rows
    truth, groups = y[test_rows], np.asarray(groups)[test_rows]
    groups = None if len(set(groups.tolist())) == len(groups) else groups
    scores = [draw_scores(truth, [found[test_rows] for found in row.probabilities], groups) for row in rows]
    real = {(row.learner, row.trained_on): of_row for row, of_row in zip(rows, scores) if row.trained_on != DISTILLED}
    found = []
    for row, of_row in zip(rows, scores):
        name_of_row = ", ".join(filter(None, (row.learner, row.how)))
        entry = {"learner": name_of_row, "trained_on": row.trained_on, "networks": len(row.probabilities)}
        entry |= intervals_of_means(of_row)
        others = [kind for kind in (RANDOM, WHOLE) if row.trained_on == DISTILLED and (row.learner, kind) in real]
        for kind in others:
            for name, difference in difference_of_means(real[row.learner, kind], of_row).items():
                entry[name].setdefault("above", {})[kind] = difference
        found.append(entry)
    return found


def table(summary, n_classes):
    """Return the summary as lines of text in columns."""
    names = {"accuracy": "accuracy", "macro_f1": "macro-F1", "roc_auc": "AUROC", "pr_auc": "AUPRC"}
    main, name_of_main = main_measure(n_classes)
    kinds = [kind for kind in (RANDOM, WHOLE) if any(kind in entry[main].get("above", {}) for entry in summary)]
    lines = [["", "trained on", "networks", *names.values(), *(f"{name_of_main} above {kind}" for kind in kinds)]]
    for entry in summary:
        cells = [with_spread(entry[name]) for name in names]
        above = [difference_with_interval(entry[main].get("above", {}).get(kind)) for kind in kinds]
        lines.append([entry["learner"], entry["trained_on"], str(entry["networks"]), *cells, *above])
    return fixed_width(lines)

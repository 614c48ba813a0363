"""A distillation from the real data to the distilled file; reads top to bottom."""

import dataclasses
import importlib

import numpy as np
import pandas as pd

from distillation.condensation.checkpoint import CHECKPOINT, restore_checkpoint, save_checkpoint
from distillation.condensation.coresets import choose_coreset
from distillation.condensation.distilled_set import DistilledSet
from distillation.condensation.evaluation import (
    Evaluator,
    TrainingRecipe,
    choosing_examples,
    follow_steps,
    predict,
    score,
)
from distillation.condensation.icu_table import write_table
from distillation.condensation.methods import get_method
from distillation.condensation.networks import build_network, default_arch, default_scheme, default_width
from distillation.condensation.plots import draw_distillation
from distillation.condensation.problem import load_problem
from distillation.condensation.siamese_augmentation import NO_AUGMENTATION, SiameseAugmentation
from distillation.condensation.streams import LOOK, WEIGHTS, stream
from distillation.condensation.synthetic_set import SyntheticSet, check_numbers
from transplant.atomic import atomic_path
from transplant.errors import JobError
from transplant.training.description import collect_versions
from transplant.training.progress import Progress
from transplant.training.runtime import seed_everything

DISTILLED, TABLE = "distilled.npz", "distilled.csv"
LOOK_EPOCHS = 100


def distil(args, options, job, log=print):
    """Distil a set and leave it, its history and its figures in the job folder.

    Args:
        args: options of `distillation.condensation.trainer`.
        options: `MethodOptions` of the method.
        job: job folder.
        log: function that takes a line.

    Returns:
        The `DistilledSet`.
    """
    seed_everything(options.seed)
    method = get_method(args.method)
    problem = load_problem(args, log)
    real = problem.real()
    arch = args.arch or default_arch(problem.train.input_shape)
    width = args.width or default_width(arch, problem.train.input_shape)
    provenance = _provenance(args, options, problem, arch, width)
    if method.is_coreset:
        rows = choose_coreset(method.name, real, options.ipc, options.seed)
        distilled = _distilled(problem, real.x[rows], real.y[rows], None, provenance)
        _save(distilled, job)
        draw_distillation(job, distilled, problem, pd.DataFrame())
        log(f"{job / DISTILLED}: {len(distilled)} real examples")
        return distilled

    model = build_network(arch, problem.train.input_shape, real.n_classes, width, options.xla)
    options = dataclasses.replace(options, scheme=options.scheme or default_scheme(arch))
    provenance["options"]["scheme"] = options.scheme
    is_vanilla = method.name == "vanilla"
    copies = options.distill_steps if is_vanilla else 1
    synthetic = SyntheticSet.begin(
        real, options.ipc // copies, options.start, options.seed, options.soft_labels, copies
    )
    constraint = problem.constraint(options)
    constraint.apply(synthetic.x)
    augmentation = SiameseAugmentation.of(problem.train) if options.augment else NO_AUGMENTATION
    others = {} if is_vanilla else {"augmentation": augmentation}
    build = getattr(importlib.import_module(method.module), method.function)
    run = build(real, synthetic, model, constraint, options, **others)
    if not args.resume and (job / CHECKPOINT).exists():
        raise JobError(f"{job / CHECKPOINT}: a checkpoint of another run is there; choose another --job-dir")
    finished, history = restore_checkpoint(job, run.variables())
    if finished > options.iterations:
        raise JobError(
            f"{job / CHECKPOINT}: {finished} iterations are done, of {options.iterations} that were asked for"
        )
    if finished:
        log(f"going on after iteration {finished}")

    def current():
        rates = run.rates.values().numpy() if is_vanilla else np.zeros(0)
        step = np.arange(len(synthetic.y)) // (options.ipc // copies * real.n_classes)
        learned = synthetic.targets().numpy() if options.soft_labels else None
        return _distilled(problem, synthetic.x.numpy(), synthetic.y, learned, provenance, rates, step)

    recipe = TrainingRecipe(LOOK_EPOCHS, augmentation=augmentation, looks=5)
    validation = choosing_examples(problem.inputs("validation"), problem.validation.y, options.seed)
    look = _Look(model, recipe, validation, options, is_vanilla)
    first, progress = finished, Progress(options.iterations - finished, "iterations")
    log(f"{method.name}: {len(synthetic.y)} examples of {arch}, {model.count_params():,} parameters")
    for iteration in range(finished + 1, options.iterations + 1):
        losses = run.step(iteration)
        for name, value in losses.items():
            check_numbers(name, value, iteration)
        check_numbers("the examples", synthetic.x, iteration)
        history.append({"iteration": iteration, **losses})
        if iteration < options.iterations:  # the last one has a line of its own
            progress.step(f"loss {losses['loss']:.4g}")
        if iteration % args.look_every == 0 or iteration == options.iterations:
            distilled = current()
            history[-1]["val_score"] = look(distilled)
            save_checkpoint(job, iteration, run.variables(), history)
            _write_history(job, history)
            draw_distillation(job, distilled, problem, pd.DataFrame(history))
            progress.clear()
            log(
                f"iteration {iteration}/{options.iterations}: loss {history[-1]['loss']:.4g}, "
                f"{look.name} of validation {history[-1]['val_score']:.4f}"
            )
    distilled = current()
    if first == options.iterations:
        # It was killed after its last checkpoint, perhaps before these.
        _write_history(job, history)
        draw_distillation(job, distilled, problem, pd.DataFrame(history))
    _save(distilled, job)
    log(f"wrote {job / DISTILLED}: {len(distilled)} examples, {options.ipc} a class")
    return distilled


class _Look:
    """Scores the examples as they are by one fresh network, shortly trained, on validation; nothing is chosen by it."""

    def __init__(self, model, recipe, validation, options, is_vanilla):
        self.name = "AUROC" if model.output_shape[-1] == 2 else "macro-F1"
        self._model, self._options, self._is_vanilla = model, options, is_vanilla
        self._validation = validation
        self._evaluator = (
            None if is_vanilla else Evaluator(model, recipe, validation, options.seed, options.scheme, LOOK)
        )

    def __call__(self, distilled):
        if self._is_vanilla:
            seed = stream(self._options.seed, *((WEIGHTS,) if self._options.init == "fixed" else (LOOK, 0)))
            follow_steps(self._model, distilled, seed, self._options.scheme)
            found = predict(self._model, self._validation.x)
        else:
            found = self._evaluator.probabilities(distilled.x, distilled.targets, self._validation.x, 0)
        return score(self._validation.y, found)[0]


def _distilled(problem, x, y, targets, provenance, rates=(), step=None):
    data = problem.train
    one_hot = np.eye(len(data.classes), dtype=np.float32)[y]
    return DistilledSet(
        x=x,
        y=y,
        targets=one_hot if targets is None else targets,
        rates=np.asarray(rates, np.float32),
        step=np.zeros(len(y), np.int64) if step is None else step,
        classes=data.classes,
        leads=data.leads,
        indicators=data.indicators,
        unit=data.unit,
        sampling_rate_hz=data.sampling_rate_hz,
        normalization=problem.normalization,
        provenance=provenance,
    )


def _provenance(args, options, problem, arch, width):
    return {
        "method": args.method,
        "arch": arch,
        "width": width,
        "options": dataclasses.asdict(options),
        "data": {name: getattr(args, name) for name in vars(args) if name not in ("job_dir", "resume")},
        "dataset": problem.train.dataset,
        "label_version": problem.train.label_version,
        "fingerprints": {part: getattr(problem, part).fingerprint() for part in ("train", "validation", "test")},
        "versions": collect_versions(),
    }


def _save(distilled, job):
    """Write the set, and a table in the source's units where its examples are hourly tables."""
    distilled.save(job / DISTILLED)
    rate = distilled.sampling_rate_hz
    if rate is not None and rate < 1 and len(distilled.leads) > 1:
        write_table(distilled, job / TABLE)


def _write_history(job, history):
    with atomic_path(job / "history.csv") as temporary:
        pd.DataFrame(history).to_csv(temporary, index=False)

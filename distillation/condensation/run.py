"""A distillation from the real data to the distilled file; reads top to bottom."""

import contextlib
import dataclasses
import importlib

import numpy as np
import pandas as pd

from distillation.condensation.advice import advice
from distillation.condensation.checkpoint import CHECKPOINT, restore_checkpoint, save_checkpoint
from distillation.condensation.constraints import Constraint
from distillation.condensation.coresets import choose_coreset
from distillation.condensation.distilled_set import DISTILLED, EVALUATION, DistilledSet
from distillation.condensation.icu_table import write_table
from distillation.condensation.methods import get_method
from distillation.condensation.networks import build_network, default_arch, default_scheme, default_width
from distillation.condensation.plots import draw_distillation
from distillation.condensation.real_examples import RealExamples
from distillation.condensation.siamese_augmentation import NO_AUGMENTATION, SiameseAugmentation
from distillation.condensation.synthetic_set import SyntheticSet, check_numbers
from distillation.condensation.twice_differentiable import GRAPH, XLA
from distillation.condensation.validation_look import ValidationLook
from distillation.data_options import data_options
from distillation.problem import load_problem
from transplant.atomic import atomic_path
from transplant.errors import JobError
from transplant.native_silence import native_silence
from transplant.training.description import collect_versions
from transplant.training.progress import Progress
from transplant.training.repeatable_graphs import graphs_as_traced
from transplant.training.runtime import seed_everything

TABLE = "distilled.csv"
_VANILLA = "vanilla"
_LEARNED = {"x": "the examples", "soft_labels": "the labels", "raw_rates": "the learning rates"}


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
    method, problem = get_method(args.method), load_problem(args, log)
    shape, real = problem.train.input_shape, RealExamples.of(problem)
    for label in range(real.n_classes):
        real.rows_for(label, options.ipc)
    arch = args.arch or default_arch(shape)
    width = args.width or default_width(arch, shape)
    if not method.is_coreset:
        options = dataclasses.replace(options, scheme=options.scheme or default_scheme(arch))
    provenance = _provenance(args, options, problem, arch, width)
    if method.is_coreset:
        rows = choose_coreset(method.name, real, options.ipc, options.seed)
        distilled, history = _distilled(problem, provenance, real.x[rows], real.y[rows]), []
    else:
        model = build_network(arch, shape, real.n_classes, width, XLA if options.xla else GRAPH)
        with graphs_as_traced():
            distilled, history = _learn(args, options, problem, real, model, provenance, job, log)
    _save(distilled, job)
    _leave_course(job, distilled, problem, history)
    log(f"wrote {job / DISTILLED}: {len(distilled)} examples, {options.ipc} a class")
    for line in [] if method.is_coreset else advice(distilled.x, problem.inputs("train"), history, options.start):
        log(line)
    return distilled


def _learn(args, options, problem, real, model, provenance, job, log):
    """Run a method that learns examples, from the job's checkpoint where there is one; return them and the history."""
    run, current, augmentation = _begin(options, problem, real, model, provenance, log)
    if not args.resume and (job / CHECKPOINT).exists():
        raise JobError(f"{job / CHECKPOINT}: a checkpoint of another run is there; choose another --job-dir")
    records = provenance["fingerprints"]
    variables = run.variables()
    finished, history = restore_checkpoint(job, variables, records)
    total = options.iterations
    if finished > total:
        raise JobError(f"{job / CHECKPOINT}: {finished} iterations are done, of {total} that were asked for")
    if finished:
        log(f"going on after iteration {finished}")
        if finished < total and (job / EVALUATION).exists():
            log(f"{EVALUATION} there is of the examples so far: judge the new ones again")
    look = ValidationLook(model, problem, options, augmentation)
    log(f"{args.method}: {len(current())} examples of {model.name}, {model.count_params():,} parameters")
    progress = Progress(total - finished, "iterations")
    for iteration in range(finished + 1, total + 1):
        # Of operations on whole numbers in a graph that is traced oneDNN says that it leaves them to others.
        with native_silence() if iteration == finished + 1 else contextlib.nullcontext():
            losses = run.step(iteration)
        for name, value in losses.items():
            check_numbers(name, value, iteration)
        for key, name in _LEARNED.items():
            if key in variables:
                check_numbers(name, variables[key], iteration)
        history.append({"iteration": iteration, **losses})
        is_look = iteration % args.look_every == 0 or iteration == total
        progress.step(f"loss {losses['loss']:.4g}", shown=not is_look)  # a look has a line of its own
        if not is_look:
            continue
        distilled = current()
        history[-1]["val_score"] = look(distilled)
        save_checkpoint(job, iteration, variables, history, records)
        if iteration < total:
            _leave_course(job, distilled, problem, history)
        progress.clear()
        log(
            f"iteration {iteration}/{total}, {progress.times()}: loss {losses['loss']:.4g}, "
            f"{look.measure} of validation {history[-1]['val_score']:.4f}"
        )
    return current(), history


def _begin(options, problem, real, model, provenance, log):
    """Return the run of the method, a function that returns its `DistilledSet` of now, and the augmentation."""
    method = get_method(provenance["method"])
    is_vanilla = method.name == _VANILLA
    copies = options.distill_steps if is_vanilla else 1
    of_step = options.ipc // copies
    synthetic = SyntheticSet.begin(real, of_step, options.start, options.seed, options.soft_labels, copies)
    constraint = Constraint.of(problem.train, problem.inputs("train"), options.keep_range, options.clamp)
    if options.clamp and (cut := constraint.share_outside(real.x)):
        log(f"--clamp {options.clamp[0]:g} {options.clamp[1]:g} cuts off {cut:.1%} of the real values")
    constraint.apply(synthetic.x)
    augmentation = SiameseAugmentation.of(problem.train) if options.augment else NO_AUGMENTATION
    others = {} if is_vanilla else {"augmentation": augmentation}
    build = getattr(importlib.import_module(method.module), method.function)
    run = build(real, synthetic, model, constraint, options, **others)

    def current():
        rates = run.rates.values().numpy() if is_vanilla else ()
        step = np.arange(len(synthetic.y)) // (of_step * real.n_classes)
        targets = synthetic.targets().numpy() if options.soft_labels else None
        return _distilled(problem, provenance, synthetic.x.numpy(), synthetic.y, targets, rates, step)

    return run, current, augmentation


def _distilled(problem, provenance, x, y, targets=None, rates=(), step=None):
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
        "data": data_options(args),
        "dataset": problem.train.dataset,
        "label_version": problem.train.label_version,
        "fingerprints": problem.fingerprints(),
        "versions": collect_versions(),
    }


def _save(distilled, job):
    """Write the set, and a table in the source's units where its examples are hourly tables."""
    distilled.save(job / DISTILLED)
    rate = distilled.sampling_rate_hz
    if rate is not None and rate < 1 and len(distilled.leads) > 1:
        write_table(distilled, job / TABLE)


def _leave_course(job, distilled, problem, history):
    """Write the history of a run that has one, and draw its figures."""
    history = pd.DataFrame(history)
    if len(history):
        with atomic_path(job / "history.csv") as temporary:
            history.to_csv(temporary, index=False)
    draw_distillation(job, distilled, problem, history)

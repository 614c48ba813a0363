"""The pretraining run itself, from the store to the backbone; reads top to bottom."""

import pathlib

import numpy as np
import pandas as pd

from pretraining.data import (
    choose_normalization,
    choose_patients,
    coverage,
    lead_names,
    open_training_store,
    patient_share,
    split_patients,
    without_patients,
)
from pretraining.sampler import FrameSampler, Sampling
from pretraining.streams import frame_dataset, own_errors, usable_patients, window_dataset
from pretraining.validation import ValidationSet, validation_settings
from transplant.datasets.icentia11k import ds_beat_names
from transplant.errors import OptionError
from transplant.evaluation.plots import plot_frame, plot_learning_curves
from transplant.modules.registry import build_backbone, choose_spectrogram, get_architecture
from transplant.tasks.task import get_task, task_options
from transplant.training.checkpoint import checkpoint_folders
from transplant.training.description import ModelDescription
from transplant.training.distribution import batch_norm_kind, check_batch_size, training_strategy
from transplant.training.loop import BEST_WEIGHTS, Plan, monitored_column, run_plan
from transplant.training.optimization import OptimizerSettings, build_optimizer
from transplant.training.runtime import precision, seed_everything
from transplant.training.transfer import find_weights, transfer_backbone
from transplant.training.weights import assign_weights, read_weights, save_weights

BACKBONE = "backbone.npz"


def run_pretraining(args, job, log=print):
    """Pretrain and leave weights, history and plots in the job folder.

    Args:
        args: options of `pretraining.trainer`.
        job: job folder.
        log: function that takes a line.

    Returns:
        The final `Progression`.
    """
    seed_everything(args.seed)
    task = get_task(args.task)
    task.check(args)
    strategy = training_strategy(args.devices)
    check_batch_size(strategy, args.batch_size)
    spectrogram = choose_spectrogram(args.arch, args.spectrogram, args.bins)
    _check_options(args, task)
    workers = args.data_parallelism
    with own_errors(), open_training_store(args.train, job, args.patient_ids, args.seed, workers, log) as store:
        return _pretrain(args, task, strategy, spectrogram, store, job, log)


def _pretrain(args, task, strategy, spectrogram, store, job, log):
    train, held_out, validation = _divide_patients(args, task, store, log)
    normalization = choose_normalization(args.normalization, store, train)
    log(f"normalisation: {normalization}")
    if spectrogram:
        log(f"spectrogram: {spectrogram}")
    log(coverage(len(train), args.samples_per_patient, args.epochs, args.batch_size, args.steps_per_epoch))

    def windows(patients, seed, steps, first_step=0, samples=args.samples_per_patient, draw=frame_dataset):
        return draw(
            store, patients, task, args, normalization, args.batch_size, samples, seed, steps, first_step=first_step
        )

    def first_labels():
        return np.concatenate([labels.numpy() for _, labels in windows(train, args.seed, 8, draw=window_dataset)])

    if labels := task.describe_labels(first_labels):
        log(labels)
    if held_out:
        validation = _draw_validation(args, task, store, held_out, normalization, windows)
    validation = validation and validation.normalized_as(normalization)

    description = ModelDescription(
        architecture=args.arch,
        stages=args.stages or get_architecture(args.arch).stages,
        leads=lead_names(train),
        sampling_rate_hz=store.sampling_rate_hz,
        unit="mV",
        normalization=normalization,
        input_length=args.frame_size,
        task=task.name,
        classes=task.classes(args),
        data={
            "name": store.name,
            "fingerprint": store.fingerprint,
            "training_patients": [p.patient for p in train],
            "validation_patients": validation.patients if validation else [],
            "validation_windows": validation.digest() if validation else None,
            "task_options": task_options(task, args),
        },
        seed=args.seed,
        spectrogram=spectrogram and spectrogram.to_dict(),
    )
    settings = OptimizerSettings.from_options(args)
    with strategy.scope(), precision(args.mixed_precision):
        backbone = build_backbone(
            args.arch,
            stages=args.stages,
            leads=store.n_leads,
            seed=args.seed,
            batch_norm=batch_norm_kind(strategy),
            spectrogram=spectrogram,
        )
        model = task.build_model(backbone, args, store.n_leads, args.seed)
        model.compile(
            # The paper's optimiser for pretraining.
            build_optimizer(settings, args.epochs * args.steps_per_epoch, beta_1=0.9, beta_2=0.98, epsilon=1e-9),
            task.loss(),
            metrics=task.metrics(),
        )
    log(f"# model parameters: {model.count_params():,}")
    if args.weights_file and not checkpoint_folders(job):
        transfer_backbone(model, read_weights(find_weights(args.weights_file)), description, log)

    plan = Plan(
        epochs=args.epochs,
        steps_per_epoch=args.steps_per_epoch,
        dataset_of_epoch=lambda epoch: windows(train, args.seed, args.steps_per_epoch, epoch * args.steps_per_epoch),
        validate=_scorer(task, model, validation, args) if validation else None,
        monitor=args.val_metric,
        stop_metric=args.val_metric,
        settings=settings,
        tensorboard=args.tensorboard,
    )
    state = run_plan(plan, model, description, job, log)

    assign_weights(model, read_weights(job / BEST_WEIGHTS))
    save_weights(job / BACKBONE, model.get_layer("backbone"), description)
    plot_learning_curves(
        pd.DataFrame(state.history), job / "learning_curves.png", f"Pretraining: {task.name}", state.best_epoch
    )
    _plot_first_frame(store, train, task, args, job / "frame.png")
    side = "validation" if validation else "training"
    log(f"best epoch {state.best_epoch} by {side} {args.val_metric}: {state.best_score:.4f}")
    log(f"wrote {job / BACKBONE}, {job / 'history.csv'}, {job / 'learning_curves.png'}, {job / 'frame.png'}")
    options = {"arch": args.arch != "resnet18" and args.arch}
    options |= {name: getattr(args, name) for name in ("stages", "spectrogram", "bins")}
    network = "".join(f" --{name} {value}" for name, value in options.items() if value)
    log(f"next: python -m finetuning.trainer --weights-file {job / BACKBONE}{network}")
    return state


def _check_options(args, task):
    """Refuse what can be refused before any data is read."""
    if args.val_metric not in task.monitors:
        raise OptionError(
            f"--val-metric of task {task.name} is {' or '.join(task.monitors)}. Received: {args.val_metric}"
        )
    if args.cache_val and (args.val_file or not args.val_patients):
        raise OptionError(
            "--cache-val writes windows that are drawn from --val-patients. Received: "
            + ("--val-file; leave one out" if args.val_file else "--val-patients 0; hold some out")
        )
    if args.val_file and not pathlib.Path(args.val_file).is_file():
        raise OptionError(f"{args.val_file}: no such file; check the path, or make it with --cache-val")
    if args.weights_file:
        find_weights(args.weights_file)


def _divide_patients(args, task, store, log):
    """Return training patients, validation patients, and the validation windows that a file gives instead."""
    size = task.window_size(args)
    patients, left_out = usable_patients(choose_patients(store, args.patient_ids), size)
    for patient, reason in left_out:
        log(f"left out: patient {patient}: {reason}")
    if left_out:
        log(f"{len(left_out)} of {len(left_out) + len(patients)} patients left out")
    validation = None
    if args.val_file:
        validation = ValidationSet.load(args.val_file, validation_settings(task, store, args))
        train, held_out = without_patients(patients, validation.patients, args.val_file), []
    else:
        train, held_out = split_patients(patients, args.val_patients, args.seed)
    train = patient_share(train, args.patient_fraction, args.seed)
    if monitored_column(args.val_metric, bool(held_out or validation)) is None:
        raise OptionError(
            f"--val-metric {args.val_metric} needs validation patients. Received: none; set --val-patients"
        )
    others = len(validation.patients) if validation else len(held_out)
    log(f"data: {store.name}, {len(train)} training and {others} validation patients")
    return train, held_out, validation


def _draw_validation(args, task, store, patients, normalization, windows):
    """Draw the validation windows, and write them where `--cache-val` says."""
    steps = -(-args.val_size // args.batch_size)
    samples = args.val_samples_per_patient or max(1, args.val_size // len(patients))
    # A seed of its own: the validation windows are the same whatever the training stream does.
    batches = windows(patients, args.seed + 1_000_003, steps, samples=samples, draw=window_dataset)
    names = [p.patient for p in patients]
    validation = ValidationSet.draw(
        batches, args.val_size, names, validation_settings(task, store, args), normalization
    )
    if args.cache_val:
        validation.save(args.cache_val)
    return validation


def _scorer(task, model, validation, args):
    """Return the function that scores the model on the validation windows."""
    batches = validation.batches(args.batch_size, task, args)
    return lambda: task.validation_values(model, batches, validation.labels, args.val_metric)


def _plot_first_frame(store, patients, task, args, path):
    """Draw the first frame of the stream with its beats."""
    sampling = Sampling(
        task.window_size(args), args.frame_size, 0, args.batch_size, args.samples_per_patient, args.seed
    )
    draw = FrameSampler(patients, sampling, store.sampling_rate_hz).draw(0)[0]
    number, start = int(draw.windows.segments[0]), int(draw.windows.starts[0])
    opened, owner = draw.working_set, draw.working_set.patient_of[number]
    patient, segment = opened.patients[owner], number - int(opened.first_segments[owner])
    beats = patient.annotations[segment]
    inside = (beats.beat_positions >= start) & (beats.beat_positions < start + args.frame_size)
    plot_frame(
        patient.millivolts(segment)[start : start + args.frame_size],
        store.sampling_rate_hz,
        beats.beat_positions[inside] - start,
        [ds_beat_names[int(c)] for c in beats.beat_classes[inside]],
        path,
        title=f"{patient.records[segment]}, {start / store.sampling_rate_hz:.1f} s",
        leads=patient.leads[segment],
    )

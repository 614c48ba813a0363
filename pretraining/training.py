"""The pretraining run itself, from the store to the backbone; reads top to bottom."""

import keras
import numpy as np
import pandas as pd

from pretraining.data import (
    choose_normalization,
    choose_patients,
    coverage,
    lead_names,
    open_training_store,
    split_patients,
)
from pretraining.datasets import class_counts, frame_dataset, usable_patients
from pretraining.sampler import FrameSampler
from transplant.datasets.icentia11k import ds_beat_names
from transplant.errors import OptionError
from transplant.evaluation.plots import plot_frame, plot_learning_curves
from transplant.modules.classifier import build_classifier
from transplant.modules.registry import get_architecture
from transplant.tasks.task import get_task
from transplant.training.checkpoint import checkpoint_folders
from transplant.training.description import ModelDescription
from transplant.training.loop import BEST_WEIGHTS, Plan, monitored_column, run_plan
from transplant.training.runtime import precision, seed_everything
from transplant.training.transfer import find_weights, transfer_backbone
from transplant.training.validation import predict_probabilities, validation_values
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
    store = open_training_store(args.train, job, args.patient_ids, args.seed, log)
    patients, left_out = usable_patients(choose_patients(store, args.patient_ids), args.frame_size)
    for patient, reason in left_out:
        log(f"left out: patient {patient}: {reason}")
    if left_out:
        log(f"{len(left_out)} of {len(left_out) + len(patients)} patients left out")
    train, held_out = split_patients(patients, args.val_patients, args.seed)
    if monitored_column(args.val_metric, bool(held_out)) is None:
        raise OptionError(
            f"--val-metric {args.val_metric} needs validation patients. Received: none; set --val-patients"
        )
    normalization = choose_normalization(args.normalization, store, train)
    log(f"data: {store.name}, {len(train)} training and {len(held_out)} validation patients")
    log(f"normalisation: {normalization}")
    log(coverage(len(train), args.samples_per_patient, args.epochs, args.batch_size, args.steps_per_epoch))

    def stream(patients, seed, steps, first_step=0, samples=args.samples_per_patient):
        return frame_dataset(
            store, patients, task, normalization, args.frame_size, args.batch_size, samples, seed, steps, first_step
        )

    counts = class_counts(stream(train, args.seed, 8), len(task.classes))
    shares = ", ".join(f"{name} {count:,}" for name, count in zip(task.classes, counts))
    log(f"classes of the first {counts.sum():,} frames: {shares}")

    description = ModelDescription(
        architecture=args.arch,
        stages=args.stages or get_architecture(args.arch).stages,
        leads=lead_names(train),
        sampling_rate_hz=store.sampling_rate_hz,
        unit="mV",
        normalization=normalization,
        input_length=args.frame_size,
        task=task.name,
        classes=task.classes,
        data={
            "name": store.name,
            "fingerprint": store.fingerprint,
            "training_patients": [p.patient for p in train],
            "validation_patients": [p.patient for p in held_out],
        },
        seed=args.seed,
    )
    with precision(args.mixed_precision):
        model = build_classifier(
            args.arch,
            len(task.classes),
            leads=store.n_leads,
            stages=args.stages,
            seed=args.seed,
            batch_norm="fused",
        )
        model.compile(
            # The paper's optimiser for pretraining.
            keras.optimizers.Adam(args.learning_rate, beta_1=0.9, beta_2=0.98, epsilon=1e-9),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="acc")],
        )
    log(f"# model parameters: {model.count_params():,}")
    if args.weights_file and not checkpoint_folders(job):
        transfer_backbone(model, read_weights(find_weights(args.weights_file)), description, log)

    plan = Plan(
        epochs=args.epochs,
        steps_per_epoch=args.steps_per_epoch,
        dataset_of_epoch=lambda epoch: stream(train, args.seed, args.steps_per_epoch, epoch * args.steps_per_epoch),
        validate=_validation(model, stream, held_out, args) if held_out else None,
        monitor=args.val_metric,
        stop_metric=args.val_metric,
    )
    state = run_plan(plan, model, description, job, log)

    assign_weights(model, read_weights(job / BEST_WEIGHTS))
    save_weights(job / BACKBONE, model.get_layer("backbone"), description)
    plot_learning_curves(
        pd.DataFrame(state.history), job / "learning_curves.png", f"Pretraining: {task.name}", state.best_epoch
    )
    _plot_first_frame(store, train, args, job / "frame.png")
    side = "validation" if held_out else "training"
    log(f"best epoch {state.best_epoch} by {side} {args.val_metric}: {state.best_score:.4f}")
    log(f"wrote {job / BACKBONE}, {job / 'history.csv'}, {job / 'learning_curves.png'}, {job / 'frame.png'}")
    network = f" --arch {args.arch}" * (args.arch != "resnet18") + f" --stages {args.stages}" * bool(args.stages)
    log(f"next: python -m finetuning.trainer --weights-file {job / BACKBONE}{network}")
    return state


def _validation(model, stream, patients, args):
    """Return the function that scores the model on a fixed set of validation frames."""
    steps = -(-args.val_size // args.batch_size)
    samples = -(-args.val_size // len(patients))
    # A seed of its own: the validation frames are the same whatever the training stream does.
    dataset = stream(patients, args.seed + 1_000_003, steps, samples=samples)
    labels = np.concatenate([labels.numpy() for _, labels in dataset])[: args.val_size]

    def validate():
        probabilities = predict_probabilities(model, dataset.map(lambda frames, labels: frames))
        return validation_values(labels, probabilities[: args.val_size], [args.val_metric])

    return validate


def _plot_first_frame(store, patients, args, path):
    """Draw the first frame of the stream with its beats."""
    sampler = FrameSampler(
        patients, args.frame_size, args.batch_size, args.samples_per_patient, store.sampling_rate_hz, args.seed
    )
    draw = sampler.draw(0)[0]
    segments = draw.working_set.segments[draw.slots[0]]
    segment, start = int(draw.segments[0]), int(draw.within[0])
    beats = segments.annotations[segment]
    inside = (beats.beat_positions >= start) & (beats.beat_positions < start + args.frame_size)
    plot_frame(
        segments.millivolts(segment)[start : start + args.frame_size],
        store.sampling_rate_hz,
        beats.beat_positions[inside] - start,
        [ds_beat_names[int(c)] for c in beats.beat_classes[inside]],
        path,
        title=f"{segments.records[segment]}, {start / store.sampling_rate_hz:.1f} s",
        leads=segments.leads[segment],
    )

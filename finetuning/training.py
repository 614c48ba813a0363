"""The fine-tuning run itself, from the labelled set to the report; reads top to bottom."""

import time

import keras
import numpy as np
import pandas as pd

from finetuning.batches import epoch_batches, feature_batches
from finetuning.data import coarse_validation, load_data
from finetuning.feature_regression import run_feature_regression
from finetuning.frozen import head_alone
from finetuning.ingredients import check_branches, check_ingredients
from finetuning.recipes import FEWEST_EPOCHS, default_metric, departures, enough_epochs
from finetuning.results import check_mains, write_results, write_spoilt_predictions
from transplant.atomic import write_json
from transplant.augmentation.augmentation import Augmentation
from transplant.errors import OptionError
from transplant.evaluation.complexity_counts import complexity_of
from transplant.evaluation.plots import plot_learning_curves
from transplant.modules.classifier import build_classifier
from transplant.modules.registry import FUSION, PREFIXES, check_fit, choose_spectrogram, get_architecture
from transplant.training.backbone_rates import BackboneRates
from transplant.training.checkpoint import checkpoint_folders
from transplant.training.class_weights import class_weights
from transplant.training.description import ModelDescription
from transplant.training.distribution import batch_norm_kind, check_batch_size, training_strategy
from transplant.training.loop import BEST_WEIGHTS, Plan, monitored_column, run_plan
from transplant.training.losses import classifier_loss
from transplant.training.optimization import OptimizerSettings, build_optimizer
from transplant.training.runtime import precision, seed_everything
from transplant.training.standardisation import choose_normalization
from transplant.training.transfer import trained_on, transfer_backbone
from transplant.training.validation import predict_probabilities, validation_values
from transplant.training.weights import assign_weights, read_weights


def run_finetuning(args, job, log=print):
    """Train a classifier and leave weights, history, predictions, metrics and plots in the job folder.

    Args:
        args: options of `finetuning.trainer`.
        job: job folder.
        log: function that takes a line.

    Returns:
        dict split -> metrics, as in metrics.json.
    """
    seed_everything(args.seed)
    strategy = training_strategy(args.devices)
    check_batch_size(strategy, args.batch_size)
    spectrogram = choose_spectrogram(args.arch, args.spectrogram, args.bins)
    check_ingredients(args)
    if args.second_weights_file:
        check_branches(args.weights_file, args.second_weights_file)
    augmentation = Augmentation.parse(args.augment)
    log(f"recipe: {args.recipe}{_departures(args)}")
    data = load_data(args, log)
    check_fit(args.arch, data.train.input_shape)
    args.val_metric = args.val_metric or default_metric(len(data.train.classes))
    stop_metric = args.early_stop_metric or args.val_metric
    if data.validation is None:
        for metric in (args.val_metric, stop_metric):
            if monitored_column(metric, False) is None:
                raise OptionError(
                    f"metric {metric} needs a validation set. Received: none; set --val or --val-size, or choose "
                    "--val-metric loss"
                )
    if augmentation:
        _check_has_time(data.train)
        augmentation.check(data.train.sampling_rate_hz)
    if args.robustness:
        check_mains(data.train.sampling_rate_hz)
    normalization = choose_normalization(args.normalization, data.train)
    log(f"Train data shape: {data.train.x.shape}; {data.train.summary}")
    for note in data.train.notes:
        log(note)
    for name, part in (("Validation", data.validation), ("Test", data.test)):
        if part is not None:
            log(f"{name} data shape: {part.x.shape}")
    if warning := coarse_validation(data.validation):
        log(warning)
    log(f"normalisation: {normalization}")
    if spectrogram:
        log(f"spectrogram: {spectrogram}")
    if data.leakage:
        write_json(job / "leakage.json", data.leakage.to_dict())
    if not get_architecture(args.arch).is_network:
        if args.robustness:
            log(f"{args.arch}: no predictions of spoilt records")
        return run_feature_regression(data, job, args.val_metric, log)

    initial_weights = [path for path in (args.weights_file, args.second_weights_file) if path]
    description = _describe(args, data, normalization, spectrogram, initial_weights)

    def build(batch_norm):
        with precision(args.mixed_precision):
            return build_classifier(
                args.arch,
                len(data.train.classes),
                leads=len(data.train.leads),
                stages=args.stages,
                seed=args.seed,
                batch_norm=batch_norm,
                spectrogram=spectrogram,
                padding_aware=args.padding_aware,
                dropout=args.dropout,
                input_shape=data.train.input_shape,
            )

    steps_per_epoch = -(-len(data.train) // args.batch_size)
    if args.epochs is None:
        # The embedded records are a first look, which is to be short.
        embedded = not args.train and args.dataset in (None, "synthetic")
        args.epochs = FEWEST_EPOCHS if embedded else enough_epochs(steps_per_epoch)
        log(f"epochs: {args.epochs} of {steps_per_epoch} steps; --epochs sets another number")
    if args.warmup_steps is None:
        args.warmup_steps = args.epochs * steps_per_epoch // 20
    settings = OptimizerSettings.from_options(args)
    with strategy.scope(), precision(args.mixed_precision):
        model = build(batch_norm_kind(strategy))
        model.get_layer("backbone").trainable = not args.freeze_backbone
        _compile(model, args, settings, data.train, steps_per_epoch, description)
    log(f"# model parameters: {model.count_params():,}")
    costs = complexity_of(model, data.train.input_shape)
    write_json(job / "complexity.json", costs.to_dict())
    log(f"# multiply-adds of a record: {costs.totals['multiply_adds']:,}; complexity.json has every layer")
    if args.verbose:
        model.summary(expand_nested=True)
    if not initial_weights:
        log("no --weights-file: training from random weights")
    elif args.freeze_backbone or not checkpoint_folders(job):
        for path in initial_weights:
            file = read_weights(path)
            transfer_backbone(model, file, description, log)
            if args.arch == FUSION and len(initial_weights) == 1 and file.description.architecture != FUSION:
                log("the other branch of the fusion starts from random weights; --second-weights-file sets it")
            if trained_on(file, data.fingerprint):
                log(f"{path} was fine-tuned on this very set: scores of records that it has seen say too much")

    inputs, lengths = data.train.standardized(normalization), data.train.lengths
    targets = data.train.y.astype(np.int32)
    held_out = data.validation and data.validation.standardized(normalization)
    trained, clock, cpu_clock = model, time.monotonic(), time.process_time()
    if args.freeze_backbone and not augmentation and not args.crop:
        log("the backbone is frozen and nothing is augmented: its features are computed once")
        trained, features_of = head_alone(model, args.batch_size)
        inputs, held_out = features_of(inputs), held_out is not None and features_of(held_out)
    spent_before = time.monotonic() - clock, time.process_time() - cpu_clock

    def batches(epoch):
        if trained is not model:
            return feature_batches(inputs, targets, args.batch_size, args.seed, epoch)
        return epoch_batches(
            inputs, targets, lengths, args.batch_size, args.seed, epoch, augmentation, args.crop or None,
            args.by_length, data.train.sampling_rate_hz,
        )  # fmt: skip

    def validate():
        probabilities = predict_probabilities(trained, held_out, args.batch_size)
        return validation_values(data.validation.y, probabilities, (args.val_metric, stop_metric))

    plan = Plan(
        epochs=args.epochs,
        steps_per_epoch=steps_per_epoch,
        dataset_of_epoch=batches,
        validate=validate if data.validation is not None else None,
        trained=trained,
        spent_before=spent_before,
        monitor=args.val_metric,
        stop_metric=stop_metric,
        patience=args.patience,
        keep_weights=False,
        settings=settings,
        tensorboard=args.tensorboard,
    )
    state = run_plan(plan, model, description, job, log)

    # The model that is kept has Keras' own layers where there are such; in inference both are the same.
    best = build(batch_norm="stock")
    assign_weights(best, read_weights(job / BEST_WEIGHTS))
    best.save(job / "best_model.keras")
    title = "from pretrained weights" if initial_weights else "from random weights"
    plot_learning_curves(
        pd.DataFrame(state.history), job / "learning_curves.png", f"{args.arch} {title}", state.best_epoch
    )
    log(f"best epoch {state.best_epoch} by {args.val_metric}: {state.best_score:.4f}")
    if args.robustness and data.test is not None:
        write_spoilt_predictions(best, data.test, normalization, args.batch_size, job)

    def predict(part):
        return predict_probabilities(best, part.standardized(normalization), args.batch_size)

    return write_results(predict, data, job, state, args.val_metric, log)


def _describe(args, data, normalization, spectrogram, initial_weights):
    """Return the `ModelDescription` of a run."""
    return ModelDescription(
        architecture=args.arch,
        stages=args.stages or get_architecture(args.arch).stages,
        leads=data.train.leads,
        sampling_rate_hz=data.train.sampling_rate_hz,
        unit=data.train.unit,
        normalization=normalization,
        input_length=data.train.length,
        task="finetuning",
        classes=data.train.classes,
        data={
            "name": data.name,
            "fingerprint": data.fingerprint,
            "label_version": data.train.label_version,
            "records": len(data.train),
            "initial_weights": initial_weights,
        },
        seed=args.seed,
        spectrogram=spectrogram and spectrogram.to_dict(),
        padding_aware=args.padding_aware,
    )


def _compile(model, args, settings, train, steps_per_epoch, description):
    """Give the model its optimiser and loss."""
    rates = BackboneRates()
    if args.weights_file:
        known = [read_weights(path).description.architecture for path in description.data["initial_weights"]]
        branches = tuple(PREFIXES[arch] for arch in known) if args.arch == FUSION and FUSION not in known else ()
        rates = BackboneRates(args.backbone_rate, args.unfreeze_epochs * steps_per_epoch, branches)
    weights = class_weights(train.y, len(train.classes), args.class_weights)
    model.compile(
        build_optimizer(settings, args.epochs * steps_per_epoch, rate_of=rates.rate_of(description.stages)),
        classifier_loss(weights, args.focal_gamma, args.label_smoothing),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="acc")],
        jit_compile="auto" if args.xla is None else args.xla,  # Keras' choice is XLA on a GPU
    )


def _check_has_time(train):
    """Refuse augmentation, which is made for signals, on anything else."""
    if train.sampling_rate_hz is None or train.sampling_rate_hz < 1 or train.x.ndim != 3:
        raise OptionError(
            f"--augment is for signals sampled once a second or more often. Received: {train.dataset}; give "
            "--augment none, or --recipe plain"
        )


def _departures(args):
    """Return what the command line changed of the recipe, for the log."""
    changed = departures(args)
    return " with " + ", ".join(f"{name} {value}" for name, value in changed.items()) if changed else ""

"""The fine-tuning run itself, from the labelled set to the report; reads top to bottom."""

import time

import keras
import numpy as np
import pandas as pd

from finetuning.batches import epoch_batches, feature_batches
from finetuning.data import choose_normalization, coarse_validation, load_data
from finetuning.frozen import head_alone
from finetuning.recipes import FEWEST_EPOCHS, departures, enough_epochs
from finetuning.results import check_mains, write_results, write_spoilt_predictions
from transplant.augmentation.augmentation import Augmentation
from transplant.errors import OptionError
from transplant.evaluation.plots import plot_learning_curves
from transplant.modules.classifier import build_classifier
from transplant.modules.registry import FUSION, PREFIXES, choose_spectrogram, get_architecture
from transplant.training.backbone_rates import BackboneRates
from transplant.training.checkpoint import checkpoint_folders
from transplant.training.class_weights import class_weights
from transplant.training.description import ModelDescription
from transplant.training.distribution import batch_norm_kind, check_batch_size, training_strategy
from transplant.training.loop import BEST_WEIGHTS, Plan, monitored_column, run_plan
from transplant.training.losses import classifier_loss
from transplant.training.optimization import OptimizerSettings, build_optimizer
from transplant.training.runtime import precision, seed_everything
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
    augmentation = _check_ingredients(args)
    log(f"recipe: {args.recipe}{_departures(args)}")
    data = load_data(args, log)
    stop_metric = args.early_stop_metric or args.val_metric
    if data.validation is None:
        for metric in (args.val_metric, stop_metric):
            if monitored_column(metric, False) is None:
                raise OptionError(f"metric {metric} needs a validation set. Received: none; set --val or --val-size")
    augmentation.check(data.train.sampling_rate_hz)
    if args.robustness:
        check_mains(data.train.sampling_rate_hz)
    normalization = choose_normalization(args.normalization, data.train)
    log(f"Train data shape: {data.train.x.shape}; {data.train}")
    for name, part in (("Validation", data.validation), ("Test", data.test)):
        if part is not None:
            log(f"{name} data shape: {part.x.shape}")
    if warning := coarse_validation(data.validation):
        log(warning)
    log(f"normalisation: {normalization}")
    if spectrogram:
        log(f"spectrogram: {spectrogram}")

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
            )

    steps_per_epoch = -(-len(data.train) // args.batch_size)
    if args.epochs is None:
        # The embedded records are a first look, which is to be short.
        args.epochs = enough_epochs(steps_per_epoch) if args.train else FEWEST_EPOCHS
        log(f"epochs: {args.epochs} of {steps_per_epoch} steps; --epochs sets another number")
    if args.warmup_steps is None:
        args.warmup_steps = args.epochs * steps_per_epoch // 20
    settings = OptimizerSettings.from_options(args)
    with strategy.scope(), precision(args.mixed_precision):
        model = build(batch_norm_kind(strategy))
        model.get_layer("backbone").trainable = not args.freeze_backbone
        _compile(model, args, settings, data.train, steps_per_epoch, description)
    log(f"# model parameters: {model.count_params():,}")
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
    return write_results(best, data, normalization, args.batch_size, job, state, args.val_metric, log)


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
    )


def _check_ingredients(args):
    """Refuse ingredients that do not go together; return the `Augmentation`."""
    if args.by_length and not args.padding_aware:
        raise OptionError(
            "--by-length takes away padding that a network without --padding-aware sees. Received: --no-padding-aware; "
            "add --no-by-length"
        )
    if args.second_weights_file and (args.arch != FUSION or not args.weights_file):
        raise OptionError(
            f"--second-weights-file stands beside --weights-file, with --arch {FUSION}. Received: --arch {args.arch}, "
            f"--weights-file {args.weights_file or 'none'}"
        )
    if args.second_weights_file:
        branches = [
            read_weights(path).description.architecture for path in (args.weights_file, args.second_weights_file)
        ]
        if branches[0] == branches[1]:
            raise OptionError(
                f"--weights-file and --second-weights-file start one branch each. Received: two of {branches[0]}; "
                "give one of the 1-D and one of the 2-D network"
            )
    if args.freeze_backbone and (not args.weights_file or (args.arch == FUSION and not args.second_weights_file)):
        raise OptionError(
            "--freeze-backbone needs a pretrained backbone, of a fusion two. Received: too few; give --weights-file"
        )
    return Augmentation.parse(args.augment)


def _departures(args):
    """Return what the command line changed of the recipe, for the log."""
    changed = departures(args)
    return " with " + ", ".join(f"{name} {value}" for name, value in changed.items()) if changed else ""

"""The fine-tuning run itself, from the labelled set to the report; reads top to bottom."""

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from finetuning.data import choose_normalization, load_data
from finetuning.results import write_results
from transplant.errors import OptionError
from transplant.evaluation.plots import plot_learning_curves
from transplant.modules.classifier import build_classifier
from transplant.modules.registry import choose_spectrogram, get_architecture
from transplant.training.checkpoint import checkpoint_folders
from transplant.training.description import ModelDescription
from transplant.training.distribution import batch_norm_kind, check_batch_size, training_strategy
from transplant.training.loop import BEST_WEIGHTS, Plan, monitored_column, run_plan
from transplant.training.optimization import OptimizerSettings, build_optimizer
from transplant.training.runtime import precision, seed_everything
from transplant.training.transfer import transfer_backbone
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
    data = load_data(args, log)
    stop_metric = args.early_stop_metric or args.val_metric
    if data.validation is None:
        for metric in (args.val_metric, stop_metric):
            if monitored_column(metric, False) is None:
                raise OptionError(f"metric {metric} needs a validation set. Received: none; set --val or --val-size")
    normalization = choose_normalization(args.normalization, data.train)
    log(f"Train data shape: {data.train.x.shape}; {data.train}")
    for name, part in (("Validation", data.validation), ("Test", data.test)):
        if part is not None:
            log(f"{name} data shape: {part.x.shape}")
    log(f"normalisation: {normalization}")
    if spectrogram:
        log(f"spectrogram: {spectrogram}")

    description = ModelDescription(
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
            "initial_weights": args.weights_file,
        },
        seed=args.seed,
        spectrogram=spectrogram and spectrogram.to_dict(),
    )

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
            )

    steps_per_epoch = -(-len(data.train) // args.batch_size)
    settings = OptimizerSettings.from_options(args)
    with strategy.scope(), precision(args.mixed_precision):
        model = build(batch_norm_kind(strategy))
        model.compile(
            build_optimizer(settings, args.epochs * steps_per_epoch),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="acc")],
        )
    log(f"# model parameters: {model.count_params():,}")
    if args.verbose:
        model.summary(expand_nested=True)
    if not args.weights_file:
        log("no --weights-file: training from random weights")
    elif not checkpoint_folders(job):
        transfer_backbone(model, read_weights(args.weights_file), description, log)

    inputs = data.train.standardized(normalization)
    targets = data.train.y.astype(np.int32)
    validate = None
    if data.validation is not None:
        held_out = data.validation.standardized(normalization)

        def validate():
            probabilities = predict_probabilities(model, held_out, args.batch_size)
            return validation_values(data.validation.y, probabilities, (args.val_metric, stop_metric))

    plan = Plan(
        epochs=args.epochs,
        steps_per_epoch=steps_per_epoch,
        dataset_of_epoch=lambda epoch: epoch_batches(inputs, targets, args.batch_size, args.seed, epoch),
        validate=validate,
        monitor=args.val_metric,
        stop_metric=stop_metric,
        patience=args.patience,
        keep_weights=False,
        settings=settings,
        tensorboard=args.tensorboard,
    )
    state = run_plan(plan, model, description, job, log)

    # The model that is kept has stock layers only, so that Keras alone can load it. In inference both are the same.
    best = build(batch_norm="stock")
    assign_weights(best, read_weights(job / BEST_WEIGHTS))
    best.save(job / "best_model.keras")
    title = "from random weights" if not args.weights_file else "from pretrained weights"
    plot_learning_curves(
        pd.DataFrame(state.history), job / "learning_curves.png", f"{args.arch} {title}", state.best_epoch
    )
    log(f"best epoch {state.best_epoch} by {args.val_metric}: {state.best_score:.4f}")
    return write_results(best, data, normalization, args.batch_size, job, state, args.val_metric, log)


def epoch_batches(inputs, targets, batch_size, seed, epoch):
    """Return the batches of one epoch, every record once, in an order that (seed, epoch) decides.

    Args:
        inputs: float32 (records, time, leads).
        targets: int32 (records,).
        batch_size: records in a batch; the last may hold fewer.
        seed, epoch: decide the order.

    Returns:
        tf.data.Dataset of (float32 (batch, time, leads), int32 (batch,)).
    """
    order = np.random.default_rng((seed, 0, epoch)).permutation(len(targets))

    def gather(rows):
        x = tf.numpy_function(lambda rows: inputs[rows], [rows], tf.float32, stateful=False)
        x.set_shape((None, *inputs.shape[1:]))
        return x, tf.gather(targets, rows)

    return tf.data.Dataset.from_tensor_slices(order).batch(batch_size).map(gather).prefetch(2)

"""The pretraining run itself, from the data to the backbone; reads top to bottom."""

import contextlib
import pathlib

import pandas as pd

from pretraining.data import open_training_store
from pretraining.file_data import FileData
from pretraining.stream_data import StreamData
from pretraining.streams import own_errors
from transplant.errors import OptionError
from transplant.evaluation.plots import plot_learning_curves
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
    with own_errors(), _open_data(args, task, job, log) as data:
        return _pretrain(args, task, strategy, spectrogram, data, job, log)


@contextlib.contextmanager
def _open_data(args, task, job, log):
    """Open what `--train` names, a file of windows or recordings, for the length of a run."""
    if pathlib.Path(args.train).is_file():
        yield FileData(args, task, log)
        return
    with open_training_store(args.train, job, args.patient_ids, args.seed, args.data_parallelism, log) as store:
        yield StreamData(args, task, store, log)


def _pretrain(args, task, strategy, spectrogram, data, job, log):
    log(
        f"data: {data.name}, {len(data.training_patients)} training and {len(data.validation_patients)} "
        "validation patients"
    )
    if monitored_column(args.val_metric, bool(data.validation_patients)) is None:
        raise OptionError(
            f"--val-metric {args.val_metric} needs validation patients. Received: none; "
            "set --val-patients or --val-file"
        )
    log(f"normalisation: {data.normalization}")
    if spectrogram:
        log(f"spectrogram: {spectrogram}")
    steps_per_epoch = args.steps_per_epoch or data.pass_steps
    log(data.coverage(steps_per_epoch))
    if labels := task.describe_labels(data.first_labels):
        log(labels)
    validation = data.validation

    description = ModelDescription(
        architecture=args.arch,
        stages=args.stages or get_architecture(args.arch).stages,
        leads=data.leads,
        sampling_rate_hz=data.sampling_rate_hz,
        unit="mV",
        normalization=data.normalization,
        input_length=args.frame_size,
        task=task.name,
        classes=task.classes(args),
        data={
            "name": data.name,
            "fingerprint": data.fingerprint,
            "training_patients": data.training_patients,
            "validation_patients": data.validation_patients,
            "working_set": data.working_set,
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
            leads=len(data.leads),
            seed=args.seed,
            batch_norm=batch_norm_kind(strategy),
            spectrogram=spectrogram,
        )
        model = task.build_model(backbone, args, len(data.leads), args.seed)
        model.compile(
            # The paper's optimiser for pretraining.
            build_optimizer(settings, args.epochs * steps_per_epoch, beta_1=0.9, beta_2=0.98, epsilon=1e-9),
            task.loss(),
            metrics=task.metrics(),
        )
    log(f"# model parameters: {model.count_params():,}")
    if args.weights_file and not checkpoint_folders(job):
        transfer_backbone(model, read_weights(find_weights(args.weights_file)), description, log)

    plan = Plan(
        epochs=args.epochs,
        steps_per_epoch=steps_per_epoch,
        dataset_of_epoch=lambda epoch: data.dataset(steps_per_epoch, epoch * steps_per_epoch),
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
    data.plot_first_frame(job / "frame.png")
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
    if args.cache_val and any(_same_file(args.cache_val, path) for path in (args.train, args.weights_file) if path):
        raise OptionError(f"--cache-val would write over {args.cache_val}, which this run reads; choose another name")
    if args.weights_file:
        find_weights(args.weights_file)


def _same_file(one, other):
    return pathlib.Path(one).resolve() == pathlib.Path(other).resolve()


def _scorer(task, model, validation, args):
    """Return the function that scores the model on the validation windows."""
    batches = validation.batches(args.batch_size, task, args)
    return lambda: task.validation_values(model, batches, validation.labels, args.val_metric)

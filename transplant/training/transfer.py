"""Transfer: the backbone of one job's weights into the model of another."""

import dataclasses
import pathlib

import numpy as np

from transplant.errors import WeightsError, shorten
from transplant.modules.registry import FUSION, PREFIXES, get_architecture
from transplant.training.weights import is_random_state, named_variables

STEM_KERNEL = "stem_conv/kernel"
PRETRAINING_JOBS = pathlib.Path("jobs/pretraining")
# In order of preference: the backbone alone is what a pretraining job hands over.
JOB_WEIGHTS = ("backbone.npz", "best_weights.npz")


@dataclasses.dataclass(frozen=True)
class TransferReport:
    """What a transfer did; `str()` of it is the line that is printed.

    Attributes:
        path: the weights file.
        architecture, task: from the file's description.
        loaded: keys of the backbone tensors that were set.
        left: keys of the file that the backbone has no place for (heads, later stages).
        missing: keys of backbone tensors that were not set: always empty, because a
            file that lacks one is refused.
        tiled: keys of kernels that were tiled over leads.
    """

    path: pathlib.Path
    architecture: str
    task: str
    loaded: tuple
    left: tuple
    missing: tuple
    tiled: tuple

    def __str__(self):
        return (
            f"loaded {len(self.loaded)} of {len(self.loaded) + len(self.missing)} backbone tensors from {self.path} "
            f"({self.architecture}, task {self.task}); left: {shorten(self.left)}; missing: {shorten(self.missing)}"
        )


def is_branch(theirs, ours):
    """Return whether a file's network is one of the two that the model joins."""
    return ours.architecture == FUSION and theirs.architecture in PREFIXES


def _in_hz(rate):
    return "none" if rate is None else f"{rate:g} Hz"


def _refuse_other_preparation(path, theirs, ours):
    """Raise where the file's model saw another kind of input, or is another network."""
    branch = is_branch(theirs, ours)
    # The raw branch has no spectrogram.
    spectrogram = None if branch and theirs.spectrogram is None else ours.spectrogram
    pairs = [
        ("architecture", theirs.architecture, theirs.architecture if branch else ours.architecture),
        ("sampling rate", _in_hz(theirs.sampling_rate_hz), _in_hz(ours.sampling_rate_hz)),
        ("unit", theirs.unit, ours.unit),
        ("normalisation", theirs.normalization.method, ours.normalization.method),
        ("spectrogram", theirs.spectrogram or "none", spectrogram or "none"),
    ]
    differing = {what: f"{what} {file}, this run {run}" for what, file, run in pairs if file != run}
    if differing:
        only_network = list(differing) == ["architecture"]
        remedy = f"give --arch {theirs.architecture}" if only_network else "change this run's options"
        raise WeightsError(
            f"{path}: weights serve only a model and an input like those they were trained with. "
            f"Received: {'; '.join(differing.values())}; pretrain again that way, or {remedy}"
        )
    if theirs.stages < ours.stages:
        raise WeightsError(
            f"{path}: the file must have every stage of the model. "
            f"Received: stages {theirs.stages}, this run {ours.stages}; build the model with --stages {theirs.stages}"
        )
    file_leads, run_leads = [[name.lower() for name in side.leads] for side in (theirs, ours)]
    if len(file_leads) not in (1, len(run_leads)):
        raise WeightsError(
            f"{path}: weights of several leads serve the same number of leads. "
            f"Received: leads {', '.join(theirs.leads)}, this run {', '.join(ours.leads)}"
        )
    if get_architecture(ours.architecture).is_plain and file_leads != run_leads:
        raise WeightsError(
            f"{path}: weights of a plain network serve the columns that they were trained on. "
            f"Received: {shorten(theirs.leads)}, this run {shorten(ours.leads)}"
        )
    if file_leads != run_leads and sorted(file_leads) == sorted(run_leads):
        raise WeightsError(
            f"{path}: the leads must come in the order the weights were trained with. "
            f"Received: leads {', '.join(theirs.leads)}, this run {', '.join(ours.leads)}"
        )


def _backbone(model):
    names = [layer.name for layer in model.layers]
    if "backbone" in names:
        return model.get_layer("backbone")
    if model.name == "backbone":
        return model
    raise WeightsError(f"transfer needs a model with a nested model named backbone. Received: layers {shorten(names)}")


def transfer_backbone(model, weights_file, description, log=print):
    """Load the whole backbone of a weights file, whatever its head, or nothing.

    Arrays match by layer name and shape. The backbone of one branch of a fusion
    sets that branch, whole, and leaves the other as it is. A stem kernel trained on one lead is
    tiled over the leads of the model and divided by their number, so that
    identical leads give the output that one lead gave.

    Args:
        model: built `keras.Model` whose nested model "backbone" receives the weights.
        weights_file: what `read_weights` returned; any pretraining or fine-tuning job's.
        description: `ModelDescription` of `model`.
        log: takes the lines that say what was done. Defaults to print.

    Returns:
        A `TransferReport`.

    Raises:
        WeightsError: if the file belongs to another architecture, sampling rate,
            unit, normalisation method or lead layout, has fewer stages, or lacks
            any tensor of the backbone.

    Source: the tiled stem is Weimann and Conrad's channel adjustment.
    """
    path, arrays = weights_file.path, weights_file.arrays
    _refuse_other_preparation(path, weights_file.description, description)
    variables = {key: v for key, v in named_variables(_backbone(model)).items() if not is_random_state(key)}
    if is_branch(weights_file.description, description):
        prefix = PREFIXES[weights_file.description.architecture]
        variables = {key: v for key, v in variables.items() if key.startswith(prefix)}
        arrays = {prefix + key: array for key, array in arrays.items()}

    values, tiled, absent = {}, [], []
    for key, variable in variables.items():
        shape, array = tuple(variable.shape), arrays.get(key)
        if array is not None and key.endswith(STEM_KERNEL) and _is_one_lead_of(array.shape, shape):
            array = np.repeat(array, shape[-2], axis=-2) / np.float32(shape[-2])
            tiled.append(key)
        if array is None or array.shape != shape:
            absent.append(key if array is None else f"{key} of shape {shape} (the file's is {array.shape})")
        else:
            values[key] = array
    if absent:
        raise WeightsError(
            f"{path}: the file must hold the whole backbone. Received: {len(values)} of {len(variables)} tensors; "
            f"missing {shorten(absent)}; use the weights of a job with this architecture"
        )
    for key, value in values.items():
        variables[key].assign(value)

    theirs = weights_file.description
    report = TransferReport(
        path=path,
        architecture=theirs.architecture,
        task=theirs.task,
        loaded=tuple(values),
        left=tuple(key for key in arrays if key not in values and not is_random_state(key)),
        missing=(),
        tiled=tuple(tiled),
    )
    log(str(report))
    for key in report.tiled:
        leads = variables[key].shape[-2]
        log(f"the 1-lead kernel {key} was tiled over {leads} leads and divided by {leads}")
    return report


def _is_one_lead_of(file_shape, model_shape):
    """Return whether two kernels (..., leads, filters) differ in their leads alone, of which the file has one."""
    return (
        len(file_shape) == len(model_shape)
        and file_shape[-2] == 1 < model_shape[-2]
        and (*file_shape[:-2], file_shape[-1]) == (*model_shape[:-2], model_shape[-1])
    )


def trained_on(weights_file, *fingerprints):
    """Return whether a file's classifier was fine-tuned on records of one of these sets.

    Args:
        weights_file: what `read_weights` returned.
        *fingerprints: of labelled sets, before they were divided.
    """
    theirs = weights_file.description
    return theirs.task == "finetuning" and theirs.data.get("fingerprint") in fingerprints


def find_weights(spec, jobs_dir=PRETRAINING_JOBS):
    """Return the weights file that a command line's `--weights-file` means.

    Args:
        spec: a weights file; a job folder (its backbone.npz, else its
            best_weights.npz); the prefix of a TensorFlow checkpoint, its .index
            file, or a folder with one such checkpoint; or "newest", the
            pretraining job whose backbone.npz was written last.
        jobs_dir: folder of the pretraining jobs. Defaults to jobs/pretraining.

    Returns:
        A `pathlib.Path` of an existing file, for `read_weights`; of a checkpoint
        its .index file.

    Raises:
        WeightsError: if there is none, or a folder has several checkpoints.
    """
    if str(spec) == "newest":
        found = [path for path in pathlib.Path(jobs_dir).glob("*/backbone.npz") if not path.parent.name.startswith(".")]
        if not found:
            raise WeightsError(
                f"{jobs_dir}: no pretraining job with a backbone.npz; run `python -m pretraining.trainer` first, "
                "or name a weights file"
            )
        return max(found, key=lambda path: (path.stat().st_mtime_ns, path))
    path = pathlib.Path(spec)
    if path.is_dir():
        for name in JOB_WEIGHTS:
            if (path / name).is_file():
                return path / name
        checkpoints = sorted(path.glob("*.index"))
        if len(checkpoints) == 1:
            return checkpoints[0]
        if checkpoints:
            raise WeightsError(
                f"{path}: a folder can stand for one TensorFlow checkpoint. "
                f"Received: {shorten(file.stem for file in checkpoints)}; name one of them"
            )
        raise WeightsError(
            f"{path}: a job folder holds {' or '.join(JOB_WEIGHTS)}, and this one has neither; "
            "wait for its first epoch, or name another job"
        )
    index = path.with_name(f"{path.name}.index")
    if index.is_file():
        return index
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such weights file or job folder; check the path")
    return path

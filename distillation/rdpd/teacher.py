"""The teacher: a network that sees all channels, trained once and frozen, and what it says of the training records."""

import dataclasses
import pathlib
import zipfile
import zlib

import numpy as np

from distillation.rdpd.imitation import LABELS, build_imitation
from distillation.rdpd.methods import METHODS
from distillation.rdpd.training import answers_by, train
from transplant.atomic import atomic_path
from transplant.errors import WeightsError
from transplant.modules.batch_norm import FUSED
from transplant.modules.segment_attention import SEGMENT_ATTENTION, build_segment_attention
from transplant.modules.segment_rnn import SegmentRnnSize, build_segment_rnn
from transplant.training.loop import BEST_WEIGHTS
from transplant.training.weights import assign_weights, checksum_of, is_random_state, named_variables, read_weights

FOLDER, OUTPUTS = "teacher", "teacher_outputs.npz"
TASK = "rdpd teacher"
RICH_RECORDS, ALL = "rich_records", "all"


@dataclasses.dataclass(frozen=True)
class Teacher:
    """A trained network and its description.

    Attributes:
        network: `keras.Model` from records to (logits, attention).
        description: its `ModelDescription`.
    """

    network: object
    description: object


def build_teacher(description, seed):
    """Build the network that a description is of.

    Args:
        description: `ModelDescription` of a teacher.
        seed: of the initial weights and of dropout.

    Returns:
        `keras.Model` "teacher" from (batch, samples, channels) to (logits, attention).
    """
    shape, n_classes = (description.input_length, len(description.leads)), len(description.classes)
    size = description.data["size"]
    if description.architecture != SEGMENT_ATTENTION:
        return build_segment_rnn(shape, n_classes, SegmentRnnSize(**size), seed, "teacher")
    arch = description.data["backbone"]["architecture"]
    return build_segment_attention(
        shape, n_classes, size["segment"], arch, description.stages, seed, batch_norm=FUSED, name="teacher"
    )


def train_teacher(problem, rows, design, description, job, log=print, backbone=None):
    """Train a teacher in its folder of the job, or go on.

    Args:
        problem: `Problem`.
        rows: training records that have all channels.
        design: `Design`.
        description: its `ModelDescription`.
        job: job folder.
        log: function that takes a line.
        backbone: `PretrainedBackbone` that it starts from. Defaults to None: random weights.

    Returns:
        `Teacher` with its best weights.
    """
    data, seed = problem.train, design.training.seed
    network = build_teacher(description, seed)
    if backbone:
        backbone.transfer(network, description, log)
    log(f"teacher: {len(data.leads)} channels, {network.count_params():,} parameters")
    model = build_imitation(network, METHODS["direct"], hard_temperature=design.teacher_temperature)
    validation = problem.inputs("validation"), problem.validation.y
    x, targets = problem.inputs("train")[rows], {LABELS: data.y[rows].astype(np.int32)}
    rate_of = backbone and backbone.rate_of(description)
    train(model, x, targets, validation, design.training, description, job / FOLDER, log, rate_of)
    return Teacher(network, description)


def read_teacher(path):
    """Read the weights of another job's teacher.

    Args:
        path: that job's folder, its folder of the teacher, or its best_weights.npz.

    Returns:
        `WeightsFile`.

    Raises:
        WeightsError: if there is none, or it is of another network.
    """
    path = pathlib.Path(path)
    for file in (path, path / FOLDER / BEST_WEIGHTS, path / BEST_WEIGHTS):
        if file.is_file():
            break
    else:
        raise WeightsError(
            f"{path}: a teacher is needed. Received: no {BEST_WEIGHTS} there; give the folder of an RDPD job"
        )
    weights = read_weights(file)
    task = weights.description.task
    if task != TASK:
        raise WeightsError(f"{file}: a teacher's weights are needed. Received: those of {task}; give an RDPD job")
    return weights


def check_teacher(weights, problem):
    """Check that the teacher of another job is of these data.

    Args:
        weights: what `read_teacher` returned.
        problem: `Problem` of this run.

    Raises:
        WeightsError: if it is of other channels, classes, samples, standardisation or training records.
    """
    there, data = weights.description, problem.train
    _check_equal(
        weights.path,
        {
            "channels": (there.leads, data.leads),
            "classes": (there.classes, data.classes),
            "samples": (there.input_length, data.length),
            # Others may be among the test records here.
            "training records": (there.data["fingerprint"], data.fingerprint()),
            "standardisation": (there.normalization, problem.normalization),
        },
        "give a teacher of these data and this split, or train one",
    )


def load_teacher(weights, problem, rows, size, log=print):
    """Return the teacher of another job.

    Args:
        weights: what `read_teacher` returned and `check_teacher` let pass.
        problem: `Problem` of this run.
        rows: training records that have all channels.
        size: `SegmentRnnSize` of a teacher here, which must be its own.
        log: function that takes a line.

    Raises:
        WeightsError: if it saw other records, or is of other sizes.
    """
    there = weights.description
    seen = {"records with all channels": (there.data.get(RICH_RECORDS, "unknown"), mark_of(rows, problem.train))}
    _check_equal(weights.path, seen, "give the --rich-share of its job, or train one")
    sizes = {f"{name} of": (value, getattr(size, name)) for name, value in there.data["size"].items()}
    _check_equal(weights.path, sizes, "leave the sizes out, or train one")
    network = build_teacher(there, 0)
    assign_weights(network, weights)
    log(f"teacher: {weights.path}, {network.count_params():,} parameters")
    return Teacher(network, there)


def _check_equal(path, expected, remedy):
    """Check pairs (received, needed) by name.

    Raises:
        WeightsError: if one differs.
    """
    for name, (received, needed) in expected.items():
        if received != needed:
            raise WeightsError(
                f"{path}: teacher and student see the same records alike. Received: {name} {received}, not {needed}; "
                f"{remedy}"
            )


def mark_of(rows, data):
    """Return what a teacher's description says of the training records that it saw: "all", or a checksum.

    Args:
        rows: their indices.
        data: `LabelledSet` of the training part.
    """
    return ALL if len(rows) == len(data) else checksum_of({"rows": rows})


def teacher_outputs(teacher, x, records, job, batch_size):
    """Return what a teacher says of the training records, computed once and kept in the job.

    Args:
        teacher: `Teacher`.
        x: standardised training records of all channels.
        records: text that says which records these are.
        job: job folder.
        batch_size: records at once.

    Returns:
        float32 logits (records, classes) and attention (records, segments), of inference: no dropout.
    """
    path = job / OUTPUTS
    variables = named_variables(teacher.network)
    # Without dropout's states, which inference does not see.
    weights = {key: variables[key].numpy() for key in variables if not is_random_state(key)}
    stamp = f"{records} {checksum_of(weights)}"
    if path.is_file():
        try:
            with np.load(path, allow_pickle=False) as file:
                if str(file["stamp"]) == stamp:
                    return file["logits"], file["attention"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            path.unlink()  # half of it: computed again
    logits, attention = (part.astype(np.float32) for part in answers_by(teacher.network, batch_size)(x))
    with atomic_path(path) as temporary:
        np.savez(temporary, logits=logits, attention=attention, stamp=np.array(stamp))
    return logits, attention

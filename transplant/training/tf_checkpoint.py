"""Weights that the public Weimann-Conrad code saved, as TensorFlow checkpoints, read into a `WeightsFile`.

A checkpoint PREFIX is the two files PREFIX.index and PREFIX.data-00000-of-00001.
Its variables are named by the attributes that lead to them, and these depend on
the wrapping model and on the TensorFlow version (`layer-0/layer-0/conv1/kernel`
of TensorFlow 2.1, `layer_with_weights-0/...` of later ones, `signal_embedding/...`
of a cpc model). So the network is found by its own structure: the one place that
has `blocks/0/...`.
"""

import itertools
import pathlib
import re

import tensorflow as tf

from transplant.datasets import challenge2017, icentia11k
from transplant.errors import WeightsError, shorten
from transplant.modules.registry import build_backbone
from transplant.signals.normalization import Normalization
from transplant.training.description import ModelDescription
from transplant.training.weights import WeightsFile, named_variables

DATA_NAME = "TensorFlow checkpoint of the public code"
SAMPLING_RATE_HZ = 250.0
INDEX_SUFFIX = ".index"

# Residual blocks of a stage in the public code; only resnet50 has a third convolution in each.
_DEPTHS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3), "resnet50": (3, 4, 6, 3)}
_PRETRAINING_CLASSES = {
    "beat": tuple(icentia11k.ds_beat_names.values()),
    "rhythm": tuple(icentia11k.ds_rhythm_names.values()),
    "hr": tuple(icentia11k.ds_hr_names.values()),
}

# The reader maps a file cut short to an IndexError, and damage that it has no class for to a RuntimeError.
_READ_ERRORS = (tf.errors.OpError, RuntimeError, ValueError, IndexError)
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_NOT_THE_MODEL = re.compile(r".*/\.OPTIMIZER_SLOT/|(optimizer|keras_api|save_counter|_CHECKPOINTABLE_OBJECT_GRAPH)\b")
_DENSE_OF_SEQUENTIAL = re.compile(r"(layer|layer_with_weights)-\d+/kernel")


def read_tf_checkpoint(path):
    """Read the 1-D ResNet, and the linear head where there is one, of a public checkpoint.

    Optimizer slots and a cpc model's transformer are left out. Of the network
    everything must be there and nothing more.

    What a checkpoint does not say is taken from the public code: 250 Hz,
    millivolts, and the constants by which it standardised Icentia11k or, for a
    fine-tuned model, CinC 2017.

    Args:
        path: the checkpoint's prefix, or its .index file.

    Returns:
        A `WeightsFile` with the arrays under this package's names. The task is
        "cpc", the pretraining task whose number of classes the head has,
        "finetuning" for a fine-tuned model, else "unknown".

    Raises:
        WeightsError: if the checkpoint is damaged, holds no such network or
            several, or has a tensor too few, too many or of a wrong shape.
    """
    prefix = pathlib.Path(str(path).removesuffix(INDEX_SUFFIX))
    reader, shapes = _open(prefix)
    root = _find_network(prefix, shapes)
    inside = {key.removeprefix(root): shape for key, shape in shapes.items() if key.startswith(root)}
    architecture, stages = _identify(prefix, inside)
    leads = inside["conv1/kernel"][1] if len(inside.get("conv1/kernel", ())) == 3 else 1

    backbone = build_backbone(architecture, stages=stages, leads=leads, seed=0)
    expected = named_variables(backbone)
    head, task, classes = _find_head(prefix, shapes, root, backbone.output_shape[-1])
    names = dict(zip(_public_names(expected), expected))
    _refuse_other_network(
        prefix,
        architecture,
        {name: tuple(expected[key].shape) for name, key in names.items()},
        {name: shape for name, shape in inside.items() if root + name not in (head + "kernel", head + "bias")},
    )
    places = {key: root + name for name, key in names.items()}
    if head:
        places |= {"head/kernel": head + "kernel", "head/bias": head + "bias"}
    return WeightsFile(
        pathlib.Path(f"{prefix}{INDEX_SUFFIX}"),
        {key: _read(prefix, reader, name) for key, name in places.items()},
        ModelDescription(
            architecture=architecture,
            stages=stages,
            leads=("unknown",) if leads == 1 else tuple(f"unknown {i + 1}" for i in range(leads)),
            sampling_rate_hz=SAMPLING_RATE_HZ,
            unit="mV",
            normalization=_normalization(task, leads),
            input_length=None,
            task=task,
            classes=classes,
            data={"name": DATA_NAME},
        ),
    )


def _open(prefix):
    """Return the checkpoint's reader and {variable name: shape} of the model in it."""
    if not pathlib.Path(f"{prefix}{INDEX_SUFFIX}").is_file():
        raise WeightsError(
            f"{prefix}: a checkpoint is its .index and .data files. Received: no {prefix.name}{INDEX_SUFFIX}; "
            "copy both beside each other"
        )
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        shapes = reader.get_variable_to_shape_map()
    except _READ_ERRORS as error:
        raise _damaged(prefix, error) from error
    found = {name: tuple(shape) for name, shape in shapes.items() if not _NOT_THE_MODEL.match(name)}
    return reader, {name.removesuffix(_VALUE): shape for name, shape in found.items() if name.endswith(_VALUE)}


def _read(prefix, reader, name):
    """Return one array."""
    try:
        array = reader.get_tensor(name + _VALUE)
    except _READ_ERRORS as error:
        raise _damaged(prefix, error) from error
    if array.dtype.kind != "f":
        raise WeightsError(f"{prefix}: weights are floating-point numbers. Received: {name} of {array.dtype}")
    return array.astype("float32")


def _damaged(prefix, error):
    reason = " ".join(str(error).split())
    return WeightsError(
        f"{prefix}: the checkpoint is damaged or cut short; copy its .index and .data files again. Received: {reason}"
    )


def _find_network(prefix, shapes):
    """Return what all names of the one network begin with."""
    roots = {match[1] for match in (re.match(r"((?:.*/)?)blocks/\d+/", name) for name in shapes) if match}
    if len(roots) != 1:
        raise WeightsError(
            f"{prefix}: a checkpoint of the public code holds one residual network. Received: {len(roots)}, "
            f"in {shorten(sorted(root or 'the root' for root in roots) or sorted(shapes))}"
        )
    return roots.pop()


def _identify(prefix, inside):
    """Return architecture and number of stages by the number of blocks and of their convolutions."""
    blocks = {int(match[1]) for match in (re.match(r"blocks/(\d+)/", name) for name in inside) if match}
    n_blocks = max(blocks) + 1
    has_bottlenecks = any(re.match(r"blocks/\d+/conv3/", name) for name in inside)
    for architecture, depths in _DEPTHS.items():
        if has_bottlenecks == (architecture == "resnet50") and n_blocks in itertools.accumulate(depths):
            return architecture, list(itertools.accumulate(depths)).index(n_blocks) + 1
    raise WeightsError(
        f"{prefix}: the networks of the public code are {', '.join(_DEPTHS)} and their first stages. "
        f"Received: {n_blocks} blocks of {3 if has_bottlenecks else 2} convolutions"
    )


def _public_names(keys):
    """Yield the name inside the public network of each of our keys."""
    blocks = list(dict.fromkeys(re.findall(r"^(stage\d+_block\d+)_", "\n".join(keys), re.MULTILINE)))
    for key in keys:
        layer, variable = key.split("/")
        if layer.startswith("stem_"):
            yield f"{layer.removeprefix('stem_')}1/{variable}"
            continue
        stage, block, part = layer.split("_", 2)
        yield f"blocks/{blocks.index(f'{stage}_{block}')}/{part.replace('shortcut', 'proj')}/{variable}"


def _find_head(prefix, shapes, root, channels):
    """Return what the head's two names begin with ("" without a head), the task and its classes.

    A pretraining model is Sequential([Sequential([network, pool]), Dense]), a
    fine-tuned one Sequential([network, pool, Dense]). The network itself can
    have a layer named classifier.
    """
    *outer, _ = root.removesuffix("/").split("/")
    parents = {
        "".join(f"{name}/" for name in outer[:-1]): "pretraining",
        "".join(f"{name}/" for name in outer): "finetuning",
    }
    heads = {
        name.removesuffix("kernel"): task
        for parent, task in parents.items()
        for name in shapes
        if name.startswith(parent) and _DENSE_OF_SEQUENTIAL.fullmatch(name.removeprefix(parent))
    }
    if f"{root}classifier/kernel" in shapes:
        heads[f"{root}classifier/"] = "unknown"
    if not heads:
        return "", "cpc" if any("attn_pooling/" in name for name in shapes) else "unknown", ()
    if len(heads) > 1:
        raise WeightsError(f"{prefix}: a checkpoint has one head at most. Received: {shorten(sorted(heads))}")
    (head, task), *_ = heads.items()
    kernel, bias = shapes[head + "kernel"], shapes.get(head + "bias", ())
    if len(kernel) != 2 or kernel[0] != channels or bias != kernel[1:]:
        raise WeightsError(
            f"{prefix}: the head must fit the network's {channels} channels. "
            f"Received: {head}kernel {kernel}, {head}bias {bias or 'missing'}"
        )
    if task == "pretraining":
        tasks = [name for name, classes in _PRETRAINING_CLASSES.items() if len(classes) == kernel[1]]
        task = tasks[0] if tasks else "unknown"
    return head, task, _PRETRAINING_CLASSES.get(task, tuple(f"class {i}" for i in range(kernel[1])))


def _refuse_other_network(prefix, architecture, expected, found):
    """Raise where the checkpoint's network is not wholly the expected one."""
    wrong = [
        f"{name} {found[name]} instead of {shape}"
        for name, shape in expected.items()
        if name in found and found[name] != shape
    ]
    missing = [name for name in expected if name not in found]
    extra = [name for name in found if name not in expected]
    if wrong or missing or extra:
        raise WeightsError(
            f"{prefix}: the checkpoint must hold exactly one {architecture} of the public code. "
            f"Received: missing {shorten(missing)}; of another shape {shorten(wrong)}; not in it {shorten(extra)}"
        )


def _normalization(task, leads):
    if task == "finetuning":
        constants = challenge2017.PAPER_NAME, challenge2017.PAPER_MEAN_MV, challenge2017.PAPER_STD_MV
    else:
        constants = "icentia11k", icentia11k.PAPER_MEAN_MV, icentia11k.PAPER_STD_MV
    return Normalization.paper(*constants, leads=leads)

"""The weights file: one .npz of named arrays with the model's description inside.

An array's key is "layer/variable", so two layers of equal shape cannot be
mistaken for each other, and reading one never runs code.
"""

import dataclasses
import pathlib
import zipfile
import zlib

import keras
import numpy as np

from transplant.atomic import atomic_path
from transplant.errors import WeightsError, shorten
from transplant.training.description import ModelDescription

DESCRIPTION_KEY = "description"
RANDOM_STATE = "random_state"


@dataclasses.dataclass(frozen=True, eq=False)
class WeightsFile:
    """A weights file that was read.

    Attributes:
        path: where it lies.
        arrays: dict of numpy arrays by "layer/variable".
        description: the `ModelDescription` of the model that was saved.
    """

    path: pathlib.Path
    arrays: dict
    description: ModelDescription


def _layers(model):
    """Yield the layers of a model, those of nested models in place, each once."""
    seen = set()

    def walk(container):
        for layer in container.layers:
            if id(layer) in seen:
                continue
            seen.add(id(layer))
            if isinstance(layer, keras.Model):
                yield from walk(layer)
            else:
                yield layer

    yield from walk(model)


def _layer_variables(layer):
    """Yield (name within the layer, variable) for all state of a layer."""
    random_states = 0
    for variable in layer.variables:
        if variable.name == "seed_generator_state":
            # Keras numbers seed generators over the whole process, so their own names are not stable.
            yield RANDOM_STATE + (f"_{random_states}" if random_states else ""), variable
            random_states += 1
            continue
        parts = variable.path.split("/")
        if layer.name in parts[:-1]:
            inside = parts[parts.index(layer.name) + 1 :]
        else:
            inside = (*_way_within(layer, variable), parts[-1])
        yield "/".join(inside), variable


def _way_within(layer, variable):
    """Return the names of the parts of a layer that lead to a variable of it.

    A `.keras` file is read cell by cell, so that the path of a recurrent cell's variable does
    not name the layer around the cell.
    """
    for part in vars(layer).values():
        if isinstance(part, keras.layers.Layer) and any(v is variable for v in part.variables):
            return (part.name, *_way_within(part, variable))
    return ()


def is_random_state(key):
    """Return whether a key names the state of a random generator, such as dropout's."""
    return key.rsplit("/", 1)[-1].startswith(RANDOM_STATE)


def named_variables(model):
    """Return the variables of a model by "layer/variable".

    Trainable weights, batch-norm moments and the state of random generators
    (as "layer/random_state"); the variables of optimizers and metrics are no
    part of it. The name of a nested model is not in the key, so a backbone has
    the same keys alone and inside a classifier.

    Args:
        model: a built `keras.Model`.

    Returns:
        dict of Keras variables in the order of the layers.

    Raises:
        WeightsError: if two variables have one name, or a variable belongs to
            no layer.
    """
    found = {}
    for layer in _layers(model):
        for name, variable in _layer_variables(layer):
            key = f"{layer.name}/{name}"
            if key in found:
                raise WeightsError(
                    f"every layer of a model needs a name of its own. Received: {key} twice in {model.name}"
                )
            found[key] = variable
    collected = {id(variable) for variable in found.values()}
    stray = [variable.path for variable in model.variables if id(variable) not in collected]
    if stray:
        raise WeightsError(
            f"every variable of a model must belong to one of its layers. Received: {', '.join(stray)} in {model.name}"
        )
    return found


def _as_array(variable):
    array = np.asarray(keras.ops.convert_to_numpy(variable))
    # numpy has no bfloat16 of its own; float32 holds every value of it.
    return array if array.dtype.kind in "fiub" else array.astype(np.float32)


def checksum_of(arrays):
    """Return a checksum of named arrays, 8 hex digits, whatever their order.

    Args:
        arrays: dict name -> array.
    """
    checksum = 0
    for key in sorted(arrays):
        checksum = zlib.crc32(np.ascontiguousarray(arrays[key]).tobytes(), zlib.crc32(key.encode(), checksum))
    return f"{checksum:08x}"


def save_weights(path, model, description):
    """Write the weights of a model and its description, whole or not at all.

    Args:
        path: file to write; its name must end in ".npz".
        model: a built `keras.Model`.
        description: the model's `ModelDescription`.

    Raises:
        WeightsError: if the name has another ending, or the model's variables
            cannot be told apart by name.
    """
    path = pathlib.Path(path)
    if path.suffix != ".npz":
        raise WeightsError(f"{path}: the name of a weights file must end in .npz. Received: {path.name}")
    arrays = {key: _as_array(variable) for key, variable in named_variables(model).items()}
    with atomic_path(path) as temporary:
        np.savez(temporary, **{DESCRIPTION_KEY: np.asarray(description.to_json())}, **arrays)


def read_weights(path):
    """Read a weights file.

    Args:
        path: a file that `save_weights` wrote, or the .index file of a TensorFlow
            checkpoint of the public code (see `transplant.training.tf_checkpoint`).

    Returns:
        A `WeightsFile`.

    Raises:
        WeightsError: if the file is missing, damaged, or not a weights file.
    """
    path = pathlib.Path(path)
    if path.suffix == ".index":
        from transplant.training.tf_checkpoint import read_tf_checkpoint

        return read_tf_checkpoint(path)
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such weights file; give the .npz file of a job or its folder")
    if not zipfile.is_zipfile(path):
        raise WeightsError(
            f"{path}: not a weights file, or cut short; a weights file is the .npz that a trainer wrote. "
            f"Received: {path.stat().st_size} bytes that are no zip archive"
        )
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError) as error:
        raise WeightsError(
            f"{path}: the weights file is damaged, or holds objects that are never loaded; "
            f"copy it again from the job that wrote it. Received: {error}"
        ) from error
    text = arrays.pop(DESCRIPTION_KEY, None)
    if text is None or text.shape != () or text.dtype.kind != "U":
        raise WeightsError(
            f"{path}: a weights file holds a description of its model, and this .npz has none; "
            f"give the file that a trainer wrote. Received: arrays {shorten(arrays)}"
        )
    return WeightsFile(path, arrays, ModelDescription.from_json(str(text), path))


def assign_weights(model, weights_file):
    """Set every variable of a model from a weights file of the same model.

    Nothing is assigned unless everything fits.

    Args:
        model: a built `keras.Model`.
        weights_file: what `read_weights` returned.

    Raises:
        WeightsError: if a variable is missing in the file, has another shape
            there, or the file holds arrays that the model does not have.
    """
    variables = named_variables(model)
    arrays = weights_file.arrays
    missing = [key for key in variables if key not in arrays]
    extra = [key for key in arrays if key not in variables]
    if missing or extra:
        raise WeightsError(
            f"{weights_file.path}: the file must hold exactly the variables of the model {model.name}. "
            f"Received: missing {shorten(missing)}; not in the model {shorten(extra)}; "
            "to use the backbone of another model, start a new job with --weights-file"
        )
    wrong = [
        f"{key} {arrays[key].shape}, the model {tuple(variable.shape)}"
        for key, variable in variables.items()
        if arrays[key].shape != tuple(variable.shape)
    ]
    if wrong:
        raise WeightsError(
            f"{weights_file.path}: every array must have the shape of its variable. Received: {shorten(wrong)}; "
            "build the model with the classes, leads and stages of the file"
        )
    for key, variable in variables.items():
        variable.assign(arrays[key])

"""Small embedded data sets that several test modules train on."""

import os
import pathlib

import pytest


@pytest.fixture(scope="session")
def real_data():
    """The folder of real recordings that TRANSPLANT_DATA names."""
    folder = os.environ.get("TRANSPLANT_DATA")
    if not folder:
        pytest.skip("TRANSPLANT_DATA is not set: no real recordings to read")
    return pathlib.Path(folder)


@pytest.fixture
def float64():
    """Build models in float64."""
    import keras

    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(before[0])
    keras.config.set_dtype_policy(before[1])


@pytest.fixture(scope="session")
def small_store(tmp_path_factory):
    """A store of six synthetic patients, one minute each."""
    from pretraining.preparation import prepare_store
    from pretraining.sources import SyntheticSource

    path = tmp_path_factory.mktemp("small") / "store"
    prepare_store(SyntheticSource(6, 60.0, 5), path, workers=1, log=lambda line: None)
    return path


@pytest.fixture(scope="session")
def small_set(tmp_path_factory):
    """A labelled set of 64 short synthetic records, 1,024 samples each."""
    from finetuning.data import synthetic_set

    path = tmp_path_factory.mktemp("small") / "set.npz"
    synthetic_set(7, 64, length=1024).save(path)
    return path

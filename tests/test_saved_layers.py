"""Layers become known to Keras in whatever order the two are imported, and the package stays light."""

import importlib
import pkgutil
import subprocess
import sys

import keras
import pytest

import transplant.modules
from transplant.saved_layers import SAVED_LAYERS

# Stands for Keras, whose import takes seconds.
KERAS = """
import types
known = {}
def register(package):
    def note(cls):
        known[f"{package}>{cls.__name__}"] = cls
        return cls
    return note
saving = types.SimpleNamespace(register_keras_serializable=register, get_custom_objects=lambda: known)
class layers:
    class Layer:
        @classmethod
        def from_config(cls, config):
            return cls.__name__, config
"""
NAME = "transplant.spectrogram>Spectrogram"


def run(code, folder):
    (folder / "keras").mkdir()
    (folder / "keras" / "__init__.py").write_text(KERAS)
    program = (
        f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}\n"
        f"print(sorted(keras.known))\nprint(keras.known[{NAME!r}].from_config({{'hop': 32}}))\n"
        f"print(type(keras.known[{NAME!r}]).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    "imports",
    [
        "import transplant, keras",
        "import keras, transplant",
        "import transplant.modules.spectrogram, keras",
        "import transplant, importlib.util; importlib.util.find_spec('keras'); import keras",
        "import transplant; from keras import layers; import keras",
    ],
)
def test_in_any_order_of_imports_a_file_finds_its_layers(imports, tmp_path):
    assert run(imports, tmp_path) == [str(sorted(SAVED_LAYERS)), "('Spectrogram', {'hop': 32})", "type"]


def test_the_finder_leaves_when_its_work_is_done(tmp_path):
    assert run("before = len(sys.meta_path)\nimport transplant, keras\nassert len(sys.meta_path) == before", tmp_path)


def test_keras_that_is_not_there_is_still_missing():
    code = "import sys, transplant; sys.path[:] = []; import keras"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'keras'"


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, transplant; print(sorted({'keras', 'numpy', 'tensorflow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_layer_of_the_package_is_listed_under_its_name():
    for module in pkgutil.iter_modules(transplant.modules.__path__, "transplant.modules."):
        importlib.import_module(module.name)
    known = keras.saving.get_custom_objects()
    registered = {name: cls.__module__ for name, cls in known.items() if name.startswith("transplant.")}
    assert registered == SAVED_LAYERS

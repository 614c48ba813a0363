"""The test that every kind of saved model goes through: a fresh process gives the same outputs."""

import subprocess
import sys

import numpy as np

_PROGRAM = """
import sys
import keras, numpy as np
package, folder, *names = sys.argv[1:]
if package:
    __import__(package)
for name in names:
    model = keras.saving.load_model(f"{folder}/{name}.keras", safe_mode=True)
    outputs = model(np.load(f"{folder}/x.npy"), training=False)
    assert (keras.config.dtype_policy().name, keras.backend.standardize_dtype(outputs.dtype)) == ("float32", "float32")
    np.save(f"{folder}/{name}.npy", outputs.numpy())
assert package or "transplant" not in sys.modules
"""


def check_files_in_a_fresh_process(expected, x, folder, package="transplant"):
    """Check that `.keras` files give the same outputs in a process that imports the package and nothing of it.

    Args:
        expected: dict name -> outputs of the model that was saved as `folder / "NAME.keras"`.
        x: inputs of all.
        folder: where the files are.
        package: what the process imports first. Defaults to "transplant"; None where Keras alone is to do.
    """
    np.save(folder / "x.npy", x)
    command = [sys.executable, "-c", _PROGRAM, package or "", str(folder), *expected]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    for name, outputs in expected.items():
        assert np.array_equal(np.load(folder / f"{name}.npy"), outputs), name

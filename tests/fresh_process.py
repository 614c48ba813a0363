"""The test that every kind of saved model goes through: a fresh process gives the same outputs.

Importing TensorFlow takes seconds, so one process imports the package, and no module of it, once, and is
forked for every check: what one check loads, the next one does not have.
"""

import atexit
import json
import subprocess
import sys

import numpy as np

_LOAD = """
import keras, numpy as np

def load(folder, names):
    for name in names:
        model = keras.saving.load_model(f"{folder}/{name}.keras", safe_mode=True)
        outputs = model(np.load(f"{folder}/x.npy"), training=False)
        assert keras.config.dtype_policy().name == "float32"
        np.save(f"{folder}/{name}.npy", keras.ops.convert_to_numpy(outputs))
"""

_NURSERY = f"""
import json, os, sys, traceback
import transplant
{_LOAD}
for line in sys.stdin:
    folder, names = json.loads(line)
    child = os.fork()
    if not child:
        status = 1
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            load(folder, names)
            status = 0
        except BaseException:
            with open(f"{{folder}}/error.txt", "w") as file:
                traceback.print_exc(file=file)
        finally:
            os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""

_WITHOUT_PACKAGE = f"""
import sys
{_LOAD}
load(sys.argv[1], sys.argv[2:])
assert "transplant" not in sys.modules
"""

_nursery = None


def check_files_in_a_fresh_process(expected, x, folder, needs_package=True):
    """Check that `.keras` files give the same outputs in a process that imports the package and nothing of it.

    Args:
        expected: dict name -> outputs of the model that was saved as `folder / "NAME.keras"`.
        x: inputs of all.
        folder: where the files are.
        needs_package: whether the process imports the package first; False where Keras alone is to do. Defaults
            to True.
    """
    np.save(folder / "x.npy", x)
    if needs_package:
        status = _ask_nursery(folder, list(expected))
        assert status == 0, (folder / "error.txt").read_text() if (folder / "error.txt").exists() else status
    else:
        command = [sys.executable, "-c", _WITHOUT_PACKAGE, str(folder), *expected]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr
    for name, outputs in expected.items():
        assert np.array_equal(np.load(folder / f"{name}.npy"), outputs), name


def _ask_nursery(folder, names):
    """Have a fork of the nursery load the files; return its exit status."""
    global _nursery
    if _nursery is None or _nursery.poll() is not None:
        _nursery = subprocess.Popen(
            [sys.executable, "-c", _NURSERY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        atexit.register(_nursery.kill)
    _nursery.stdin.write(json.dumps([str(folder), names]) + "\n")
    _nursery.stdin.flush()
    return int(_nursery.stdout.readline() or -1)

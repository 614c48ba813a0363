"""The scripts of benchmarks/ import each other by name, as when they are run."""

import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).parents[2] / "benchmarks"))

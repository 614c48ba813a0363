"""Every entry point: instant help, unknown flags refused, status 2 and one line for bad input."""

import importlib
import subprocess
import sys

import pytest

ENTRY_POINTS = (
    "pretraining.prepare",
    "pretraining.trainer",
    "finetuning.prepare",
    "finetuning.trainer",
    "finetuning.compare",
    "distillation.condensation.trainer",
    "distillation.condensation.evaluate",
    "distillation.rdpd.trainer",
    "distillation.rdpd.nominal_counts",
    "transplant.complexity",
    "transplant.demo",
    "transplant.datasets.tfds.build",
)


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_help_loads_neither_tensorflow_nor_keras(name):
    program = (
        "import importlib, sys\n"
        f"module = importlib.import_module({name!r})\n"
        "try:\n    module.main(['--help'])\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "print(sorted({'tensorflow', 'keras', 'pandas', 'wfdb', 'matplotlib'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0].startswith(f"usage: python -m {name}")
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_unknown_and_abbreviated_flags_are_errors(name, capsys):
    module = importlib.import_module(name)
    for flags in (["--no-such-flag", "1"], ["--see", "1"]):
        with pytest.raises(SystemExit) as end:
            module.main(flags)
        assert end.value.code == 2


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_every_flag_is_explained(name):
    parser = importlib.import_module(name).build_parser()
    assert [action.option_strings for action in parser._actions if not action.help] == []

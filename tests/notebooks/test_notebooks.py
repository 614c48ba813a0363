"""The notebooks run from top to bottom, and what is kept of them is what such a run leaves."""

import copy
import importlib
import os
import pathlib
import re
import shlex

import nbformat
import pytest

ROOT = pathlib.Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)

MOST_BYTES = 2**20
CELL_TIMEOUT_S = 3600
# What each notebook's commands are, and files that they leave in jobs/NOTEBOOK.
COMPARED = {
    "commands": {"pretraining.prepare", "pretraining.trainer", "finetuning.prepare", "finetuning.compare"},
    "files": ("compare/comparison.png", "compare/epochs.png", "compare/comparison.json"),
}
EXPECTED = {
    "transfer_learning": COMPARED,
    "spectrograms": COMPARED,
    "dataset_distillation": {
        "commands": {"distillation.condensation.trainer", "distillation.condensation.evaluate"},
        "files": ("dc/distilled.npz", "dc/evaluation.json", "dm/examples.png", "beats/evaluation.md"),
    },
    "rdpd": {
        "commands": {"distillation.rdpd.trainer", "distillation.rdpd.compare"},
        "files": ("rdpd/student.keras", "compare/comparison.md", "compare/differences.png"),
    },
}
# The run of a test trains a smaller network, for less long and on less data; its numbers are not looked at.
SMALLER = {
    **{"--epochs": 2, "--steps-per-epoch": 2, "--iterations": 4, "--seeds": 1, "--networks": 2},
    **{"--stages": 1, "--frame-size": 512, "--val-size": 64, "--batch-size": 8},
    **{"--synthetic-patients": 20, "--synthetic-seconds": 60, "--val-patients": 5},
    **{"--records-count": 130, "--length": 1024},
}
COLAB = "https://colab.research.google.com/github/"
# Folders of a machine, in a path or as the cause of a warning.
MACHINE_PATH = re.compile(r"(?<![\w.:/-])/(?:tmp|home|root|usr|opt|var|mnt|work|content|Users)\b|[A-Z]:\\")


def read(path):
    """Return a notebook; one that the format does not allow is refused."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code_cells(notebook):
    """Return the cells that hold code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def texts(notebook):
    """Yield what the cells printed or returned as text."""
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if output.output_type == "stream":
                yield output.text
            else:
                yield from (value for kind, value in output.get("data", {}).items() if kind.startswith("text/"))


def outline(notebook):
    """Return what kind of outputs each cell has, without their numbers."""
    return [
        [(output.output_type, output.get("name") or sorted(output.get("data", {}))) for output in cell.outputs]
        for cell in code_cells(notebook)
    ]


def pictures(notebook):
    """Return how many outputs are pictures."""
    return sum("image/png" in output.get("data", {}) for cell in code_cells(notebook) for output in cell.outputs)


def assert_clean(notebook):
    """Check that no cell failed, warned, or named a folder of the machine."""
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    for text in texts(notebook):
        assert not MACHINE_PATH.search(text), MACHINE_PATH.search(text)
        # A command that fails ends with such a line, and the notebook goes on.
        assert not re.search(r"^error:|Traceback|Warning", text, re.MULTILINE), text


@every_notebook
def test_the_kept_outputs_are_those_of_one_clean_run(path):
    notebook = read(path)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert_clean(notebook)
    assert pictures(notebook) >= 6
    assert path.stat().st_size < MOST_BYTES


@every_notebook
def test_a_kept_notebook_is_the_small_run_and_says_what_it_is_worth(path):
    notebook = read(path)
    settings = "\n".join(cell.source for cell in code_cells(notebook))
    assert 'DATA = "synthetic"' in settings and "DRIVE = False" in settings
    assert "not evidence" in notebook.cells[0].source


def test_the_badge_leads_to_the_repository_that_is_installed():
    for path in NOTEBOOKS:
        notebook = read(path)
        (address,) = {
            found for cell in code_cells(notebook) for found in re.findall(r'^REPOSITORY = "(.*)"', cell.source, re.M)
        }
        # Without a public address Colab asks which repository to open.
        link = COLAB
        if address:
            repository = address.removeprefix("git+https://github.com/").removesuffix(".git")
            link = f"{COLAB}{repository}/blob/main/notebooks/{path.name}"
        assert f"({link})" in notebook.cells[0].source, path.name
        assert f"({link})" in (ROOT / "README.md").read_text(), path.name


def commands(notebook, data):
    """Yield (module, options) of the notebook's commands, with its settings for DATA."""
    variables = {"DATA": data, "JOBS": "jobs", "PRECISION": "--mixed-precision float16"}
    for cell in code_cells(notebook):
        if cell.source.startswith("if DATA =="):
            exec(cell.source, variables)
        for line in cell.source.replace("\\\n", " ").splitlines():
            if line.startswith("!"):
                python, m, module, *options = shlex.split(line.removeprefix("!").format_map(variables))
                assert (python, m) == ("python", "-m")
                yield module, options


@every_notebook
@pytest.mark.parametrize("data", ["synthetic", "real"])
def test_the_commands_take_the_options_they_are_given(path, data):
    from finetuning.comparison import check_trainer_options

    found = []
    for name, options in commands(read(path), data):
        module = importlib.import_module(name)
        args = module.parse(options) if hasattr(module, "parse") else module.build_parser().parse_args(options)
        if name == "finetuning.compare":
            check_trainer_options(args)
        found.append(name)
    assert EXPECTED[path.stem]["commands"] <= set(found)


def made_smaller(notebook):
    """Return a copy whose commands take less time; every notebook has some of them."""
    smaller, count = copy.deepcopy(notebook), 0
    for cell in code_cells(smaller):
        for option, value in SMALLER.items():
            # All whole numbers behind an option, and no fraction.
            cell.source, found = re.subn(rf"{option}(?: \d+(?![.\d]))+", f"{option} {value}", cell.source)
            count += found
    assert count
    return smaller


@pytest.fixture
def this_python(tmp_path, monkeypatch):
    """Let the kernel `python3` be this interpreter with this checkout, whatever kernels the user has."""
    from ipykernel.kernelspec import write_kernel_spec

    write_kernel_spec(tmp_path / "jupyter" / "kernels" / "python3")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])))
    monkeypatch.delenv("MPLBACKEND", raising=False)


@pytest.mark.slow
@every_notebook
def test_a_notebook_runs_from_top_to_bottom(path, tmp_path, this_python):
    from nbclient import NotebookClient

    kept = read(path)
    notebook = made_smaller(kept)
    folder = tmp_path / "run"
    folder.mkdir()
    NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        coalesce_streams=True,
    ).execute()
    assert_clean(notebook)
    assert outline(notebook) == outline(kept)
    for name in EXPECTED[path.stem]["files"]:
        assert (folder / "jobs" / path.stem / name).stat().st_size > 0

"""The command that says what a model costs."""

import json
import zipfile

import keras
import pytest

from transplant import complexity
from transplant.modules.classifier import build_classifier


def totals_printed(text):
    return next(line.split()[1:] for line in text.splitlines() if line.startswith("total"))


@pytest.mark.parametrize(
    ("arguments", "parameters", "multiply_adds"),
    [
        ("--arch mlp-16 --dataset seizure", "2,949", "2,928"),
        ("--arch gru --shape 178,1 --classes 5", "949", "145,328"),
        ("--arch logistic --dataset medical_mnist", "24,582", "24,576"),
        ("--arch cnn1d --dataset seizure --length 100 --shape 48,76", "135,429", "3,326,272"),
        ("--arch visit-gru --dataset visits --shape 5,200", "8,818", "43,552"),
        ("--arch resnet18 --stages 1 --length 2048", "116,676", "59,179,264"),
    ],
)
def test_networks_of_the_registry(arguments, parameters, multiply_adds, capsys):
    assert complexity.main(arguments.split()) == 0
    printed = totals_printed(capsys.readouterr().out)
    assert (printed[0], printed[2]) == (parameters, multiply_adds)


def test_with_no_options_it_is_resnet18_on_the_embedded_records(capsys):
    assert complexity.main([]) == 0
    out = capsys.readouterr().out
    assert out.startswith("resnet18_classifier, input (16384, 1), activations in float32\n")
    assert totals_printed(out)[0] == f"{4_492_480 + 4 * 513:,}"


def test_the_calculation_and_a_file(tmp_path, capsys):
    file = tmp_path / "report.json"
    arguments = ["--arch", "mlp-16", "--dataset", "seizure", "--calculation", "--json", str(file)]
    assert complexity.main(arguments) == 0
    assert "178 x 16 + 16 = 2,864" in capsys.readouterr().out
    assert json.loads(file.read_text())["totals"]["operations"] == 5_920


def test_the_convention_of_the_course(capsys):
    assert complexity.main(["--arch", "cnn", "--dataset", "seizure", "--convention", "course"]) == 0
    assert totals_printed(capsys.readouterr().out) == ["85,273", "84,851", "263,014", "194,242"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "any_length.keras"
    build_classifier("resnet18", 3, stages=1, padding_aware=True).save(path)
    return path


def test_a_file_of_any_length(saved, capsys):
    for options, samples in (([], 16384), (["--length", "512"], 512), (["--dataset", "seizure"], 178)):
        assert complexity.main(["--model", str(saved), *options]) == 0
        assert f"input ({samples}, 1)" in capsys.readouterr().out


def test_a_file_of_one_length(tmp_path, capsys):
    path = tmp_path / "fixed.keras"
    build_classifier("mlp-16", 5, input_shape=(178, 1)).save(path)
    assert complexity.main(["--model", str(path)]) == 0
    assert totals_printed(capsys.readouterr().out)[3] == "5,920"
    assert complexity.main(["--model", str(path), "--length", "200"]) == 2
    assert "which takes 178; leave it out" in capsys.readouterr().err


@pytest.mark.parametrize("name", complexity.MODELS_OF_JOBS)
def test_a_job_folder_stands_for_its_model(name, tmp_path, capsys):
    build_classifier("mlp-16", 5, input_shape=(178, 1)).save(tmp_path / name)
    assert complexity.main(["--model", str(tmp_path)]) == 0
    assert totals_printed(capsys.readouterr().out)[3] == "5,920"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--arch nope", "unknown architecture"),
        ("--arch logistic-features --dataset seizure", "no network"),
        ("--dataset nope", "Received: nope"),
        ("--arch cnn --dataset digits", "does not fit the records"),
        ("--arch cnn --shape 12,1 --classes 2", "at least 16 steps"),
        ("--arch visit-gru --dataset visits", "give it, e.g. --shape"),
        ("--arch gru --shape 178,1", "add --classes"),
        ("--arch logistic --dataset digits --length 9", "--length is of records of (time, channels)"),
        ("--arch resnet18 --stages 9", "Received: stages=9"),
        ("--arch resnet18 --bins 32", "takes the raw signal"),
        ("--arch visit-lstm --shape 5,9 --classes 2 --convention course", "use --convention standard"),
        ("--model MODEL --arch gru", "Received: --arch too"),
        ("--model MODEL --shape 9,2", "Received: (9, 2)"),
        ("--model MODEL --dataset visits", "give it"),
        ("--model MODEL --dataset nope", "Received: nope"),
        ("--model FOLDER/none.keras", "No such file"),
        ("--model FOLDER", "a job folder has a best_model.keras or a student.keras"),
        ("--model FOLDER/junk.keras", "is a zip archive"),
        ("--model FOLDER/archive.keras", "must hold a model"),
        ("--model FOLDER/code.keras", "Lambda"),
        ("--json FOLDER/junk.keras/report.json --arch gru --dataset seizure", "junk.keras"),
    ],
)
def test_what_cannot_be_is_one_line_and_status_2(arguments, message, saved, tmp_path, capsys):
    (tmp_path / "junk.keras").write_bytes(b"not a model")
    with zipfile.ZipFile(tmp_path / "archive.keras", "w") as archive:
        archive.writestr("metadata.json", "{")
    keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x)]).save(tmp_path / "code.keras")
    arguments = arguments.replace("MODEL", str(saved)).replace("FOLDER", str(tmp_path))
    assert complexity.main(arguments.split()) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith("error: ")
    assert message in error


@pytest.mark.parametrize("shape", ["178", "1,2,3,4", "0,1", "a,b"])
def test_a_shape_is_two_or_three_numbers(shape, capsys):
    with pytest.raises(SystemExit) as end:
        complexity.main(["--shape", shape])
    assert end.value.code == 2
    assert "--shape" in capsys.readouterr().err

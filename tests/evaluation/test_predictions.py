"""Prediction files: round trip, the old code's files, damage."""

import numpy as np
import pandas as pd
import pytest

import transplant.utils
from transplant.errors import DataError
from transplant.evaluation.predictions import read_predictions, write_predictions

CLASSES = ["A", "N", "O", "~"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_round_trip_is_exact(tmp_path, dtype):
    prob = np.random.default_rng(0).dirichlet(np.ones(4), size=50).astype(dtype)
    prob[0] = [1e-30, 1 / 3, 1, 0]
    truth = np.arange(50) % 4
    path = tmp_path / "job" / "test_predictions.csv"
    write_predictions(path, [f"0{n}" for n in range(50)], truth, prob, CLASSES)
    read = read_predictions(path)
    assert read["y_prob"].shape == (50, 4) and read["y_prob"].dtype == np.float64
    np.testing.assert_array_equal(read["y_prob"].astype(dtype), prob)
    np.testing.assert_array_equal(read["y_true"], np.eye(4)[truth])
    assert read["classes"] == CLASSES
    assert read["record_names"][:2] == ["00", "01"]  # names stay text
    assert [file.name for file in path.parent.iterdir()] == ["test_predictions.csv"]


def test_columns_are_those_of_the_reports(tmp_path):
    path = tmp_path / "p.csv"
    write_predictions(path, ["A00001"], [[0, 0, 1, 0]], [[0.1, 0.2, 0.6, 0.1]], CLASSES)
    table = pd.read_csv(path)
    assert list(table.columns) == ["record_name", *(f"{kind}_{c}" for kind in ("true", "prob") for c in CLASSES)]
    assert table.loc[0].tolist() == ["A00001", 0, 0, 1, 0, 0.1, 0.2, 0.6, 0.1]


def test_utils_names_the_same_function():
    assert transplant.utils.read_predictions is read_predictions


def test_reads_a_file_of_the_public_code(tmp_path):
    path = tmp_path / "old.csv"
    path.write_text(
        "record_name,true_A,true_N,prob_A,prob_N,pred_A,pred_N\nA1,1.0,0.0,0.7,0.3,1,0\nA2,0.0,1.0,0.6,0.4,1,0\n"
    )
    read = read_predictions(path)
    assert set(read) == {"y_true", "y_prob", "y_pred", "classes", "record_names"}
    np.testing.assert_array_equal(read["y_true"], [[1, 0], [0, 1]])
    np.testing.assert_array_equal(read["y_pred"], [[1, 0], [1, 0]])


def test_labels_are_optional(tmp_path):
    path = tmp_path / "p.csv"
    write_predictions(path, ["a", "b"], None, np.eye(2), ["x", "y,z"])
    read = read_predictions(path)
    assert "y_true" not in read
    assert read["classes"] == ["x", "y,z"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "empty file"),
        (b"record_name,label\nA1,N\n", "one prob_ column per class"),
        (b"prob_A,prob_A\n1,0\n", "one prob_ column per class"),
        (b"prob_A,prob_N\n0.5,0.5\n0.5\n", "line 3 must have 2 fields"),
        (b"prob_A,prob_N\n0.5,half\n", "line 2 must hold numbers"),
        (b"prob_A,prob_N\n0.5,nan\n", "line 2 must hold finite"),
        (b"true_A,prob_A,prob_N\n1,0.5,0.5\n", "true_N"),
        (b"true_A,true_N,prob_A,prob_N\n2,0,0.5,0.5\n", "0 or 1"),
        (b"\x89PNG\xff\xfe", "not a CSV"),
    ],
)
def test_damaged_files_are_refused_with_their_name(tmp_path, text, words):
    path = tmp_path / "damaged.csv"
    path.write_bytes(text)
    with pytest.raises(DataError, match=words) as caught:
        read_predictions(path)
    assert "damaged.csv" in str(caught.value) and "Received:" in str(caught.value)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv"):
        read_predictions(tmp_path / "none.csv")


def test_nothing_is_written_when_the_lengths_differ(tmp_path):
    for names, truth, prob in ((["a"], [0, 1], np.eye(2)), (["a", "b"], [0], np.eye(2)), (["a"], [0], [[1.0]])):
        with pytest.raises(DataError):
            write_predictions(tmp_path / "p.csv", names, truth, prob, ["x", "y"])
    assert list(tmp_path.iterdir()) == []

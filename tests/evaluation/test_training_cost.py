"""Epochs and CPU minutes to the best epoch, from small tables."""

import pandas as pd
import pytest

from transplant.errors import DataError
from transplant.evaluation.training_cost import best_epoch, cost_to_epoch, read_cost_to_best

HISTORY = pd.DataFrame({"epoch": [1, 2, 3, 4], "f1": [0.3, 0.6, 0.6, None], "val_loss": [0.9, 0.8, 0.7, 0.75]})
TIMING = pd.DataFrame({"epoch": [1, 2, 3, 4], "seconds": [9, 9, 9, 9], "cpu_seconds": [30.0, 12.0, 18.0, 60.0]})


def test_best_epoch_is_the_first_of_the_best():
    assert best_epoch(HISTORY) == 2
    assert best_epoch(HISTORY, "val_loss") == 3
    assert best_epoch(HISTORY.iloc[2:], "f1") == 3


def test_cpu_minutes_are_summed_up_to_the_epoch():
    assert cost_to_epoch(TIMING, 2) == {"epochs_to_best": 2, "cpu_minutes_to_best": pytest.approx(0.7)}
    assert cost_to_epoch(TIMING.iloc[::-1], 3)["cpu_minutes_to_best"] == pytest.approx(1.0)


def test_a_job_folder_is_read(tmp_path):
    HISTORY.to_csv(tmp_path / "history.csv", index=False)
    TIMING.to_csv(tmp_path / "timing.csv", index=False)
    assert read_cost_to_best(tmp_path, "val_loss") == {"epochs_to_best": 3, "cpu_minutes_to_best": pytest.approx(1.0)}
    with pytest.raises(DataError, match=f"{tmp_path}.*auc"):
        read_cost_to_best(tmp_path, "auc")


def test_missing_files_columns_and_epochs_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"timing\.csv"):
        read_cost_to_best(tmp_path)
    (tmp_path / "timing.csv").write_text("")
    with pytest.raises(DataError, match=r"timing\.csv"):
        read_cost_to_best(tmp_path)
    with pytest.raises(DataError, match="none for cpu_seconds"):
        cost_to_epoch(TIMING.drop(columns="cpu_seconds"), 1)
    with pytest.raises(DataError, match="epochs 1, 3"):
        cost_to_epoch(TIMING.drop(index=1), 3)
    with pytest.raises(DataError, match="to epoch 5"):
        cost_to_epoch(TIMING, 5)
    with pytest.raises(DataError, match="by a column"):
        best_epoch(pd.DataFrame({"epoch": [1], "f1": [None]}))

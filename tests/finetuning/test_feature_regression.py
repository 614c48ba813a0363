"""Logistic regression on hand features: against scikit-learn's own, and as a job."""

import dataclasses
import json

import numpy as np
import pytest
from labelled_sets import grouped_set, hourly_set
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from finetuning import trainer
from finetuning.feature_regression import FeatureRegression
from transplant.datasets.observed_values import observed_values
from transplant.errors import DataError
from transplant.signals.hand_features import hand_features
from transplant.utils import read_predictions


def test_it_is_scikit_learns_regression_on_imputed_and_scaled_features():
    for data in (hourly_set(), grouped_set()):
        values, observed, _ = observed_values(data)
        features = hand_features(values, observed)
        pipeline = make_pipeline(
            SimpleImputer(keep_empty_features=True), StandardScaler(), LogisticRegression(C=0.001, max_iter=1000)
        )
        expected = pipeline.fit(features, data.y).predict_proba(features)
        np.testing.assert_allclose(FeatureRegression.fit(data).predict(data), expected, atol=1e-4)


def test_a_file_keeps_it_whole_and_runs_nothing(tmp_path):
    data = hourly_set()
    model = FeatureRegression.fit(data)
    model.save(tmp_path / "model.npz")
    again = FeatureRegression.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(again.predict(data), model.predict(data))
    assert again.classes == ("survived", "died") and again.variables == ("HR", "pH")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "model.npz").read_bytes()[:300])
    with pytest.raises(DataError, match=r"cut\.npz: a feature_regression\.npz is needed"):
        FeatureRegression.load(tmp_path / "cut.npz")
    with pytest.raises(DataError, match="knows 2 variables"):
        again.predict(grouped_set())


def test_a_class_that_is_not_there_is_not_predicted():
    data = grouped_set()
    model = FeatureRegression.fit(data.select(data.y != 1))
    assert (model.predict(data)[:, 1] == 0).all()
    np.testing.assert_allclose(model.predict(data).sum(axis=1), 1)


def test_the_trainer_leaves_the_files_of_any_job(tmp_path, capsys):
    data = hourly_set()
    data.save(tmp_path / "set.npz")
    job = tmp_path / "job"
    options = ["--arch", "logistic-features", "--train", str(tmp_path / "set.npz"), "--folds", "3", "--fold", "0"]
    assert trainer.main([*options, "--val-size", "0.2", "--job-dir", str(job)]) == 0
    metrics = json.loads((job / "metrics.json").read_text())
    assert metrics["test"]["roc_auc"] > 0.9 and metrics["monitor"] == "auc"
    model = FeatureRegression.load(job / "feature_regression.npz")
    written = read_predictions(job / "test_predictions.csv")
    test = data.select(np.isin(data.record_ids, written["record_names"]))
    np.testing.assert_allclose(model.predict(test), written["y_prob"], atol=1e-9)
    assert "84 features of 2 variables" in capsys.readouterr().out


def test_what_has_no_sense_for_it_is_refused(tmp_path, capsys):
    table = dataclasses.replace(hourly_set(), unit="mixed")
    table.save(tmp_path / "set.npz")
    options = ["--arch", "logistic-features", "--train", str(tmp_path / "set.npz"), "--job-dir", str(tmp_path / "job")]
    assert trainer.main([*options, "--weights-file", str(tmp_path)]) == 2
    assert "error: " in capsys.readouterr().err

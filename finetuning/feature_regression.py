"""Logistic regression on hand-made features of each record, with the files of any other job."""

import dataclasses
import json
import time
import zipfile
import zlib

import numpy as np
import pandas as pd

from finetuning.results import write_results
from transplant.atomic import atomic_path
from transplant.datasets.observed_values import observed_values
from transplant.errors import DataError, shorten
from transplant.signals.hand_features import feature_names, hand_features
from transplant.training.checkpoint import Progression
from transplant.training.validation import validation_values

REGULARISATION = 0.001  # scikit-learn's C, as published
MODEL_FILE = "feature_regression.npz"
_FORMAT = "transplant feature regression 1"
_ARRAYS = ("coefficients", "intercepts", "mean", "std", "description")


@dataclasses.dataclass(frozen=True, eq=False)
class FeatureRegression:
    """Multinomial logistic regression on standardised features.

    Attributes:
        coefficients: float64 (features, classes).
        intercepts: float64 (classes,).
        mean, std: float64 (features,), of the training records: a feature that a record lacks is the mean.
        classes: class names.
        variables: names of the variables that the features are made of.

    Source: the logistic regression of Harutyunyan et al., "Multitask learning and benchmarking with clinical time
    series data" (2019): 7 periods x 6 statistics of each variable, L2 with C = 0.001.
    """

    coefficients: np.ndarray
    intercepts: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    classes: tuple
    variables: tuple

    @classmethod
    def fit(cls, train):
        """Return the regression that a training `LabelledSet` gives."""
        from sklearn.linear_model import LogisticRegression

        features, variables = _features(train)
        filled = np.where(np.isfinite(features), features, np.nan)
        known = np.isfinite(filled).any(axis=0)
        mean = np.zeros(filled.shape[1])
        mean[known] = np.nanmean(filled[:, known], axis=0)
        std = np.where(np.isnan(filled), mean, filled).std(axis=0)
        std[std == 0] = 1
        fitted = LogisticRegression(C=REGULARISATION, max_iter=1000)
        fitted.fit(_standardised(features, mean, std), train.y)
        coefficients = np.zeros((filled.shape[1], len(train.classes)))
        # A class that the training part lacks is as good as impossible.
        intercepts = np.full(len(train.classes), -np.inf)
        if len(fitted.classes_) == 2:
            coefficients[:, fitted.classes_[1]], intercepts[fitted.classes_] = fitted.coef_[0], 0.0
            intercepts[fitted.classes_[1]] = fitted.intercept_[0]
        else:
            coefficients[:, fitted.classes_], intercepts[fitted.classes_] = fitted.coef_.T, fitted.intercept_
        return cls(coefficients, intercepts, mean, std, train.classes, variables)

    def predict(self, data):
        """Return float64 (records, classes), the class probabilities of a `LabelledSet`.

        Raises:
            DataError: if its variables are others.
        """
        import scipy.special

        features, variables = _features(data)
        if variables != self.variables:
            raise DataError(
                f"{data.dataset}: the regression knows {len(self.variables)} variables ({shorten(self.variables)}). "
                f"Received: {len(variables)} ({shorten(variables)}); give records prepared alike"
            )
        logits = _standardised(features, self.mean, self.std) @ self.coefficients + self.intercepts
        return scipy.special.softmax(logits, axis=1)

    def save(self, path):
        """Write the regression as one .npz, whole or not at all."""
        description = {
            "format": _FORMAT,
            "classes": list(self.classes),
            "variables": list(self.variables),
            "features": list(feature_names(self.variables)),
        }
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            np.savez(
                file,
                coefficients=self.coefficients,
                intercepts=self.intercepts,
                mean=self.mean,
                std=self.std,
                description=np.array(json.dumps(description)),
            )

    @classmethod
    def load(cls, path):
        """Read what `save` wrote; nothing in the file is executed.

        Raises:
            DataError: if the file is missing, cut or another.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in _ARRAYS}
            values = json.loads(str(arrays.pop("description")))
            if values["format"] != _FORMAT:
                raise ValueError("another format")
            return cls(**arrays, classes=tuple(values["classes"]), variables=tuple(values["variables"]))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"{path}: a {MODEL_FILE} is needed. Received: {error}; fit it again") from error


def run_feature_regression(data, job, monitor, log=print):
    """Fit the regression and leave predictions, metrics, plots and the model in the job folder.

    Args:
        data: `FinetuningData`.
        job: job folder.
        monitor: the metric that is reported as the one that was monitored.
        log: function that takes a line.

    Returns:
        dict split -> metrics.
    """
    clock, cpu_clock = time.monotonic(), time.process_time()
    model = FeatureRegression.fit(data.train)
    count = model.coefficients.shape[0]
    log(
        f"logistic regression on {count:,} features of {len(model.variables)} variables, C = {REGULARISATION:g}: "
        "fitted at once, so epochs, batches and optimiser have no say"
    )
    trained = validation_values(data.train.y, model.predict(data.train), ())
    row = {"epoch": 1, "loss": trained["val_loss"], "acc": trained["val_acc"]}
    if data.validation is not None:
        row |= validation_values(data.validation.y, model.predict(data.validation), (monitor,))
    times = {"seconds": time.monotonic() - clock, "cpu_seconds": time.process_time() - cpu_clock}
    for name, table in (("history.csv", row), ("timing.csv", {"epoch": 1} | times)):
        with atomic_path(job / name) as temporary:
            pd.DataFrame([table]).to_csv(temporary, index=False)
    model.save(job / MODEL_FILE)
    state = Progression(epoch=1, best_epoch=1)
    return write_results(model.predict, data, job, state, monitor, log, MODEL_FILE)


def _features(data):
    values, observed, names = observed_values(data)
    return hand_features(values, observed).astype(np.float64), tuple(names)


def _standardised(features, mean, std):
    return (np.where(np.isfinite(features), features, mean) - mean) / std

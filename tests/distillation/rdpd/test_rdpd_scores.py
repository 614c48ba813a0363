"""Scores against scikit-learn, and batches that seed and epoch decide."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from distillation.rdpd.batches import epoch_batches
from distillation.rdpd.scores import rdpd_scores


def test_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    y, probabilities = rng.integers(4, size=90), rng.dirichlet(np.ones(4) / 2, 90)
    found = rdpd_scores(y, probabilities)
    one_hot = np.eye(4)[y]
    assert found["roc_auc"] == pytest.approx(roc_auc_score(one_hot, probabilities, average="macro"))
    assert found["pr_auc"] == pytest.approx(average_precision_score(one_hot, probabilities, average="macro"))
    assert found["macro_f1"] == pytest.approx(f1_score(y, probabilities.argmax(axis=1), average="macro"))
    assert found["macro_f1_at_half"] == pytest.approx(f1_score(one_hot, probabilities >= 0.5, average="macro"))


def test_a_class_that_is_not_there_is_left_out():
    rng = np.random.default_rng(0)
    y, probabilities = rng.integers(2, size=50), rng.dirichlet(np.ones(3), 50)
    expected = np.mean([roc_auc_score(y == label, probabilities[:, label]) for label in (0, 1)])
    found = rdpd_scores(y, probabilities)
    assert found["roc_auc"] == pytest.approx(expected)
    f1_of_all = f1_score(y, probabilities.argmax(axis=1), average=None, labels=[0, 1, 2])
    assert f1_of_all[2] == 0 and found["macro_f1"] == pytest.approx(f1_of_all[:2].mean())
    assert rdpd_scores(np.zeros(50, int), probabilities)["roc_auc"] is None


def test_every_record_comes_once_with_its_targets_in_an_order_of_seed_and_epoch():
    x = np.arange(10, dtype=np.float32)[:, None, None]
    targets = {"labels": np.arange(10, dtype=np.int32), "teacher_logits": np.arange(20.0).reshape(10, 2)}

    def order(seed, epoch):
        rows = []
        for batch, of_batch in epoch_batches(x, targets, 4, seed, epoch):
            labels = of_batch["labels"].numpy()
            assert batch.numpy()[:, 0, 0].tolist() == labels.tolist()
            assert of_batch["teacher_logits"].numpy().tolist() == targets["teacher_logits"][labels].tolist()
            rows.append(labels.tolist())
        assert [len(part) for part in rows] == [4, 4, 2]
        return [row for part in rows for row in part]

    assert sorted(order(1, 0)) == list(range(10))
    assert order(1, 0) == order(1, 0) != order(1, 1) and order(1, 0) != order(2, 0)

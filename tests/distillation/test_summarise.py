"""What is reported of hand-made probabilities, against scikit-learn and sums worked out by hand."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, roc_auc_score

from distillation.condensation.comparison import Row, summarise, table

Y = np.array([0, 1, 1, 0, 1, 0])
NAMES = np.array([f"p{number}" for number in range(6)])


def of_positive(*values):
    """Return probabilities (records, 2) of what the second class is given."""
    return np.stack([1 - np.array(values), values], axis=1)


PERFECT = of_positive(0.1, 0.9, 0.8, 0.2, 0.7, 0.3)  # 6 of 6 right
ONE_WRONG = of_positive(0.1, 0.9, 0.8, 0.2, 0.4, 0.3)  # 5 of 6, all in order
INVERTED = of_positive(0.9, 0.1, 0.2, 0.8, 0.3, 0.7)  # 0 of 6
LAST_ORDER = of_positive(0.1, 0.9, 0.8, 0.6, 0.4, 0.3)  # 4 of 6, 8 of 9 pairs in order


def entry_of(summary, learner, trained_on):
    (found,) = [entry for entry in summary if (entry["learner"], entry["trained_on"]) == (learner, trained_on)]
    return found


ROWS = [
    Row("mlp3", "distilled", [PERFECT, ONE_WRONG]),
    Row("mlp3", "random", [LAST_ORDER, INVERTED, ONE_WRONG]),
    Row("mlp3", "whole set", [PERFECT]),
    Row("logistic", "distilled", [ONE_WRONG]),
    Row("logistic", "random", [PERFECT]),
    Row("cnn", "distilled", [PERFECT]),
    Row("mlp3", "distilled", [INVERTED], "own steps"),
]


def test_means_and_deviations_are_worked_out_by_hand():
    summary = summarise(ROWS, Y, NAMES)
    assert [(entry["learner"], entry["trained_on"], entry["networks"]) for entry in summary] == [
        ("mlp3", "distilled", 2),
        ("mlp3", "random", 3),
        ("mlp3", "whole set", 1),
        ("logistic", "distilled", 1),
        ("logistic", "random", 1),
        ("cnn", "distilled", 1),
        ("mlp3, own steps", "distilled", 1),
    ]
    of_distilled, of_random = summary[0]["accuracy"], summary[1]["accuracy"]
    assert of_distilled["mean"] == pytest.approx(11 / 12)
    assert of_distilled["std"] == pytest.approx(1 / 6 / 2**0.5)  # half a difference, squared twice, over one
    assert of_random["mean"] == pytest.approx((4 + 0 + 5) / 18)
    assert of_random["std"] == pytest.approx(np.sqrt((1**2 + 3**2 + 2**2) / 2) / 6)  # 4, 0 and 5 about 3
    assert summary[0]["roc_auc"]["mean"] == 1 and summary[0]["roc_auc"]["std"] == 0
    assert summary[2]["accuracy"] == {"mean": 1.0, "std": None, "interval": {"low": 1.0, "high": 1.0}}  # in every draw


def test_differences_are_to_the_random_sets_and_to_the_whole_set_of_the_same_learner():
    summary = summarise(ROWS, Y, NAMES)
    assert summary[0]["roc_auc"]["above"]["random"]["difference"] == pytest.approx(1 - (8 / 9 + 0 + 1) / 3)
    for learner, own, of_real in (
        ("mlp3", 11 / 12, {"random": 0.5, "whole set": 1.0}),
        ("logistic", 5 / 6, {"random": 1.0}),
        ("mlp3, own steps", 0.0, {"random": 0.5, "whole set": 1.0}),
    ):
        above = entry_of(summary, learner, "distilled")["accuracy"]["above"]
        assert {kind: found["difference"] for kind, found in above.items()} == {
            kind: pytest.approx(own - mean) for kind, mean in of_real.items()
        }
        assert all(found["low"] <= found["difference"] <= found["high"] for found in above.values())
    for entry in (entry_of(summary, "cnn", "distilled"), summary[1], summary[2], summary[4]):
        assert not any("above" in entry[name] for name in ("accuracy", "macro_f1", "roc_auc", "pr_auc"))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_scores_agree_with_scikit_learn(n_classes):
    rng = np.random.default_rng(n_classes)
    y = rng.integers(n_classes, size=80)
    networks = [rng.dirichlet(1 + 2 * np.eye(n_classes)[label]) for label in np.tile(y, 3)]
    networks = np.reshape(networks, (3, 80, n_classes))
    (entry,) = summarise([Row("mlp3", "random", list(networks))], y, np.arange(80).astype(str))
    one_hot = np.eye(n_classes)[y]
    ranked = [(y, found[:, 1]) if n_classes == 2 else (one_hot, found) for found in networks]
    labels = [found.argmax(axis=1) for found in networks]
    expected = {
        "accuracy": [accuracy_score(y, of_network) for of_network in labels],
        "macro_f1": [f1_score(y, of_network, average="macro") for of_network in labels],
        "roc_auc": [roc_auc_score(*of_network, average="macro") for of_network in ranked],
        "pr_auc": [average_precision_score(*of_network, average="macro") for of_network in ranked],
    }
    for name, values in expected.items():
        assert entry[name]["mean"] == pytest.approx(np.mean(values), abs=1e-9), name
        assert entry[name]["std"] == pytest.approx(np.std(values, ddof=1), abs=1e-9), name


def test_only_the_named_test_records_count():
    rows = np.array([3, 4, 0, 1])  # of LAST_ORDER the first two are wrong
    summary = summarise(ROWS[:2], Y, NAMES, rows)
    found = entry_of(summary, "mlp3", "distilled")["accuracy"]
    assert found["mean"] == pytest.approx((4 + 3) / 8)
    assert entry_of(summary, "mlp3", "random")["accuracy"]["mean"] == pytest.approx((2 + 0 + 3) / 12)
    assert found["above"]["random"]["difference"] == pytest.approx(7 / 8 - 5 / 12)
    alone = [Row(row.learner, row.trained_on, [p[rows] for p in row.probabilities]) for row in ROWS[:2]]
    assert summary == summarise(alone, Y[rows], NAMES[rows])


def test_records_of_one_patient_are_drawn_together():
    rng = np.random.default_rng(0)
    y = np.arange(20) % 2
    sets = [[of_positive(*rng.random(20))] for _ in range(2)]  # one network each: records alone differ by chance

    def interval(copies, names):
        rows = [
            Row("mlp3", trained_on, [np.repeat(found, copies, axis=0) for found in networks])
            for trained_on, networks in zip(("distilled", "random"), sets)
        ]
        entry = summarise(rows, np.repeat(y, copies), names)[0]
        scores = [entry[name] for name in ("accuracy", "roc_auc")]
        found = [of for score in scores for of in (score["above"]["random"], score["interval"])]
        return np.array([[of["low"], of["high"]] for of in found])

    names = np.array([f"p{number:02d}" for number in range(20)])
    single = interval(1, names)
    # Thirty copies of each patient's record say nothing more; thirty patients in the place of each would.
    np.testing.assert_allclose(interval(30, np.repeat(names, 30)), single, atol=1e-9)
    others = interval(30, np.arange(600).astype(str))
    assert (np.ptp(others, axis=1) < 0.3 * np.ptp(single, axis=1)).all()


def test_a_table_says_how_far_above_others_by_the_measure_of_as_many_classes():
    random = {"random": {"difference": 0.25, "low": -0.125, "high": 0.5}}
    whole = {"whole set": {"difference": -0.0625, "low": -0.5, "high": 0.375}}
    summary = [
        {"learner": "mlp3", "trained_on": "distilled", "networks": 2}
        | {name: {"mean": 0.5, "std": 0.125} for name in ("accuracy", "pr_auc")}
        | {"roc_auc": {"mean": 0.75, "std": None, "above": random}}
        | {"macro_f1": {"mean": 0.25, "std": 0.0, "above": random | whole}}
    ]
    scores = "mlp3 distilled 2 0.500 +- 0.125 0.250 +- 0.000 0.750 0.500 +- 0.125"
    for n_classes, columns, above in (
        (2, "AUROC above random", "+0.250 [-0.125, +0.500]"),
        (3, "macro-F1 above random macro-F1 above whole set", "+0.250 [-0.125, +0.500] -0.062 [-0.500, +0.375]"),
    ):
        head, *_, line = (" ".join(row.split()) for row in table(summary, n_classes).splitlines())
        assert head == f"trained on networks accuracy macro-F1 AUROC AUPRC {columns}"
        assert line == f"{scores} {above}"

"""The moving average of the weights against the same rule in numpy."""

import keras
import numpy as np
import pytest
from small_run import STEPS, batches, build_model, compile_classifier

from transplant.training.step import make_step
from transplant.training.weight_average import WeightAverage


def values(model):
    return [v.numpy() for v in model.variables if v.name != "seed_generator_state"]


@pytest.fixture
def trained():
    """A model and its average after two epochs, and the average as numpy makes it."""
    model = compile_classifier(build_model(dropout=0.3), keras.optimizers.Adam(0.05))
    model.optimizer.build(model.trainable_variables)
    average = WeightAverage(model, 0.4)
    expected, count = values(model), 0
    step = make_step(model, batches().element_spec, average)
    for epoch in range(2):
        for batch in batches(epoch):
            step(batch)
            count += 1
            # (1 + t) / (10 + t) is 2/11, 3/12, 4/13, 5/14, 6/15 = 0.4, and then the decay is lower.
            decay = [2 / 11, 3 / 12, 4 / 13, 5 / 14, 0.4, 0.4][count - 1]
            expected = [decay * e + (1 - decay) * v for e, v in zip(expected, values(model))]
    assert count == 2 * STEPS
    return model, average, expected


def test_weights_and_batch_moments_are_averaged_over_the_steps(trained):
    model, average, expected = trained
    raw = values(model)
    with average.applied():
        inside = values(model)
    assert len(expected) == 7 and all(np.abs(e - r).max() > 1e-4 for e, r in zip(expected, raw))
    for found, wanted in zip(inside, expected):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_the_model_has_its_own_weights_back_bit_for_bit(trained):
    model, average, _ = trained
    before = [v.numpy() for v in model.variables]
    with pytest.raises(ZeroDivisionError), average.applied():
        assert not np.array_equal(values(model)[0], before[0])
        raise ZeroDivisionError
    assert all(np.array_equal(a, v.numpy()) for a, v in zip(before, model.variables))


def test_take_over_begins_anew_from_the_model(trained):
    model, average, _ = trained
    average.take_over()
    raw = values(model)
    with average.applied():
        assert all(np.array_equal(a, b) for a, b in zip(raw, values(model)))

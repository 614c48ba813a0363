"""Seeds of dropout and other random layers."""

import numpy as np
from small_run import build_model

from transplant.training.runtime import seed_random_states
from transplant.training.weights import named_variables


def state(model, seed, epoch):
    seed_random_states(model, seed, epoch)
    return named_variables(model)["dropout/random_state"].numpy().tolist()


def test_states_depend_on_seed_and_epoch_alone():
    first, second = build_model(0.5), build_model(0.5)
    signal = np.ones((2, 16, 1), np.float32)
    first(signal, training=True)
    assert state(first, 7, 3) == state(second, 7, 3)
    np.testing.assert_array_equal(first(signal, training=True), second(signal, training=True))
    states = {tuple(state(first, seed, epoch)) for seed in (7, 8) for epoch in (0, 1, 2)}
    assert len(states) == 6 and all(counter == 0 and 0 <= word < 2**31 for word, counter in states)


def test_layers_of_other_names_get_other_states():
    model = build_model(0.5)
    model.get_layer("dropout").name = "other"
    seed_random_states(model, 7, 3)
    assert named_variables(model)["other/random_state"].numpy().tolist() != state(build_model(0.5), 7, 3)

"""Seeds of everything random, so that no two purposes ever draw the same numbers."""

START, BATCH, WEIGHTS, LOOK, EVALUATION, OWN_STEPS, CORESET, ORDER, CHOICE = range(1, 10)


def stream(seed, purpose, *numbers):
    """Return the seed of a purpose, for `np.random.default_rng`.

    numpy fills seeds up with zeros, so that (1, 2) and (1, 2, 0) are one stream; here no part is zero.

    Args:
        seed: of the run.
        purpose: one of the names above.
        *numbers: which iteration, network, class, from 0.
    """
    return (seed + 1, purpose, *(number + 1 for number in numbers))

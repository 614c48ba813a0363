"""A method with `--xla` distils what it distils without."""

import numpy as np
import pytest
import tensorflow as tf

from distillation.condensation import trainer
from distillation.condensation.distilled_set import DistilledSet

OPTIONS = ["--arch", "mlp3", "--iterations", "3", "--look-every", "3", "--start", "real", "--real-batch", "64"]
# XLA adds up in another order, so that float32 examples of up to 2, whose spacing there is 1e-7, part by a rounding or
# two of vanilla: 1e-7. Of dc it is 1e-5, as its cosines divide by the norms of gradients that may be small.
VANILLA, DC = 2e-6, 1e-4
MOVED = 0.1  # of 16 grey levels, 0.017 of a standardised value: how far each example has come by then, at least


@pytest.fixture
def compiled(monkeypatch):
    """The list of `jit_compile` of every `tf.function` that is made from here on."""
    made, function = [], tf.function

    def noted(*arguments, **options):
        made.append(options.get("jit_compile"))
        return function(*arguments, **options)

    monkeypatch.setattr(tf, "function", noted)
    return made


@pytest.mark.parametrize(
    ("method", "special", "rounding"),
    [("vanilla", ["--distill-epochs", "2"], VANILLA), pytest.param("dc", [], DC, marks=pytest.mark.slow)],
    ids=["vanilla", "dc"],
)
def test_xla_changes_the_examples_by_rounding_only(method, special, rounding, compiled, tmp_path, monkeypatch):
    monkeypatch.setattr("distillation.condensation.validation_look.LOOK_EPOCHS", 2)

    def distil(*flags):
        compiled.clear()
        job = tmp_path / "-".join(["job", *flags])
        assert trainer.main(["--method", method, "--job-dir", str(job), *OPTIONS, *special, *flags]) == 0
        return DistilledSet.load(job), True in compiled

    (plain, plain_is_compiled), (found, is_compiled) = distil(), distil("--xla")
    assert is_compiled and not plain_is_compiled
    np.testing.assert_allclose(found.x, plain.x, rtol=0, atol=rounding)
    np.testing.assert_allclose(found.rates, plain.rates, rtol=rounding)
    # Each began as a real digit, whose values are whole numbers.
    levels = plain.values()
    assert (np.abs(levels - levels.round()).max(axis=(1, 2, 3)) > MOVED).all()

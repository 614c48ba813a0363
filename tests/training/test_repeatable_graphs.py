"""The optimiser of graphs rests in a `with` block, and is as it was after it."""

import pytest
import tensorflow as tf

from transplant.training.repeatable_graphs import graphs_as_traced


def rests():
    return tf.config.optimizer.get_experimental_options().get("disable_meta_optimizer", False)


@pytest.mark.parametrize("before", [False, True])
def test_it_rests_in_the_block_and_is_as_it_was_after_it(before):
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": before})
    try:
        with graphs_as_traced():
            assert rests()
        assert rests() == before
        with pytest.raises(ValueError, match="stop"), graphs_as_traced():
            raise ValueError("stop")
        assert rests() == before
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})

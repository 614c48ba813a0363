"""Variables that learn at rates of their own."""

import keras


class OwnRates:
    """Gives each variable a share of the learning rate, from a step of its own on.

    To stand before `keras.optimizers.Adam` or a subclass of it. Weight decay
    follows the variable's own rate. Moments are kept of variables that do not learn yet.

    Attributes:
        rate_of: function from a variable's path to (share, first step); of the subclass.
    """

    def build(self, variables):
        """Ask for the rate of every variable, and build the rest."""
        super().build(variables)
        self._rates = [self.rate_of(v.path) for v in variables]

    def _apply_weight_decay(self, variables):
        # It is part of each variable's own step.
        pass

    def update_step(self, gradient, variable, learning_rate):
        """Take one variable's step."""
        share, first_step = self._rates[self._get_variable_index(variable)]
        own = keras.ops.cast(learning_rate, variable.dtype) * share
        if first_step:
            own = own * keras.ops.cast(self.iterations >= first_step, variable.dtype)
        if self.weight_decay is not None and self._use_weight_decay(variable):
            self.assign_sub(variable, variable * keras.ops.cast(self.weight_decay, variable.dtype) * own)
        super().update_step(gradient, variable, own)

"""Training on several devices of one machine: every device takes rows of the same batch."""

import tensorflow as tf

from transplant.errors import OptionError
from transplant.modules.batch_norm import FUSED, SYNCHRONIZED

# By the names of their devices. Two of them that share a device clash, so a process makes one.
_strategies = {}


def training_strategy(devices):
    """Return the strategy whose scope a model is built and compiled in.

    Args:
        devices: "all" (every GPU, or the CPU where there is none), or how many.

    Returns:
        A `tf.distribute.MirroredStrategy`, or TensorFlow's default strategy for
        one device.

    Raises:
        OptionError: if there are not so many devices, or the process already
            trains on others.
    """
    present = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if devices == "all":
        devices = len(present) if present[0].device_type == "GPU" else 1
    if devices > len(present):
        kind = present[0].device_type
        raise OptionError(f"--devices must be at most {len(present)}, the {kind}s that there are. Received: {devices}")
    if devices == 1:
        return tf.distribute.get_strategy()
    names = tuple(device.name for device in present[:devices])
    if _strategies and names not in _strategies:
        raise OptionError(
            f"a process trains on one set of devices. Received: {devices} after {len(next(iter(_strategies)))}; "
            "start another process"
        )
    if not _strategies:
        _strategies[names] = tf.distribute.MirroredStrategy(names)
    return _strategies[names]


def batch_norm_kind(strategy):
    """Return the kind of batch normalisation, as in `make_batch_norm`, to train with under a strategy."""
    return SYNCHRONIZED if strategy.num_replicas_in_sync > 1 else FUSED


def check_batch_size(strategy, batch_size):
    """Refuse a batch that does not divide by the number of devices.

    Raises:
        OptionError: if it does not.
    """
    devices = strategy.num_replicas_in_sync
    if batch_size % devices:
        raise OptionError(
            f"every device takes as many rows of a batch. Received: --batch-size {batch_size} for {devices} devices; "
            "choose a multiple, or other --devices"
        )


def enough_rows(strategy, batch):
    """Return whether a batch has a row for every device."""
    return tf.nest.flatten(batch)[0].shape[0] >= strategy.num_replicas_in_sync


def run_on_rows(strategy, function, batch):
    """Call a function on every device with its rows of a batch, inside a `tf.function`.

    Device i of n takes the i-th of n equal parts, in order. Rows at the end that
    do not divide, fewer than n and in an epoch's last batch alone, are left out:
    a device with fewer rows than another would give them more weight.

    Args:
        strategy: what `training_strategy` returned.
        function: takes the part of a batch; returns a dict of scalars.
        batch: nested tensors whose first axis is the batch.

    Returns:
        dict of the scalars' means over the devices.
    """
    devices = strategy.num_replicas_in_sync
    if devices == 1:
        return strategy.run(function, args=(batch,))

    def part(context):
        first = context.replica_id_in_sync_group
        # On the host: a slice made on the first GPU would reach the others through it.
        with tf.device("CPU:0"):
            rows = tf.shape(tf.nest.flatten(batch)[0])[0] // devices
            return tf.nest.map_structure(lambda tensor: tensor[first * rows : (first + 1) * rows], batch)

    parts = strategy.experimental_distribute_values_from_function(part)
    results = strategy.run(function, args=(parts,))
    return {name: strategy.reduce(tf.distribute.ReduceOp.MEAN, value, axis=None) for name, value in results.items()}

"""Configurations of layers as files have them."""


def without_tuples(config):
    """Return a configuration with lists in the place of tuples, which JSON does not know.

    Args:
        config: dict of a layer.

    Example:
        >>> without_tuples({"filters": 6, "kernel_size": (1, 5)})
        {'filters': 6, 'kernel_size': [1, 5]}
    """
    return {name: list(value) if isinstance(value, tuple) else value for name, value in config.items()}

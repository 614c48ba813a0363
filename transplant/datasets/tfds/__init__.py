"""TensorFlow Datasets builders. Importing this package registers them for `tfds.load`.

    import tensorflow_datasets as tfds
    import transplant.datasets.tfds

    records = tfds.load("mitdb", split="train")

`python -m pretraining.trainer --train tfds:mitdb` reads what was built this way.
"""

from transplant.datasets.tfds.challenge2017 import Challenge2017
from transplant.datasets.tfds.icentia11k import Icentia11k, Icentia11kConfig
from transplant.datasets.tfds.mitdb import Mitdb

__all__ = ["Challenge2017", "Icentia11k", "Icentia11kConfig", "Mitdb"]

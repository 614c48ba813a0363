"""Small labelled sets of the kinds that are no ECG."""

import numpy as np

from transplant.datasets.labelled_set import LabelledSet


def grouped_set(groups=12, per_group=5, steps=20, seed=0):
    """Return records of one channel in groups that take turns at three classes; the class shows in the mean."""
    rng = np.random.default_rng(seed)
    n = groups * per_group
    group = np.repeat(np.arange(groups), per_group)
    y = group % 3
    return LabelledSet(
        x=rng.normal(y[:, None, None], 0.5, (n, steps, 1)).astype(np.float32),
        lengths=np.full(n, steps),
        y=y,
        classes=("a", "b", "c"),
        record_ids=[f"r{i:03d}" for i in range(n)],
        group_ids=[f"g{i:02d}" for i in group],
        sampling_rate_hz=100.0,
        leads=("EEG",),
        dataset="grouped",
        label_version="v1",
        unit="uV",
    )


def hourly_set(n=60, hours=12, seed=1):
    """Return hourly tables of two variables with masks, two classes: of the second the first variable is higher."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    observed = rng.random((n, hours, 2)) < 0.7
    values = rng.normal(80 + 15 * y[:, None, None], 5, (n, hours, 2))
    values[..., 1] = rng.normal(7.4, 0.05, (n, hours))
    normal = np.broadcast_to([86.0, 7.4], values.shape)
    x = np.concatenate([np.where(observed, values, normal), observed], axis=2)
    names = [f"stay{i:03d}" for i in range(n)]
    return LabelledSet(
        x=x.astype(np.float32),
        lengths=np.full(n, hours),
        y=y,
        classes=("survived", "died"),
        record_ids=names,
        group_ids=names,
        sampling_rate_hz=1 / 3600,
        leads=("HR", "pH", "mask->HR", "mask->pH"),
        dataset="hourly",
        label_version="mortality",
        unit="mixed",
        indicators=("mask->HR", "mask->pH"),
    )

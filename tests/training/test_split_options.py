"""Held-out parts: whole groups, single records, the publisher's."""

import dataclasses

import numpy as np
import pytest
from labelled_sets import grouped_set

from transplant.datasets.whole_set import WholeSet
from transplant.errors import SplitError
from transplant.training.split_options import hold_out, units_of, warn_of_random


def test_groups_stay_whole_unless_the_split_is_random():
    data = grouped_set()  # 12 groups of 5
    train, test = hold_out(WholeSet(data), 0.25, "group", 3)
    assert not set(train.group_ids) & set(test.group_ids) and len(train) + len(test) == 60
    lines = []
    train, test = hold_out(WholeSet(data), 0.25, "random", 3)
    assert warn_of_random("random", {"train": train, "test": test}, lines.append)
    assert len(test) == 15 and set(train.group_ids) & set(test.group_ids)
    shared = int(np.isin(test.group_ids, train.group_ids).sum())
    assert f"{shared} of 15 held-out records" in lines[0]
    assert units_of(data, "random") is data.record_ids and units_of(data, "group") is data.group_ids


def test_a_random_split_without_shared_groups_is_not_warned_of():
    data = grouped_set()
    single = dataclasses.replace(data, group_ids=data.record_ids)
    parts = {"train": single.select(np.arange(40)), "test": single.select(np.arange(40, 60))}
    assert not warn_of_random("random", parts, pytest.fail)
    assert not warn_of_random("group", {"train": data, "test": data}, pytest.fail)


def test_the_published_division_is_taken_as_it_is_or_refused():
    data = grouped_set()
    published = np.arange(60) >= 50
    train, test = hold_out(WholeSet(data, published), 0.25, "published", 3)
    assert test.record_ids.tolist() == data.record_ids[50:].tolist() and len(train) == 50
    with pytest.raises(SplitError, match="grouped, which has none"):
        hold_out(WholeSet(data), 0.25, "published", 3)
    with pytest.raises(SplitError, match=r"leaves records to both parts\. Received: none for test"):
        hold_out(WholeSet(data, np.zeros(60, bool)), 0.25, "published", 3)
    with pytest.raises(SplitError, match="must not be in both"):
        hold_out(WholeSet(data, np.arange(60) >= 52), 0.25, "published", 3)

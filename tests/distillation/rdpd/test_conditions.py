"""Rows of a comparison: every combination, a method without a teacher once, names and folders that differ."""

import pytest

from distillation.rdpd.conditions import (
    Condition,
    TeacherCondition,
    expand_conditions,
    file_name,
    name_conditions,
)
from transplant.errors import OptionError


def test_direct_stands_once_for_all_temperatures_and_shares():
    found = expand_conditions(["HR", "SBP,DBP"], ["direct", "rdpd"], [1.0, 5.0], [0.5, 1.0], [0.0])
    assert [condition.method for condition in found].count("direct") == 2
    assert len(found) == 2 * (1 + 4) and len({condition.folder for condition in found}) == 10
    names = name_conditions([condition for condition in found if condition.view == "HR"])
    assert sorted(names.values())[:3] == ["direct", "rdpd, T = 1, rich 100%", "rdpd, T = 1, rich 50%"]


def test_a_teacher_has_the_temperature_of_its_loss():
    (condition,) = expand_conditions(["HR"], ["kd"], [5.0], [1.0], [0.0])
    assert condition.teacher == TeacherCondition(5.0, 1.0)
    found = expand_conditions(["HR"], ["kd"], [2.0, 5.0], [1.0], [0.0], teacher_temperature=1.0)
    assert {condition.teacher for condition in found} == {TeacherCondition(1.0, 1.0)}, "one teacher for all T"


def test_a_row_is_compared_with_what_is_like_it():
    found = expand_conditions(["HR", "RR"], ["direct", "kd", "rdpd"], [1.0, 5.0], [1.0], [0.0, 2.0])
    row = next(one for one in found if (one.view, one.method, one.temperature, one.noise) == ("RR", "rdpd", 5.0, 2.0))
    assert row.like("direct", found) == Condition("RR", "direct", 2.0)
    kd = row.like("kd", found)
    assert (kd.view, kd.method, kd.temperature, kd.noise) == ("RR", "kd", 5.0, 2.0)
    assert row.like("rdpd-r1", found) is None


def test_a_value_is_given_once():
    with pytest.raises(OptionError, match="--noise names each once"):
        expand_conditions(["HR"], ["kd"], [5.0], [1.0], [0.0, 0.0])


def test_names_of_many_channels_fit_into_a_file_system():
    wrist = ",".join(f"hand-{number:02d}-of-a-sensor" for number in range(17))
    ankle = wrist.replace("hand", "ankle")
    names = {file_name(wrist), file_name(wrist[:-1]), file_name(ankle), file_name("HR,pH")}
    assert len(names) == 4 and "HR,pH" in names and max(map(len, names)) < 100
    (condition,) = expand_conditions([wrist], ["rdpd"], [5.0], [1.0], [0.0])
    assert max(len(part) for part in condition.folder.parts) < 200

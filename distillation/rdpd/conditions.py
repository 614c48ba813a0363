"""What the runs of a comparison differ in: poor view, method, temperature, share of rich records, noise, and seed."""

import dataclasses
import itertools
import pathlib
import re
import zlib

from distillation.rdpd.methods import needs_teacher
from transplant.errors import OptionError

_LONGEST = 80  # characters of a view in a file's name; file systems take 255 in all


@dataclasses.dataclass(frozen=True)
class TeacherCondition:
    """What a teacher depends on, but for the seed.

    Attributes:
        temperature: of its own loss.
        rich_share: share of the training patients that it sees.
    """

    temperature: float
    rich_share: float

    @property
    def folder(self):
        """Its folder in that of the comparison, without the seed's."""
        return pathlib.Path("teachers") / f"T{self.temperature:g}-rich{self.rich_share:g}"


@dataclasses.dataclass(frozen=True)
class Condition:
    """One row of a comparison.

    Attributes:
        view: channels of the poor view, with commas.
        method: a name of `METHODS`.
        noise: amplitude on the poor view.
        temperature: T; None of a method without a teacher.
        teacher: `TeacherCondition`, likewise.
    """

    view: str
    method: str
    noise: float
    temperature: float | None = None
    teacher: TeacherCondition | None = None

    @property
    def folder(self):
        """Its folder in that of the comparison, without the seed's."""
        name = f"{self.method}-noise{self.noise:g}"
        if self.teacher:
            name += f"-T{self.temperature:g}-{self.teacher.folder.name}"
        return pathlib.Path("students") / file_name(self.view) / name

    def value_on(self, axis):
        """Return what it has on one of `AXES`; None where a method without a teacher has none."""
        if axis == "rich_share":
            return self.teacher and self.teacher.rich_share
        return getattr(self, axis)

    def like(self, method, conditions):
        """Return the condition of another method that is like this one in everything that method has, or None."""
        for other in conditions:
            is_alike = other.teacher is None or (other.temperature, other.teacher) == (self.temperature, self.teacher)
            if is_alike and (other.method, other.view, other.noise) == (method, self.view, self.noise):
                return other
        return None


AXES = {"temperature": "temperature T", "rich_share": "share of rich records", "noise": "noise amplitude"}
"""What may be swept, and its name in figures."""


def expand_conditions(views, methods, temperatures, rich_shares, noises, teacher_temperature=None):
    """Return all `Condition`s: every combination, a method without a teacher once for all its teachers.

    Args:
        views: list of poor views.
        methods: list of names.
        temperatures, rich_shares, noises: lists of numbers.
        teacher_temperature: of the teachers' own loss. Defaults to None: each T, as equation 8 has it.

    Raises:
        OptionError: if one of them is given twice.
    """
    given = {"--poor-leads": views, "--methods": methods, "--temperature": temperatures}
    for flag, values in (given | {"--rich-share": rich_shares, "--noise": noises}).items():
        if len(set(values)) < len(values):
            raise OptionError(f"{flag} names each once. Received: {' '.join(map(str, values))}; leave doubles out")
    found = []
    for view, noise, share, temperature, method in itertools.product(views, noises, rich_shares, temperatures, methods):
        condition = Condition(view, method, noise)
        if needs_teacher(method):
            teacher = TeacherCondition(teacher_temperature or temperature, share)
            condition = dataclasses.replace(condition, temperature=temperature, teacher=teacher)
        found.append(condition)
    return list(dict.fromkeys(found))


def name_conditions(conditions):
    """Return dict condition -> name that says what differs among them.

    Args:
        conditions: list of `Condition`.
    """
    titles = {"temperature": "T = {:g}", "rich_share": "rich {:.0%}", "noise": "noise {:g}"}
    varied = [axis for axis in AXES if len({condition.value_on(axis) for condition in conditions} - {None}) > 1]
    return {
        condition: ", ".join(
            [condition.method]
            + [titles[axis].format(condition.value_on(axis)) for axis in varied if condition.value_on(axis) is not None]
        )
        for condition in conditions
    }


def file_name(view):
    """Return a poor view's name as a part of file names: other signs become lines, a long end a checksum."""
    name = re.sub(r"[^\w.,+-]+", "_", view)
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}-{zlib.crc32(name.encode()):08x}"

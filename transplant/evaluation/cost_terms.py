"""What a layer computes, as terms that give both the numbers and the calculation that is shown.

The convention, of the whole complexity report: a multiply-add is two
floating-point operations. A sum starts from the bias, so that a bias costs
nothing more; a value of padding is multiplied like any other. Additions,
multiplications, divisions, comparisons, roots, exponentials and logarithms are
one operation each; copying and selecting are none.
"""

import dataclasses
import math

MULTIPLY_ADD = "multiply-adds"


class NoRuleError(Exception):
    """Nothing says how a layer is counted; the message tells why. The report lists the layer as not counted."""


@dataclasses.dataclass(frozen=True)
class Term:
    """So many times the same work.

    Attributes:
        what: "multiply-adds" (`MULTIPLY_ADD`), or what the operations are for.
        times: how often it is done, as factors.
        each: operations of one time; of a multiply-add they are 2. Defaults to 1.

    Example:
        >>> term = Term("sigmoid", (3, 16), each=4)
        >>> term.operations, str(term)
        (192, '4 x 3 x 16 (sigmoid)')
    """

    what: str
    times: tuple
    each: int = 1

    @property
    def count(self):
        """How often it is done."""
        return math.prod(self.times)

    @property
    def operations(self):
        """Floating-point operations."""
        return self.each * self.count

    def repeated(self, n):
        """Return the term of doing it n times over."""
        return dataclasses.replace(self, times=(n, *self.times))

    def __str__(self):
        factors = [self.each, *self.times]
        shown = [number for number in factors if number != 1] or [1]
        return f"{' x '.join(f'{number:,}' for number in shown)} ({self.what})"


def multiply_adds(*times):
    """Return the term of multiply-adds, of which there are as many as the product of the factors."""
    return Term(MULTIPLY_ADD, tuple(int(number) for number in times), each=2)


def elementwise(what, each, *times):
    """Return the term of `each` operations for every element, as a list: empty where there are none."""
    times = tuple(int(number) for number in times)
    return [Term(what, times, each)] if each and math.prod(times) else []


def sum_multiply_adds(terms):
    """Return the multiply-adds of terms."""
    return sum(term.count for term in terms if term.what == MULTIPLY_ADD)


def sum_operations(terms):
    """Return the floating-point operations of terms."""
    return sum(term.operations for term in terms)

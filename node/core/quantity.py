"""`Quantity`: an exact number with its unit of measure, which refuses unlike operands.

The decimal functions of `node.core.decimals` are offered here too, because whoever reads quantities needs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from node.core.decimals import (
    EXACT,
    SCALE,
    exactly,
    format_decimal,
    from_scaled,
    parse_decimal,
    to_scaled,
)
from node.core.unit_codes import PIECES, UNITS, check_unit
from node.errors import RefusedError

__all__ = ["SCALE", "Quantity", "format_decimal", "from_scaled", "parse_decimal", "to_scaled"]

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of a unit of measure (UN/ECE Rec 20 or Rec 21 code), exact.

    EA, C62 and H87 all mean one piece: they add up and compare equal, while each value keeps the unit that was stated
    (the left operand's in a sum). All other unlike units are refused: convert first (`node.core.units.convert`).
    An unknown unit is refused on construction, RefusedError ``unknown-unit``.
    """

    value: Decimal
    unit: str

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            check_unit(self.unit)

    @classmethod
    def parse(cls, text: str, unit: str) -> Quantity:
        """A quantity from a document's text; raises RefusedError ``bad-decimal`` or ``unknown-unit``."""
        return cls(parse_decimal(text), unit)

    @classmethod
    def zero(cls, unit: str) -> Quantity:
        """Nothing, in `unit`: the start of a sum."""
        return cls(_ZERO, unit)

    @property
    def is_zero(self) -> bool:
        """Whether there is none of it."""
        return not self.value

    @property
    def canonical_unit(self) -> str:
        """The unit for comparison and keys: C62 for each of the codes that mean one piece."""
        return "C62" if self.unit in PIECES else self.unit

    def is_like(self, other: Quantity) -> bool:
        """Whether the two can be added and compared without conversion."""
        return self.unit == other.unit or (self.unit in PIECES and other.unit in PIECES)

    def __add__(self, other: Quantity) -> Quantity:
        if not isinstance(other, Quantity):
            return NotImplemented
        if not self.is_like(other):
            raise _unlike(self, other)
        return Quantity(exactly(EXACT.add, self.value, other.value), self.unit)

    def __sub__(self, other: Quantity) -> Quantity:
        if not isinstance(other, Quantity):
            return NotImplemented
        if not self.is_like(other):
            raise _unlike(self, other)
        return Quantity(exactly(EXACT.subtract, self.value, other.value), self.unit)

    def __mul__(self, factor: Decimal | int) -> Quantity:
        if not isinstance(factor, Decimal | int):
            return NotImplemented
        return Quantity(exactly(EXACT.multiply, self.value, Decimal(factor)), self.unit)

    __rmul__ = __mul__

    def __neg__(self) -> Quantity:
        return Quantity(EXACT.minus(self.value), self.unit)

    def __abs__(self) -> Quantity:
        return Quantity(self.value.copy_abs(), self.unit)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Quantity):
            return NotImplemented
        return self.value == other.value and self.is_like(other)

    def __hash__(self) -> int:
        return hash((self.value, self.canonical_unit))

    def __lt__(self, other: Quantity) -> bool:
        return self._compared(other) < 0

    def __le__(self, other: Quantity) -> bool:
        return self._compared(other) <= 0

    def __gt__(self, other: Quantity) -> bool:
        return self._compared(other) > 0

    def __ge__(self, other: Quantity) -> bool:
        return self._compared(other) >= 0

    def _compared(self, other: Quantity) -> Decimal:
        if not isinstance(other, Quantity):
            raise TypeError(f"a Quantity cannot be compared with {type(other).__name__}")
        if not self.is_like(other):
            raise _unlike(self, other)
        return EXACT.compare(self.value, other.value)

    def __str__(self) -> str:
        return f"{self.value:f} {self.unit}"


def _unlike(left: Quantity, right: Quantity) -> RefusedError:
    """The refusal to add or compare kilograms with pieces."""
    return RefusedError(
        f"{left} and {right} have unlike units",
        code="unlike-units",
        hint="Convert one of them first; packages need the item's own pack size.",
    )

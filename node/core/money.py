"""`Money`: an exact amount with its currency, which refuses unlike operands and rounds only when asked."""

from __future__ import annotations

import decimal
from dataclasses import dataclass
from decimal import Decimal

from node.core.decimals import EXACT, exactly, parse_decimal
from node.core.iso_codes import MINOR_UNITS
from node.errors import RefusedError

__all__ = ["Money"]

_ZERO = Decimal(0)
_SHOWN_MAX = 40
_QUANTA = {code: Decimal(1).scaleb(-decimals) for code, decimals in MINOR_UNITS.items()}
_ROUNDING = decimal.Context(prec=80, rounding=decimal.ROUND_HALF_UP, Emax=999, Emin=-999)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount (or a price per unit) in an ISO 4217 currency, exact until `rounded`.

    An unknown currency is refused on construction, RefusedError ``unknown-currency``; sums and comparisons of unlike
    currencies are refused, ``unlike-currencies``.
    """

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if self.currency not in MINOR_UNITS:
            raise RefusedError(
                f"{self.currency[:_SHOWN_MAX]!r} is not an active currency",
                code="unknown-currency",
                hint="Use an ISO 4217 code in upper case, such as EUR.",
            )

    @classmethod
    def parse(cls, text: str, currency: str) -> Money:
        """An amount from a document's text; raises RefusedError ``bad-decimal`` or ``unknown-currency``."""
        return cls(parse_decimal(text), currency)

    @classmethod
    def zero(cls, currency: str) -> Money:
        """Nothing, in `currency`: the start of a sum."""
        return cls(_ZERO, currency)

    @property
    def is_zero(self) -> bool:
        """Whether the amount is nothing."""
        return not self.amount

    def rounded(self) -> Money:
        """The amount in whole minor units (cents), halves away from zero, as merchants round.

        EN 16931-1 limits amounts to two decimals (rules BR-DEC-01 to BR-DEC-28) and leaves halves to the law of the
        country, where half up is the rule. It is taken of the magnitude, so that a credit note mirrors its invoice:
        2.345 becomes 2.35 and -2.345 becomes -2.35.
        Round totals, not what is summed up: unit prices keep their decimals.
        """
        amount = self.amount.quantize(_QUANTA[self.currency], context=_ROUNDING)
        return Money(amount if amount else amount.copy_abs(), self.currency)

    @property
    def is_rounded(self) -> bool:
        """Whether the amount is a whole number of minor units."""
        return self.amount == self.amount.quantize(_QUANTA[self.currency], context=_ROUNDING)

    def __add__(self, other: Money) -> Money:
        if not isinstance(other, Money):
            return NotImplemented
        if self.currency != other.currency:
            raise _unlike(self, other)
        return Money(exactly(EXACT.add, self.amount, other.amount), self.currency)

    def __sub__(self, other: Money) -> Money:
        if not isinstance(other, Money):
            return NotImplemented
        if self.currency != other.currency:
            raise _unlike(self, other)
        return Money(exactly(EXACT.subtract, self.amount, other.amount), self.currency)

    def __mul__(self, factor: Decimal | int) -> Money:
        if not isinstance(factor, Decimal | int):
            return NotImplemented
        return Money(exactly(EXACT.multiply, self.amount, Decimal(factor)), self.currency)

    __rmul__ = __mul__

    def __neg__(self) -> Money:
        return Money(EXACT.minus(self.amount), self.currency)

    def __abs__(self) -> Money:
        return Money(self.amount.copy_abs(), self.currency)

    def __lt__(self, other: Money) -> bool:
        return self._compared(other) < 0

    def __le__(self, other: Money) -> bool:
        return self._compared(other) <= 0

    def __gt__(self, other: Money) -> bool:
        return self._compared(other) > 0

    def __ge__(self, other: Money) -> bool:
        return self._compared(other) >= 0

    def _compared(self, other: Money) -> Decimal:
        if not isinstance(other, Money):
            raise TypeError(f"Money cannot be compared with {type(other).__name__}")
        if self.currency != other.currency:
            raise _unlike(self, other)
        return EXACT.compare(self.amount, other.amount)

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"


def _unlike(left: Money, right: Money) -> RefusedError:
    """The refusal to add or compare euros with dollars."""
    return RefusedError(
        f"{left} and {right} are in unlike currencies",
        code="unlike-currencies",
        hint="State both in one currency; the node never converts money by itself.",
    )

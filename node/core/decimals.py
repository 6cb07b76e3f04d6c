"""Decimal numbers as documents write them and as SQL keeps them: bounded, plain, and never rounded silently.

One scale holds for every number that the node keeps, quantities, money and rates alike: `SCALE` decimals, stored in SQL
as a BIGINT of ``value * 10**SCALE`` (`to_scaled`, `from_scaled`). What does not fit is refused at the gate
(`parse_decimal`), with the reason.
"""

from __future__ import annotations

import decimal
import re
from collections.abc import Callable
from decimal import Decimal

from node.errors import RefusedError

__all__ = [
    "EXACT",
    "INTEGER_DIGITS_MAX",
    "SCALE",
    "SCALED_MAX",
    "exactly",
    "format_decimal",
    "from_scaled",
    "parse_decimal",
    "to_scaled",
]

SCALE = 6
"""Decimals that are kept for quantities, prices, rates and amounts."""

INTEGER_DIGITS_MAX = 12
"""Digits before the point: 10**12 * 10**6 stays below the BIGINT limit of 9.22e18, with room for a few additions."""

SCALED_MAX = 9_200_000_000_000_000_000
"""Largest magnitude of a scaled number, just under 2**63."""

_ONE = 10**SCALE
_PLAIN = re.compile(r"-?[0-9]{1,%d}(?:\.[0-9]{1,%d})?" % (INTEGER_DIGITS_MAX, SCALE)).fullmatch
_SHAPE = re.compile(r"-?([0-9]+)(?:\.([0-9]+))?").fullmatch
_SHOWN_MAX = 40

# Shared and never changed, so that no result depends on the thread's decimal context. A product of two numbers at the
# gate's limit has 36 digits; anything that would need rounding is an error instead.
EXACT = decimal.Context(
    prec=80,
    Emax=999,
    Emin=-999,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow, decimal.Underflow, decimal.Inexact],
)
"""The decimal context of all arithmetic on quantities and money: exact or an error."""


def parse_decimal(text: str) -> Decimal:
    """Read a plain decimal: optional minus, 1 to 12 ASCII digits, optionally a point and 1 to 6 decimals.

    No exponent, sign ``+``, spaces, separators or NaN; ``-0`` becomes ``0``. The stated scale is kept.
    Raises RefusedError ``bad-decimal``.
    """
    if _PLAIN(text) is None:
        raise _bad_decimal(text)
    value = Decimal(text)
    if text[0] == "-" and not value:
        return value.copy_abs()
    return value


def format_decimal(value: Decimal) -> str:
    """Write `value` so that `parse_decimal` reads the same number: no exponent, no ``-0``, the scale as given.

    Zeros after the sixth decimal are dropped, as they say nothing. Raises RefusedError ``bad-decimal`` when the number
    itself is outside the limits of `parse_decimal`.
    """
    text = str(value)
    if text[0] != "-" and _PLAIN(text):
        return text  # nearly always
    if not value.is_finite() or value.adjusted() >= INTEGER_DIGITS_MAX:
        raise _bad_decimal(text)
    try:
        text = format(EXACT.plus(value), "f")
    except ArithmeticError:
        raise _bad_decimal(str(value)) from None
    whole, point, fraction = text.partition(".")
    if len(fraction) > SCALE:
        text = whole + point + fraction[:SCALE] + fraction[SCALE:].rstrip("0")
    if not value and text[0] == "-":
        text = text[1:]
    if _PLAIN(text) is None:
        raise _bad_decimal(text)
    return text


def to_scaled(value: Decimal) -> int:
    """The number as an integer count of 10**-SCALE, for SQL BIGINT columns.

    Raises RefusedError ``bad-decimal`` when it has more decimals or is larger than the column can hold.
    """
    try:
        exact = EXACT.scaleb(value, SCALE)
        scaled = int(exact)
    except (ArithmeticError, ValueError):
        raise _bad_decimal(str(value)) from None
    if scaled != exact or not -SCALED_MAX <= scaled <= SCALED_MAX:
        raise _bad_decimal(str(value))
    return scaled


def from_scaled(scaled: int) -> Decimal:
    """The number behind a scaled integer, with the fewest decimals that show it (1500000 becomes 1.5).

    Raises RefusedError ``bad-decimal`` beyond `SCALED_MAX`.
    """
    if not -SCALED_MAX <= scaled <= SCALED_MAX:
        raise RefusedError(
            "a stored number is beyond the limit of 9.2e18",
            code="bad-decimal",
            hint="It was not written by this node: look for whoever else writes to the database.",
        )
    whole, rest = divmod(scaled, _ONE)
    if not rest:
        return Decimal(whole)
    return EXACT.normalize(EXACT.scaleb(Decimal(scaled), -SCALE))


def exactly(operation: Callable[[Decimal, Decimal], Decimal], left: Decimal, right: Decimal) -> Decimal:
    """The result of a method of `EXACT`; raises RefusedError ``bad-decimal`` where it would have to be rounded."""
    try:
        return operation(left, right)
    except ArithmeticError:
        raise RefusedError(
            "a result has too many digits to be kept exactly",
            code="bad-decimal",
            hint="Round the numbers first; documents carry at most 12 digits and 6 decimals.",
        ) from None


def _bad_decimal(text: str) -> RefusedError:
    """The refusal of `text`, saying which rule it breaks and what to write instead."""
    shown = repr(text[:_SHOWN_MAX]) + (f"... ({len(text)} characters)" if len(text) > _SHOWN_MAX else "")
    hint = "Write digits with an optional minus and a decimal point, such as 12 or -3.50."
    shape = _SHAPE(text)
    if shape is None:
        return RefusedError(f"{shown} is not a plain decimal number", code="bad-decimal", hint=hint)
    if len(shape[1]) > INTEGER_DIGITS_MAX:
        return RefusedError(
            f"{shown} has {len(shape[1])} digits before the point, at most {INTEGER_DIGITS_MAX} are allowed",
            code="bad-decimal",
            hint="State a smaller number, or the same quantity in a larger unit; drop leading zeros.",
        )
    return RefusedError(
        f"{shown} has {len(shape[2] or '')} decimals, at most {SCALE} are allowed",
        code="bad-decimal",
        hint="Round it, or state it per a larger base quantity (a price per 1000 pieces).",
    )

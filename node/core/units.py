"""Unit conversion, exact or refused: general factors of Rec 20, and an item's own pack sizes in either direction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

from node.core.decimals import SCALE, from_scaled
from node.core.quantity import Quantity
from node.core.unit_codes import PIECES, UNITS, Unit, check_unit, is_unit
from node.errors import RefusedError

__all__ = ["UNITS", "Unit", "canonical_unit", "check_unit", "convert", "describe", "is_unit"]

_NO_FACTORS: Mapping[tuple[str, str], Fraction] = {}
_ONE = Fraction(1)


def canonical_unit(code: str) -> str:
    """The unit for keys and comparison: C62 for EA and H87, which mean one piece as well, else the code itself."""
    return "C62" if code in PIECES else code


def describe(code: str) -> str:
    """The name of a unit in words, as the recommendation gives it; raises RefusedError ``unknown-unit``."""
    unit = UNITS.get(code)
    if unit is not None:
        return unit.name
    return f"package {check_unit(code)[1:]}"


def convert(
    quantity: Quantity,
    to_unit: str,
    item_factors: Mapping[tuple[str, str], Fraction] = _NO_FACTORS,
) -> Quantity:
    """The same quantity in `to_unit`, exactly.

    `item_factors` are the item's own: ``{("XBX", "C62"): Fraction(12)}`` says that one box is 12 pieces. They work in
    both directions and along a chain (pallet, box, piece, dozen). With contradictory factors the shortest chain counts.

    Raises RefusedError: ``unknown-unit``; ``unlike-units`` when nothing leads from one unit to the other;
    ``inexact-conversion`` when the result has more decimals than can be kept (7 pieces in boxes of 12);
    ``bad-factor`` when a factor is not positive; ``bad-decimal`` when the result is too large.
    """
    if canonical_unit(quantity.unit) == canonical_unit(to_unit):
        return Quantity(quantity.value, to_unit)
    check_unit(to_unit)
    factor = _factor(quantity.unit, to_unit, item_factors)
    if factor is None:
        raise RefusedError(
            f"{quantity} cannot be converted to {to_unit} ({describe(to_unit)})",
            code="unlike-units",
            hint=f"State the item's own factor, how many {to_unit} are in one {quantity.unit}, in its packaging data.",
        )
    scaled = Fraction(quantity.value) * factor * 10**SCALE
    if scaled.denominator != 1:
        raise RefusedError(
            f"{quantity} is not an exact number of {to_unit} ({describe(to_unit)}) with {SCALE} decimals",
            code="inexact-conversion",
            hint=f"Keep {quantity.unit}, or ask for a multiple that is whole in {to_unit}; nothing is rounded here.",
        )
    return Quantity(from_scaled(scaled.numerator), to_unit)


def _factor(from_unit: str, to_unit: str, item_factors: Mapping[tuple[str, str], Fraction]) -> Fraction | None:
    """How many `to_unit` are in one `from_unit`, by the shortest chain, or None."""
    direct = _general(from_unit, to_unit)
    if direct is not None or not item_factors:
        return direct
    seen = {from_unit}
    reached = [(from_unit, _ONE)]
    while reached:
        further: list[tuple[str, Fraction]] = []
        for unit, so_far in reached:
            for next_unit, factor in _item_steps(unit, item_factors):
                last = _general(next_unit, to_unit)
                if last is not None:
                    return so_far * factor * last
                if next_unit not in seen:
                    seen.add(next_unit)
                    further.append((next_unit, so_far * factor))
        reached = further
    return None


def _item_steps(unit: str, item_factors: Mapping[tuple[str, str], Fraction]) -> Iterator[tuple[str, Fraction]]:
    """The units that the item's own factors reach from `unit`, each with how many of it one `unit` is."""
    for (whole, part), factor in item_factors.items():
        if factor <= 0:
            raise RefusedError(
                f"the factor from {whole} to {part} is {factor}",
                code="bad-factor",
                hint="A pack contains a positive number: correct the item's packaging data.",
            )
        to_whole = _general(unit, whole)
        if to_whole is not None:
            yield part, to_whole * factor
        to_part = _general(unit, part)
        if to_part is not None:
            yield whole, to_part / factor


def _general(from_unit: str, to_unit: str) -> Fraction | None:
    """How many `to_unit` are in one `from_unit` for any item, or None when that depends on the item."""
    if from_unit == to_unit:
        return _ONE
    left, right = UNITS.get(from_unit), UNITS.get(to_unit)
    if left is None or right is None or left.dimension != right.dimension:
        return None
    if left.factor is None or right.factor is None:
        return None
    return left.factor / right.factor

"""Converters that ask a lookup table: item cross-references, and quantities by the contents of an item's packs."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from adapters.cells import Cell, as_text
from adapters.conversion import ConvertError, Step, converter, options
from adapters.converters import number_of, pairs_of, plain_decimal, shown
from adapters.lookups import Index, Lookups
from node.core.quantity import Quantity
from node.core.units import check_unit, convert, is_unit
from node.errors import ConfigError

__all__: list[str] = []


def _looked_up(index: Index, table: str, missing: str, value: Cell, key: tuple[str, ...]) -> Cell:
    answer = index.answers.get(key)
    what = shown(" / ".join(key))
    if key in index.doubtful:
        raise ConvertError("doubtful-lookup", f"{what} has several answers in the lookup table {table!r}")
    if answer is None and missing == "error":
        raise ConvertError("not-found", f"{what} is not in the lookup table {table!r}")
    return (value if missing == "keep" else None) if answer is None else answer


@converter("lookup")
def _lookup(argument: Any, lookups: Lookups) -> Step:
    """The answer of a lookup table: the row whose column `from` is the value gives its column `to`. `and` names
    further columns of the row, by the table's column. `missing` is "error" (the row is refused), "keep" or "empty".

    { lookup = { table = "items", from = "our", to = "gtin" } }"""
    expected: dict[str, type | tuple[type, ...]] = {"table": str, "from": str, "to": str, "missing": str, "and": dict}
    given = options("lookup", argument, expected, "table", "from", "to")
    missing = given.get("missing", "error")
    if missing not in ("error", "keep", "empty"):
        raise ConfigError(f"converter 'lookup': missing = {missing!r} is not error, keep or empty")
    further = pairs_of("lookup", given["and"]) if "and" in given else {}
    name, keys = given["table"], (given["from"], *further)
    lookups.check(name, keys, given["to"])

    def lookup(value: Cell, others: Sequence[Cell]) -> Cell:
        index = lookups.table(name).index(keys, given["to"])
        key = (as_text(value).strip(), *(as_text(other).strip() for other in others))
        return _looked_up(index, name, missing, value, key)

    return Step(lookup, needs=tuple(further.values()))


@converter("per_pack")
def _per_pack(argument: Any, lookups: Lookups) -> Step:
    """A quantity in another unit, exactly: `unit` is the column with the unit, `units` its local names, `to` the unit
    that is wanted. Packages take the factor of the item (column `item`) from the lookup table `table`, with columns
    item, unit, factor, or the same `factors` for every item: 1 XBX = 12 C62.

    { per_pack = { unit = "UOM", to = "C62", item = "ITEM", table = "packs" } }"""
    expected: dict[str, type | tuple[type, ...]] = {
        "unit": str, "to": str, "item": str, "table": str, "factors": dict, "units": dict,
    }  # fmt: skip
    given = options("per_pack", argument, expected, "unit", "to")
    to, units = given["to"], pairs_of("per_pack", given["units"]) if "units" in given else {}
    if not is_unit(to):
        raise ConfigError(f"converter 'per_pack': to = {to!r} is not a unit of UN/ECE Rec 20 or 21")
    if ("table" in given) != ("item" in given):
        raise ConfigError("converter 'per_pack': item and table belong together")
    fixed = {unit: _factor("per_pack", str(factor)) for unit, factor in given.get("factors", {}).items()}
    if "table" in given:
        lookups.check(given["table"], ("item", "unit"), "factor")

    def per_pack(value: Cell, others: Sequence[Cell]) -> Cell:
        local = as_text(others[0]).strip()
        unit = check_unit(units.get(local, local))
        factor = fixed.get(unit) or fixed.get(local)
        if factor is None and "table" in given:
            index = lookups.table(given["table"]).index(("item", "unit"), "factor")
            item = as_text(others[1]).strip()
            for name in (local, unit):
                found = _looked_up(index, given["table"], "empty", None, (item, name))
                if found is not None:
                    factor = _factor("per_pack", as_text(found))
                    break
        factors = {(unit, to): factor} if factor else {}
        return plain_decimal(convert(Quantity(number_of(value), unit), to, factors).value)

    return Step(per_pack, needs=(given["unit"], given["item"]) if "item" in given else (given["unit"],))


def _factor(name: str, text: str) -> Fraction:
    """A factor written as 12, 0.5 or 1/12."""
    try:
        factor = Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        factor = Fraction(0)
    if factor <= 0 or "e" in text.lower() or len(text) > 40:
        raise ConvertError("bad-factor", f"{shown(text)} is not a factor such as 12 or 1/12 ({name})")
    return factor

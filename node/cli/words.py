"""What people call things that documents name by codes: units, amounts of money, items. `--json` has them exact."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from node.core.iso_codes import MINOR_UNITS
from node.core.item_key import GTIN_PREFIX, NUMBER_PREFIX

__all__ = ["cost", "item", "moment", "money", "total", "unit"]

_UNITS = {
    "C62": "pcs", "H87": "pcs", "EA": "pcs", "PR": "pairs", "DZN": "dozen", "SET": "sets",
    "KGM": "kg", "GRM": "g", "TNE": "t", "LTR": "l", "MLT": "ml", "MTR": "m", "CMT": "cm", "MMT": "mm",
    "MTK": "m²", "MTQ": "m³", "XBX": "boxes", "XCT": "cartons", "XPX": "pallets",
}  # fmt: skip
"""Codes of UN/ECE Recommendations 20 and 21 that everybody has another word for; others show as they are."""

_GTIN_LENGTHS = (8, 12, 13)


def unit(code: str) -> str:
    """A unit of measure, such as pcs for C62."""
    return _UNITS.get(code, code)


def money(amount: str, currency: str) -> str:
    """An amount with its currency, in that currency's own decimals; two where it has none."""
    decimals = MINOR_UNITS.get(currency, 2)
    return f"{Decimal(amount):.{decimals}f} {currency}".rstrip()


def cost(decision: Mapping[str, Any]) -> str:
    """What a decision costs; of an order without a currency nothing was reckoned that could be compared."""
    if decision["currency"]:
        return f"cost {money(decision['cost'], decision['currency'])}"
    if not Decimal(decision["cost"]):
        return "no cost known: the order has no currency"
    return f"cost {money(decision['cost'], '')} (the order has no currency)"


def item(key: str) -> str:
    """The number by which people know an item, from its key: a GTIN without the zeros in front, or a company's own."""
    if key.startswith(GTIN_PREFIX):
        digits = key.removeprefix(GTIN_PREFIX)
        short = digits.lstrip("0")
        return next((short.zfill(length) for length in _GTIN_LENGTHS if len(short) <= length), digits)
    if key.startswith(NUMBER_PREFIX):
        # no:SCHEME:COMPANY:NUMBER; the number may hold colons, too.
        parts = key.split(":", 3)
        return parts[3] if len(parts) == 4 else key
    return key


def moment(text: str) -> str:
    """An instant as people read it: 2026-12-01 15:00:00, in UTC."""
    return text.replace("T", " ").removesuffix("Z")


def total(parts: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """The sum of quantities with their units, and the units: one figure for each unit, joined by plus signs."""
    sums: dict[str, Decimal] = {}
    for code, quantity in parts:
        sums[code] = sums.get(code, Decimal(0)) + Decimal(quantity)
    return " + ".join(f"{one.normalize():f}" for one in sums.values()), " + ".join(unit(code) for code in sums)

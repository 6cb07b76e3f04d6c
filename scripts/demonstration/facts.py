"""What the transactions do not say and the demonstration adds: stated here, once, and derived from the item alone.

Everything in this module is generated: numbers, pack sizes, VAT rates, opening stock, expected receipts, who makes
what, which parcels lose a piece. Each is a function of the stock code (through SHA-256), of the total that the span's
orders ask for, and of the span's first day, so that anybody can calculate it again.

* GTINs are GTIN-13 with the prefix 29, a restricted circulation number that GS1 never gives to anybody
  (GS1 General Specifications, section 1.4.2). One item in ten has none and is known by the retailer's number only.
* An item whose every quantity in the span can be divided may be counted in packs by the supplier: two in three of them
  are; the pack is the largest divisor of all quantities up to 12.
* VAT: 20 % (category S, the rate in the United Kingdom from 2011-01-04), books 0 % (category Z).
* Supply, by the item's bucket of 0 to 99: see `SUPPLY`.
* Every third item is made by the manufacturer, half of those sold in dozens, half in cartons of 24, 36 or 48.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

__all__ = [
    "SUPPLY",
    "Made",
    "Supply",
    "bucket",
    "gtin_of",
    "is_delivered",
    "loses_a_piece",
    "made_of",
    "pack_of",
    "sscc_of",
    "supplier_number",
    "supply_of",
    "vat_of",
    "weight_of",
]

PACK_MAX = 12
LOSSES_OF_1000 = 4

SUPPLY = (
    # buckets below, kind
    (3, "discontinued"),  # every line is rejected
    (8, "late"),  # no stock; all of it comes with one receipt
    (16, "short"),  # half of the demand in stock, the rest comes with one receipt
    (20, "last"),  # 60 % of the demand in stock, nothing comes: what is missing is rejected
    (100, "plenty"),  # the demand and a third on top
)
"""How well the supplier is supplied, by bucket."""


@dataclass(frozen=True, slots=True)
class Supply:
    """What the supplier has of an item, in its own unit (pieces or packs)."""

    kind: str
    opening: int
    receipt: int
    receipt_on: date | None


@dataclass(frozen=True, slots=True)
class Made:
    """An item as its manufacturer knows it; `unit` DZN, or XCT of `contents` pieces."""

    number: str
    unit: str
    contents: int


def bucket(text: str, size: int = 100) -> int:
    """A number from 0 to size - 1 that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % size


def gtin_of(code: str) -> str:
    """A restricted GTIN-13 for the item, or "" for the one in ten that has none."""
    if bucket(f"gtin?{code}", 10) == 0:
        return ""
    body = f"29{bucket(f'gtin{code}', 10**10):010d}"
    return body + _check_digit(body)


def sscc_of(despatch: str, parcel: int) -> str:
    """A serial shipping container code with the same restricted prefix, for one parcel of a despatch."""
    body = f"029{bucket(f'{despatch}/{parcel}', 10**14):014d}"
    return body + _check_digit(body)


def supplier_number(code: str) -> str:
    """The supplier's own item number: two digits, a dot, six digits."""
    number = bucket(f"nordwind{code}", 10**8)
    return f"{number // 10**6:02d}.{number % 10**6:06d}"


def pack_of(code: str, common: int) -> int:
    """Pieces in the supplier's unit; 1 when it counts pieces. `common` divides every quantity of the span."""
    if common < 2 or bucket(f"pack{code}", 3) == 0:
        return 1
    return max(size for size in range(1, PACK_MAX + 1) if common % size == 0)


def vat_of(description: str) -> tuple[str, Decimal]:
    """The VAT category (UNCL5305) and its rate in percent."""
    return ("Z", Decimal(0)) if "BOOK" in description.upper().split() else ("S", Decimal(20))


def supply_of(code: str, demand: int, pack: int, first: date) -> Supply:
    """What the supplier has and expects, when the span's orders ask for `demand` pieces and begin on `first`."""
    place = bucket(f"supply{code}")
    kind = next(name for below, name in SUPPLY if place < below)
    units = demand // pack
    if kind == "discontinued":
        return Supply(kind, 0, 0, None)
    if kind == "plenty":
        return Supply(kind, units + units // 3 + 2, 0, None)
    if kind == "last":
        return Supply(kind, units * 6 // 10, 0, None)
    opening = 0 if kind == "late" else units // 2
    return Supply(kind, opening, units - opening, first + timedelta(days=1 + bucket(f"receipt{code}", 9)))


def made_of(code: str) -> Made | None:
    """The item at its manufacturer, or None when somebody else makes it."""
    if bucket(f"made{code}", 3) != 0:
        return None
    number = f"AM-{bucket(f'atelier{code}', 10**7):07d}"
    if bucket(f"dozen{code}", 2) == 0:
        return Made(number, "DZN", 12)
    return Made(number, "XCT", (24, 36, 48)[bucket(f"carton{code}", 3)])


def loses_a_piece(order: str, line_id: str) -> bool:
    """Whether the first parcel of this order line arrives with one unit (piece or pack) too few."""
    return bucket(f"lost {order}/{line_id}", 1000) < LOSSES_OF_1000


def weight_of(code: str) -> Decimal:
    """What one piece weighs, packed, in kilograms."""
    return Decimal(5 + bucket(f"weight{code}", 120)) / 100


def is_delivered(despatch: str) -> bool:
    """Whether the carrier reports this despatch as delivered before the second act ends: four in five are."""
    return bucket(f"delivered {despatch}", 5) != 0


def _check_digit(body: str) -> str:
    """The GS1 check digit (modulo 10, weights 3 and 1 from the right)."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(body)))
    return str(-total % 10)

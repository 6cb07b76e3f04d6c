"""Make a file of retail transactions from a seed, with the shape of a real trade and none of its rows.

The figures were measured over UCI Online Retail (541,909 rows, 2010-12-01 to 2011-12-09; the copy in the R package
`onlineretail`, CC0; origin: Chen, Sain and Guo 2012, doi 10.1057/dbm.2012.17), and only these were taken:

* goods lines per order: quantiles 5, 10, 25, 50, 75, 90, 95, 99 % are 1, 2, 6, 15, 29, 54, 79, 219;
* pieces per line: the 24 most frequent values with their shares (one 27.7 %, two 15.4 %, twelve 11.6 %, ...);
* price of an item: the same quantiles are 0.42, 0.65, 1.25, 2.51, 4.25, 8.47, 11.02, 25.49 GBP;
* popularity: the 10, 50, 100, 200, 500, 1000, 2000, 3000 most frequent of 3,799 items have 3.2, 11.4, 18.9, 29.8, 51.4,
  72.3, 92.8, 99.2 % of the lines;
* per order: postage 0.053 (quantiles from 18 to 280 GBP), Dotcom postage 0.036, carriage 0.007 (50 GBP), manual 0.011;
  cancellations 0.19 with 1 to 18 rows (1.7 % of them a discount); rows without a price 0.13; negative stock
  adjustments 0.07; 6.9 % of orders without a customer number, 4,335 customers otherwise; 90.5 % in the United Kingdom;
* 62 orders a day, between 8 and 18 o'clock with most at noon.

What a cancellation takes back, after how long (half within a day), descriptions, and that a part of the items goes in
fixed multiples are this module's own choice. The same seed gives the same file, byte for byte.
"""

from __future__ import annotations

import csv
import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from pathlib import Path
from typing import Any

from scripts.demonstration.trade import COLUMNS

__all__ = ["SEED_DEFAULT", "generate"]

SEED_DEFAULT = 1356
FIRST_INVOICE = 700001
FIRST_DAY = datetime(2026, 3, 2)  # noqa: DTZ001 (the file states local time without a zone)
ORDERS_PER_DAY = 62

_STEPS = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
_LINES = (1, 1, 2, 6, 15, 29, 54, 79, 219)
_PRICES = (0.29, 0.42, 0.65, 1.25, 2.51, 4.25, 8.47, 11.02, 25.49)
_POSTAGE = (18, 18, 18, 30, 40, 80, 126, 160, 280)
_DOTCOM = (4.5, 47.67, 75.75, 131.46, 185.28, 264.65, 644.28, 901.58, 1683.75)
_MANUAL = (0.3, 0.39, 0.6, 1.25, 2.95, 6.7, 15.9, 30, 238.12)
_CANCELLED_ROWS = (1, 1, 1, 1, 1, 2, 4, 7, 18)
_HOURS_TO_CANCEL = (0.1, 0.1, 0.2, 1.6, 23, 48, 100, 120, 140)
_QUANTITIES = (
    (1, 277), (2, 154), (12, 116), (6, 77), (4, 73), (3, 70), (24, 46), (10, 42), (8, 25), (5, 22), (48, 12), (25, 10),
    (20, 10), (16, 8), (36, 7), (7, 5), (9, 4), (72, 4), (96, 3), (100, 3), (18, 3), (30, 2), (40, 2), (32, 2),
)  # fmt: skip
_MULTIPLES = ((1, 60), (2, 10), (3, 6), (4, 6), (6, 10), (12, 8))
_HOURS = ((8, 57), (9, 147), (10, 234), (11, 237), (12, 320), (13, 273), (14, 242), (15, 231), (16, 132), (17, 66))
_RANKS = ((10, 32), (50, 82), (100, 75), (200, 109), (500, 216), (1000, 209), (2000, 205), (3000, 64), (3799, 8))
_COUNTRIES = (
    ("United Kingdom", 905), ("Germany", 24), ("France", 20), ("EIRE", 15), ("Belgium", 6), ("Netherlands", 5),
    ("Spain", 5), ("Portugal", 4), ("Switzerland", 4), ("Italy", 3), ("Finland", 3), ("Norway", 3), ("Sweden", 3),
)  # fmt: skip
_COLOURS = "AMBER BLUE CORAL GREEN IVORY MINT PINK RED SILVER WHITE".split()
_KINDS = "FOLK GARDEN GLASS HARBOUR LACE PAPER RETRO TIN VINTAGE WOODEN WOOLLY".split()
_THINGS = """
    ALARM CLOCK|APRON|BIRD HOUSE|BISCUIT TIN|BUNTING|CAKE STAND|CANDLE|COAT HANGER|DOLL|DOORMAT|EGG CUP|HEART|JEWEL BOX
    |JUG|LANTERN|LUNCH BOX|MUG|NAPKINS|NOTE BOOK|PARASOL|PHOTO FRAME|PICTURE BOOK|PLATE|RIBBON REEL|SCARF|SPOON|STAR
    |STICKERS|TEA TOWEL|T-LIGHT HOLDER|TOY TRAIN|TRAY|UMBRELLA|WATERING CAN|WREATH
""".replace("\n", "").split("|")


@dataclass(frozen=True, slots=True)
class _Item:
    code: str
    description: str
    price: Decimal
    multiple: int


@dataclass(slots=True)
class _Invoice:
    at: datetime
    customer: str
    country: str
    prefix: str = ""
    rows: list[tuple[str, str, int, Decimal]] = field(default_factory=list)


class _Dice:
    """Draws from tables; uses nothing of `random` but its numbers from 0 to 1, which no version has changed."""

    def __init__(self, seed: int) -> None:
        self._next = random.Random(seed).random

    def chance(self, share: float) -> bool:
        """True in this share of cases."""
        return self._next() < share

    def below(self, size: int) -> int:
        """0 to size - 1."""
        return int(self._next() * size)

    def along(self, quantiles: Sequence[float]) -> float:
        """A value between the quantiles at _STEPS; what is beyond 99 % is left out."""
        place = self._next() * _STEPS[-1]
        right = max(1, bisect_left(_STEPS, place))
        share = (place - _STEPS[right - 1]) / (_STEPS[right] - _STEPS[right - 1])
        return quantiles[right - 1] + share * (quantiles[right] - quantiles[right - 1])

    def of(self, table: Sequence[tuple[Any, int]]) -> int:
        """The place of an entry, by weight."""
        sums = list(accumulate(weight for _, weight in table))
        return bisect_left(sums, self._next() * sums[-1])

    def price(self, quantiles: Sequence[float]) -> Decimal:
        """An amount in pence."""
        return Decimal(f"{self.along(quantiles):.2f}")


def generate(path: Path, orders: int, seed: int = SEED_DEFAULT) -> None:
    """Write a file with at least `orders` orders and the cancellations that follow them."""
    dice = _Dice(seed)
    items = _items(dice)
    invoices: list[_Invoice] = []
    # A few more than asked for: the span ends where the next invoice begins, and cancellations lie between.
    day = FIRST_DAY
    while sum(not invoice.prefix for invoice in invoices) < orders + 10:
        placed = sorted(
            day + timedelta(hours=_HOURS[dice.of(_HOURS)][0], minutes=dice.below(60)) for _ in range(ORDERS_PER_DAY)
        )
        for at in placed:
            order = _order(dice, items, at)
            invoices.append(order)
            if order.customer and dice.chance(0.19):
                invoices.append(_cancellation(dice, order))
        day += timedelta(days=1)
    # The sort is stable, and nothing is cancelled in the minute of its order.
    invoices.sort(key=lambda invoice: invoice.at)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number, invoice in enumerate(invoices, start=FIRST_INVOICE):
            for code, description, quantity, price in invoice.rows:
                head = (f"{invoice.prefix}{number}", code, description, f"{quantity}.0", invoice.at.isoformat(" "))
                customer = f"{invoice.customer}.0" if invoice.customer else ""
                writer.writerow((*head, f"{price.normalize():f}", customer, invoice.country))


def _items(dice: _Dice) -> list[_Item]:
    """All items of the trade, the most popular first; each code and description once."""
    names = [f"{colour} {kind} {thing.strip()}" for colour in _COLOURS for kind in _KINDS for thing in _THINGS]
    codes = list(range(20000, 20000 + len(names)))
    count = _RANKS[-1][0]
    decks: tuple[list[Any], ...] = (names, codes)
    for place in range(count):
        for deck in decks:
            other = place + dice.below(len(deck) - place)
            deck[place], deck[other] = deck[other], deck[place]
    return [
        _Item(
            f"{codes[place]}{'ABCDE'[dice.below(5)] if dice.chance(0.3) else ''}",
            names[place],
            dice.price(_PRICES),
            int(_MULTIPLES[dice.of(_MULTIPLES)][0]),
        )
        for place in range(count)
    ]


def _order(dice: _Dice, items: Sequence[_Item], at: datetime) -> _Invoice:
    customer = "" if dice.chance(0.069) else str(12346 + dice.below(4335))
    order = _Invoice(at, customer, str(_COUNTRIES[dice.of(_COUNTRIES)][0]))
    for _ in range(int(dice.along(_LINES))):
        band = dice.of(_RANKS)
        first = _RANKS[band - 1][0] if band else 0
        item = items[first + dice.below(_RANKS[band][0] - first)]
        drawn = int(_QUANTITIES[dice.of(_QUANTITIES)][0])
        quantity = -(-drawn // item.multiple) * item.multiple
        order.rows.append((item.code, item.description, quantity, item.price))
    extras: tuple[tuple[str, str, float, Sequence[float]], ...] = (
        ("POST", "POSTAGE", 0.053, _POSTAGE),
        ("DOT", "DOTCOM POSTAGE", 0.036, _DOTCOM),
        ("C2", "CARRIAGE", 0.007, (50,) * len(_STEPS)),
        ("M", "Manual", 0.011, _MANUAL),
    )
    for code, description, share, quantiles in extras:
        if dice.chance(share):
            order.rows.append((code, description, 1, dice.price(quantiles)))
    if dice.chance(0.13):
        item = items[dice.below(len(items))]
        order.rows.append((item.code, item.description, 1 + dice.below(12), Decimal(0)))
    if dice.chance(0.067):
        item = items[dice.below(len(items))]
        order.rows.append((item.code, "damaged", -1 - dice.below(30), Decimal(0)))
    return order


def _cancellation(dice: _Dice, order: _Invoice) -> _Invoice:
    """Some rows of an order taken back, whole or in part, or a discount on it."""
    at = order.at + timedelta(minutes=int(dice.along(_HOURS_TO_CANCEL) * 60) + 1)
    taken = _Invoice(at, order.customer, order.country, "C")
    goods = [row for row in order.rows if row[0][0].isdigit() and row[2] > 0 and row[3]]
    if dice.chance(0.017 * 4):
        total = sum((row[2] * row[3] for row in goods), Decimal(0))
        taken.rows.append(("D", "Discount", -1, max(Decimal("0.01"), (total / 10).quantize(Decimal("0.01")))))
        return taken
    multiples: dict[str, int] = {}
    for _ in range(min(int(dice.along(_CANCELLED_ROWS)), len(goods))):
        code, description, quantity, price = goods[dice.below(len(goods))]
        part = quantity if quantity < 2 or dice.chance(0.6) else quantity // 2
        if multiples.setdefault(code, part) == part:
            taken.rows.append((code, description, -part, price))
    return taken

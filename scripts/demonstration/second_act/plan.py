"""What the second act plays: which items, how much of each lies where, and what customers order.

Everything follows from the trade of the first act and from what it left in the warehouses: customers, items, prices and
quantities are the trade's; what lies in stores and at the 3PL is generated from the item's code. A few orders make the
story; the rest is the trade's own first orders again, as customers of the shop's node.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from node.errors import ConfigError
from scripts.demonstration import facts
from scripts.demonstration.second_act.addresses import STORES
from scripts.demonstration.trade import Item, Trade

__all__ = ["Line", "Plan", "Want", "make"]

CROWD = 36
CROWD_ITEMS = 24
CROWD_LINES_MAX = 3
CROWD_PIECES_MAX = 12
CHEAP = Decimal(2)  # GBP a piece
IN_STORE = 5
RECEIPT = 10
"""Pieces of the item on back order that come in later: fewer than customers wait for."""
CHANNEL, COUNTER = "web shop", "call centre"


@dataclass(frozen=True, slots=True)
class Line:
    """One item that a customer wants; `price` is what the customer pays for a piece, in GBP without VAT."""

    line_id: str
    code: str
    quantity: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Want:
    """One customer's order; `role` names its part in the story, "" for the rest."""

    number: str
    role: str
    customer: str
    country: str
    lines: tuple[Line, ...]
    kind: str = "SHIP_TO_HOME"
    collect_at: str = ""
    priority: int = 0
    by_hand: bool = False


@dataclass(slots=True)
class Plan:
    """The whole of it. Quantities are pieces; keys are (store, item) or the item's code."""

    wants: list[Want] = field(default_factory=list)
    shelves: dict[tuple[str, str], int] = field(default_factory=dict)
    dock: dict[str, int] = field(default_factory=dict)
    drop_shelf: dict[str, int] = field(default_factory=dict)
    made_units: dict[str, int] = field(default_factory=dict)  # units of the maker's article
    blocked_leaves: tuple[str, int] = ("", 0)  # of this item the wholesaler's quality control leaves so many pieces
    receipt: tuple[str, str, int] = ("", "", 0)  # (store, item, pieces) that come in later

    def of(self, role: str) -> Want:
        """The order with this part in the story."""
        return next(want for want in self.wants if want.role == role)

    @property
    def items(self) -> set[str]:
        """Every item that is ordered."""
        return {line.code for want in self.wants for line in want.lines}


def make(trade: Trade, at_supplier: Mapping[str, int], exclusive: list[str]) -> Plan:
    """Plan the second act; `at_supplier` is what the wholesaler has free of each item, in pieces.

    Raises ConfigError when the trade has no items that fit the story.
    """
    return _Making(trade, at_supplier, exclusive).made()


class _Making:
    def __init__(self, trade: Trade, at_supplier: Mapping[str, int], exclusive: list[str]) -> None:
        self.trade, self.at_supplier, self.exclusive = trade, at_supplier, exclusive
        self.plan = Plan()
        self.taken: set[str] = set(exclusive)
        lines = Counter(line.code for order in trade.customer_orders for line in order.lines)
        known = (item for item in trade.items.values() if facts.gtin_of(item.code))
        self.items = sorted(known, key=lambda item: (-lines[item.code], item.code))
        customers = [order for order in trade.customer_orders if order.customer]
        self.people = list({order.customer: order.country for order in customers}.items())

    def made(self) -> Plan:
        """All parts, the story's first."""
        for part in (self._split, self._rejected, self._collected, self._third_party, self._drop_ship, self._waiting):
            part()
        self._crowd()
        return self.plan

    def _take(self, what: str, fits: Callable[[Item], object]) -> Item:
        """The most popular item not yet in use that fits."""
        found = next((item for item in self.items if item.code not in self.taken and fits(item)), None)
        if found is None:
            raise ConfigError(f"the trade has no item for the second act: {what}", hint="Give it more orders.")
        self.taken.add(found.code)
        return found

    def _left(self, item: Item) -> int:
        return self.at_supplier.get(item.code, 0)

    def _want(self, role: str, *lines: tuple[Item, int], person: tuple[str, str] | None = None, **more: Any) -> None:
        number = f"WEB-{len(self.plan.wants) + 1:04d}"
        customer, country = person or self.people[len(self.plan.wants) % len(self.people)]
        found = tuple(Line(str(place), item.code, pieces, item.price) for place, (item, pieces) in enumerate(lines, 1))
        self.plan.wants.append(Want(number, role, customer, country, found, **more))

    def _on_shelves(self, item: Item, **pieces: int) -> None:
        for store in STORES:
            self.plan.shelves[store, item.code] = pieces.get(store, 0)

    def _split(self) -> None:
        """More than anybody has alone: a store's shelf, all of the wholesaler, a dozen or carton of the maker."""
        item = self._take(
            "little at the wholesaler, and made by the maker",
            lambda one: facts.made_of(one.code) and 0 < self._left(one) <= 120,
        )
        made = facts.made_of(item.code)
        assert made is not None
        self._on_shelves(item, HARBOUR=IN_STORE)
        self.plan.made_units[made.number] = 1
        other = self._take("enough at the wholesaler", lambda one: self._plain(one) and self._left(one) >= 6)
        self._on_shelves(other, MARKET=6)
        self._want("split", (item, IN_STORE + self._left(item) + made.contents), (other, 2))

    def _plain(self, item: Item) -> bool:
        """Counted in pieces by the wholesaler, and not made by the maker."""
        return facts.pack_of(item.code, item.common) == 1 and facts.made_of(item.code) is None

    def _rejected(self) -> None:
        """The wholesaler holds eight and can send five; the other three lie in a store, dearer.

        What is cheap is not split from the start, however many lines the wholesaler has rejected lately.
        """
        item = self._take(
            "eight cheap ones at the wholesaler",
            lambda one: self._plain(one) and self._left(one) >= 8 and one.price <= CHEAP,
        )
        self._on_shelves(item, MARKET=IN_STORE)
        self.plan.blocked_leaves = (item.code, 5)
        self._want("rejected", (item, 8))

    def _collected(self) -> None:
        item = self._take("in a store", lambda one: True)
        self._on_shelves(item, STATION=4)
        self._want("collected", (item, 2), kind="PICK_UP", collect_at="STATION", by_hand=True)

    def _third_party(self) -> None:
        item = self._take("at the 3PL", lambda one: self._left(one) == 0)
        self._on_shelves(item)
        self.plan.dock[item.code] = 20
        self._want("third party", (item, 4))

    def _drop_ship(self) -> None:
        """Nobody but the maker has it, which sells it to the wholesaler only, which never has it in its warehouse."""
        free = [code for code in self.exclusive if self.at_supplier.get(code, 0) == 0]
        if not free:
            raise ConfigError("the trade has no item for a drop shipment over three", hint="Give it more orders.")
        # Whole packs of the wholesaler and whole dozens or cartons of the maker, as few as can be.
        pieces, code = min((math.lcm(self._contents(code), self._pack(code)), code) for code in free)
        item, made = self.trade.items[code], facts.made_of(code)
        assert made is not None
        self._on_shelves(item)
        self.plan.drop_shelf[code] = 2 * pieces
        self.plan.made_units[made.number] = 2 * pieces // made.contents
        self._want("drop ship", (item, pieces))

    def _contents(self, code: str) -> int:
        made = facts.made_of(code)
        return made.contents if made is not None else 1

    def _pack(self, code: str) -> int:
        return facts.pack_of(code, self.trade.items[code].common)

    def _waiting(self) -> None:
        """Three customers want six each of what nobody has; the second one is more important."""
        item = self._take("nowhere", lambda one: self._left(one) == 0 and facts.made_of(one.code) is None)
        self._on_shelves(item)
        self.plan.receipt = ("HARBOUR", item.code, RECEIPT)
        for place, priority in enumerate((0, 10, 0), 1):
            self._want(f"waiting {place}", (item, 6), priority=priority)

    def _crowd(self) -> None:
        """The trade's first orders of some popular items once more, as orders of the shop's own customers."""
        chosen = [self._take("popular", lambda one: True) for _ in range(CROWD_ITEMS)]
        for item in chosen:
            for store in STORES:
                self.plan.shelves[store, item.code] = facts.bucket(f"shelf {store} {item.code}", 14)
            if facts.bucket(f"dock? {item.code}", 2):
                self.plan.dock[item.code] = 6 + facts.bucket(f"dock {item.code}", 30)
        codes = {item.code for item in chosen}
        placed = 0
        for order in self.trade.customer_orders:
            lines = {line.code: min(line.quantity, CROWD_PIECES_MAX) for line in order.lines if line.code in codes}
            if not lines or not order.customer:
                continue
            placed += 1
            some = [(self.trade.items[code], pieces) for code, pieces in list(lines.items())[:CROWD_LINES_MAX]]
            self._want("", *some, person=(order.customer, order.country))
            if placed == CROWD:
                return

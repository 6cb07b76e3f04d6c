"""A world to source in: orders from retail transactions (or made up), sites and partners on a map, stock and rates.

All of it follows from a seed. Distances are on a plane; freight goes by zones of distance and by weight.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from math import hypot
from pathlib import Path

from node.core.sourcing.problem import DemandLine, OrderDemand, Policy, Problem, Service, Source, Supply
from scripts.demonstration.trade import read_trade

__all__ = ["World", "generated_orders", "make_world", "retail_orders"]

TODAY = date(2026, 11, 2)
CENT = Decimal("0.01")
MAP_KM = 800
ZONES = ((100, "3.50", "0.20", 1), (300, "4.50", "0.35", 2), (550, "5.50", "0.50", 3), (10_000, "7.50", "0.80", 4))
"""(up to km, per parcel, per kg, days)"""
LINES_MAX = 400

Basket = tuple[str, list[tuple[str, int, Decimal]]]
"""(customer, its (item, quantity, price))"""


@dataclass(slots=True)
class World:
    """Sites, what they hold, and the orders to come, in turn."""

    sources: tuple[Source, ...]
    supplies: dict[str, list[Supply]]
    orders: list[OrderDemand]
    at: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Where sources and orders are, by id, in km."""

    def services(self, orders: Iterable[OrderDemand]) -> tuple[Service, ...]:
        """From every source to each of the orders."""
        return tuple(self.service(source, order) for order in orders for source in self.sources)

    def service(self, source: Source, order: OrderDemand) -> Service:
        """The rate for the zone of the distance."""
        (a, b), (c, d) = self.at[source.source_id], self.at[order.order_id]
        km = hypot(a - c, b - d)
        _, fixed, per_kg, days = next(zone for zone in ZONES if km <= zone[0])
        return Service(
            source_id=source.source_id,
            order_id=order.order_id,
            carrier="van",
            service="parcel",
            cost_fixed=Decimal(fixed),
            cost_per_kg=Decimal(per_kg),
            transit_days=days,
            distance_km=Decimal(round(km)),
        )

    def problem(self, orders: Sequence[OrderDemand], *, seconds: float = 5.0) -> Problem:
        """The snapshot with what these orders could use."""
        items = {line.item_key for order in orders for line in order.lines}
        supplies = tuple(supply for item in sorted(items) for supply in self.supplies.get(item, ()))
        return Problem(
            today=TODAY,
            orders=tuple(orders),
            sources=self.sources,
            supplies=supplies,
            services=self.services(orders),
            seconds=seconds,
        )


def retail_orders(path: Path, count: int) -> list[Basket]:
    """The first orders of a file of retail transactions.

    Raises ConfigError when the file cannot be read as such, or holds too few orders.
    """
    trade = read_trade(path, orders=count)
    return [
        (order.customer or order.invoice, [(line.code, line.quantity, line.price) for line in order.lines])
        for order in trade.customer_orders
    ]


def generated_orders(seed: int, count: int) -> list[Basket]:
    """Orders like a gift shop's: few items in most, hundreds in some, popular items in many."""
    chance = random.Random(seed)
    prices = [Decimal(chance.randint(20, 1500)) * CENT for _ in range(2_000)]
    baskets = []
    for _ in range(count):
        lines = min(LINES_MAX, 1 + int(chance.lognormvariate(2.6, 1.0)))
        items = sorted({min(1_999, int(chance.paretovariate(0.7)) - 1) for _ in range(lines)})
        wanted = [(f"I{item:04d}", chance.choice((1, 1, 2, 3, 4, 6, 12, 24)), prices[item]) for item in items]
        baskets.append((f"C{chance.randrange(count)}", wanted))
    return baskets


def make_world(baskets: Sequence[Basket], *, places: int, seed: int, plenty: bool, policy: Policy) -> World:
    """Sites and partners for these orders: one in five a warehouse that has nearly all, stores and suppliers with less.

    `plenty`: whoever holds an item holds enough for everybody; otherwise about one order's worth, or two.
    """
    chance = random.Random(seed)
    world = World((), {}, [])
    kinds = ["warehouse" if at % 5 == 0 else "store" if at % 5 < 3 else "supplier" for at in range(places)]
    world.sources = tuple(_source(chance, at, kind) for at, kind in enumerate(kinds))
    for source in world.sources:
        world.at[source.source_id] = (chance.uniform(0, MAP_KM), chance.uniform(0, MAP_KM))
    homes: dict[str, tuple[float, float]] = {}
    weights: dict[str, Decimal] = {}
    for number, (customer, wanted) in enumerate(baskets):
        lines = _lines(wanted, weights, chance)
        order = OrderDemand(order_id=f"O{number:05d}", lines=lines, policy=policy, need_on=TODAY + timedelta(4))
        world.orders.append(order)
        home = homes.setdefault(customer, (chance.uniform(0, MAP_KM), chance.uniform(0, MAP_KM)))
        world.at[order.order_id] = home
    prices = {item: price for _, wanted in baskets for item, _, price in wanted}
    largest = _largest(baskets)
    for item, price in sorted(prices.items()):
        world.supplies[item] = [
            _supply(chance, source, item, price, largest[item], plenty=plenty)
            for source in world.sources
            if chance.random() < {"warehouse": 0.9, "store": 0.35, "supplier": 0.6}[source.kind]
        ]
    return world


def _largest(baskets: Sequence[Basket]) -> dict[str, int]:
    found: dict[str, int] = {}
    for _, wanted in baskets:
        for item, quantity, _ in wanted:
            found[item] = max(found.get(item, 0), quantity)
    return found


def _source(chance: random.Random, at: int, kind: str) -> Source:
    partner = f"P{at}" if kind == "supplier" else ""
    return Source(
        source_id=f"{partner}|S{at:02d}",
        partner_id=partner,
        location=f"S{at:02d}",
        kind=kind,
        handling_per_order=Decimal(chance.randint(80, 200)) * CENT,
        handling_per_line=Decimal(chance.randint(10, 30)) * CENT,
        handling_per_unit=Decimal(chance.randint(1, 3)) * CENT,
        ship_on=TODAY + timedelta(1 if kind == "supplier" else 0),
        confidence=Decimal(chance.randint(90, 99)) * CENT if partner else Decimal(1),
    )


def _lines(
    wanted: Sequence[tuple[str, int, Decimal]], weights: dict[str, Decimal], chance: random.Random
) -> tuple[DemandLine, ...]:
    lines = []
    for at, (item, quantity, price) in enumerate(wanted):
        weight = weights.setdefault(item, Decimal(chance.randint(5, 60)) * CENT)
        lines.append(
            DemandLine(line_id=str(at), item_key=item, quantity=Decimal(quantity), weight_kg=weight, price=price)
        )
    return tuple(lines)


def _supply(chance: random.Random, source: Source, item: str, price: Decimal, largest: int, *, plenty: bool) -> Supply:
    dear = chance.randint(50, 56) if source.kind == "supplier" else 48
    many = 1_000_000 if plenty else max(1, round(largest * chance.choice((0.5, 1, 1, 2))))
    return Supply(
        source_id=source.source_id,
        item_key=item,
        quantity=Decimal(many),
        on=TODAY,
        unit_cost=(price * dear * CENT).quantize(Decimal("0.0001")),
        confidence=Decimal(chance.randint(92, 100)) * CENT,
        basis="figure",
    )

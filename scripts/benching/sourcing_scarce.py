"""The scarce-stock instance: orders come one by one, stock lasts for about what is to come, and lies where it lies.

Single-line orders of the items most asked for, over a few places. The first half of the orders is history; for the
second half every place has stock of each item, all places together about what the second half wants, shared out with
noise. Decided is order after order, with prices of scarce stock (ours) or without (myopic). The clairvoyant decides all
of the second half together, and knows it; its proved bound is what counts. Orders come in random order, so that the
past tells of the future, or as they came, where it tells less.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from node.core.sourcing.problem import DemandLine, OrderDemand, Plan, Policy, Supply
from node.core.sourcing.scarcity import DemandDay, Outlook, StockLeft, Way, scarcity_prices
from node.core.sourcing.solve import solve
from scripts.benching.sourcing_world import TODAY, Basket, World, make_world

__all__ = ["measure_scarce"]

PLACES = 6
ITEMS = 10
CELL_KM = 160
ORDERS_PER_DAY = 40
QUANTITY_MAX = 3
UNFILLED = Decimal(30)
Prices = dict[tuple[str, str], Decimal]


@dataclass(slots=True)
class Season:
    """The instance: a world, its orders split into what was and what comes, and each order's region."""

    world: World
    past: list[OrderDemand]
    coming: list[OrderDemand]
    region: dict[str, str]


def make_season(baskets: Sequence[Basket], seed: int, *, shuffled: bool) -> Season:
    """The instance from baskets, all of it from the seed."""
    chance = random.Random(seed)
    common = Counter(item for _, wanted in baskets for item, _, _ in wanted)
    chosen = {item for item, _ in common.most_common(ITEMS)}
    singles: list[Basket] = [
        (customer, [(item, 1 + quantity % QUANTITY_MAX, price)])
        for customer, wanted in baskets
        for item, quantity, price in wanted
        if item in chosen
    ]
    if shuffled:
        chance.shuffle(singles)
    policy = Policy(strategy="scarce", unfilled_cost=UNFILLED)
    world = make_world(singles, places=PLACES, seed=seed, plenty=True, policy=policy)
    half = len(world.orders) // 2
    past, coming = world.orders[:half], world.orders[half:]
    region = {order.order_id: _cell(world.at[order.order_id]) for order in world.orders}
    wanted: Counter[str] = Counter()
    for order in coming:
        wanted[order.lines[0].item_key] += int(order.lines[0].quantity)
    for item, supplies in world.supplies.items():
        world.supplies[item] = _shared_out(chance, world, item, supplies, wanted[item])
    return Season(world, past, coming, region)


def _cell(place: tuple[float, float]) -> str:
    """The square of the map, as postal codes' first digits are: what demand is counted by."""
    return f"{int(place[0] // CELL_KM)}-{int(place[1] // CELL_KM)}"


def _shared_out(chance: random.Random, world: World, item: str, like: Sequence[Supply], wanted: int) -> list[Supply]:
    """Stock of an item at every place: together about what is wanted, each place's share as chance will."""
    shares = [chance.expovariate(1) for _ in world.sources]
    total = wanted * chance.uniform(0.9, 1.1)
    return [
        replace(like[0], source_id=source.source_id, quantity=Decimal(round(total * share / sum(shares))))
        for source, share in zip(world.sources, shares, strict=True)
    ]


def _demand_days(season: Season) -> dict[str, list[tuple[int, DemandDay]]]:
    """By item, the demand of every order with its number, below 0 in the past, in the order in which they came."""
    found: dict[str, list[tuple[int, DemandDay]]] = defaultdict(list)
    for number, order in enumerate([*season.past, *season.coming], -len(season.past)):
        line: DemandLine = order.lines[0]
        region = season.region[order.order_id]
        day = DemandDay(item_key=line.item_key, region=region, on=_day(number), quantity=line.quantity)
        found[line.item_key].append((number, day))
    return found


def _day(number: int) -> date:
    return TODAY + timedelta(number // ORDERS_PER_DAY)


def _ways(season: Season) -> list[Way]:
    """What a unit costs from a place to a region, over the orders of the past, parcels and handling included."""
    costs: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    units: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for order in season.past:
        line = order.lines[0]
        for source in season.world.sources:
            way = season.world.service(source, order)
            unit = way.cost_per_kg * line.weight_kg + source.handling_per_unit
            unit += (1 - source.confidence) * (line.price or Decimal(0))
            key = (source.source_id, season.region[order.order_id])
            fixed = way.cost_fixed + source.handling_per_order + source.handling_per_line
            costs[key] += fixed + unit * line.quantity
            units[key] += line.quantity
    return [Way(source_id=key[0], region=key[1], unit_cost=costs[key] / units[key]) for key in costs]


def _prices(season: Season, number: int, item: str, ways: list[Way], days: list[tuple[int, DemandDay]]) -> Prices:
    """Prices of one item as they follow from what is known when so many of the coming orders have come."""
    end = _day(len(season.coming)) + timedelta(1)
    return scarcity_prices(
        Outlook(
            today=_day(number) + timedelta(1),
            since=_day(-len(season.past)),
            horizon_days=max(1, (end - _day(number)).days - 1),
            history=[day for at, day in days if at < number],
            stock=[
                StockLeft(source_id=one.source_id, item_key=item, quantity=one.quantity)
                for one in season.world.supplies[item]
            ],
            ways=ways,
            unfilled_default=UNFILLED,
            dispersion=QUANTITY_MAX - 1,
        )
    )


def _one_by_one(season: Season, *, priced: bool, report: Callable[[int], None]) -> Decimal:
    """The cost of deciding each order as it comes; stock falls by what is taken. Prices are not in the cost."""
    kept = {item: list(supplies) for item, supplies in season.world.supplies.items()}
    total = Decimal(0)
    prices: Prices = {}
    ways, days = _ways(season), _demand_days(season)
    for number, order in enumerate(season.coming):
        if priced:
            item = order.lines[0].item_key
            prices = _prices(season, number, item, ways, days[item])
        problem = replace(season.world.problem([order]), scarcity=prices)
        plan: Plan = solve(problem)
        total += plan.cost - plan.costs["scarcity"]
        for piece in plan.assignments:
            supplies = season.world.supplies[piece.item_key]
            at = next(at for at, one in enumerate(supplies) if one.source_id == piece.source_id)
            supplies[at] = replace(supplies[at], quantity=supplies[at].quantity - piece.quantity)
        report(number)
    season.world.supplies = kept
    return total


def _step(report: Callable[[int, int], None], before: int, total: int, at: int) -> None:
    report(before + at, total)


def _plus(step: Callable[[int], None], before: int, at: int) -> None:
    step(before + at)


def measure_scarce(
    baskets: Sequence[Basket],
    *,
    seeds: Sequence[int],
    shuffled: bool,
    seconds: float,
    report: Callable[[int, int], None],
) -> dict[str, Any]:
    """Myopic, ours and clairvoyant over the seeds, and the share of the gap that ours closes."""
    sums = {"myopic": Decimal(0), "ours": Decimal(0), "clairvoyant": Decimal(0)}
    orders = 0
    for round_, seed in enumerate(seeds):
        season = make_season(baskets, seed, shuffled=shuffled)
        count = len(season.coming)
        step = partial(_step, report, round_ * 2 * count, len(seeds) * 2 * count)
        orders += count
        sums["myopic"] += _one_by_one(season, priced=False, report=step)
        sums["ours"] += _one_by_one(season, priced=True, report=partial(_plus, step, count))
        together = solve(season.world.problem(season.coming, seconds=seconds))
        assert together.bound is not None, "the clairvoyant has shown no bound"
        sums["clairvoyant"] += together.bound
        step(2 * count)
    gap = sums["myopic"] - sums["clairvoyant"]
    return {
        "instances": len(seeds),
        "orders": orders,
        "places": PLACES,
        "items": ITEMS,
        **{f"{name}_cost": round(float(cost), 2) for name, cost in sums.items()},
        "gap_closed": round(float((sums["myopic"] - sums["ours"]) / gap), 3) if gap > 0 else 1.0,
    }

"""A problem as arrays: every candidate (line, supply, parcel) that the hard limits leave, with its costs as floats.

What counts in the end is exact and is reckoned elsewhere (`costing`, `check`); the arrays only guide the search.
A parcel is what leaves one source for one order on one day by one service. Goods may wait for a later parcel.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from node.core.sourcing.check import is_whole, together
from node.core.sourcing.costing import DISTANCE_UNKNOWN, goods_value, urgency
from node.core.sourcing.limits import (
    LIMIT,
    STEP_MIN,
    Index,
    fair_price,
    latest_arrival,
    line_fault,
    policy_fault,
    service_fault,
    source_fault,
)
from node.core.sourcing.problem import ONE, ZERO, DemandLine, OrderDemand, Problem, Service, Source

__all__ = ["Floats", "Grid", "Ints", "build", "day_of", "urgent_first"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DAY_BITS = 23
DAY_MAX = date.max.toordinal()
NEVER = 1 << 22


@dataclass(slots=True)
class Grid:
    """Arrays by column (a candidate), by lp (line in a parcel), parcel, os (order at a source), line and order."""

    orders: list[OrderDemand] = field(default_factory=list)
    lines: list[tuple[int, DemandLine]] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    need: Floats = field(default_factory=lambda: np.zeros(0))
    unfilled: Floats = field(default_factory=lambda: np.zeros(0))
    """Cost per unit left open, by line."""
    line_order: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    line_group: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """Lines that come in one parcel, or not at all, have one number >= 0; -1 may be split."""
    col_line: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    col_supply: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    col_lp: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    col_parcel: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    step: Floats = field(default_factory=lambda: np.zeros(0))
    most: Floats = field(default_factory=lambda: np.zeros(0))
    """Steps at most, by column."""
    cost: Floats = field(default_factory=lambda: np.zeros(0))
    """Per unit, by column."""
    worth: Floats = field(default_factory=lambda: np.zeros(0))
    """Goods' unit cost, by column."""
    minimum: Floats = field(default_factory=lambda: np.zeros(0))
    lp_line: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    lp_parcel: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    lp_fixed: Floats = field(default_factory=lambda: np.zeros(0))
    parcel_os: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    parcel_day: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    parcel_service: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    parcel_fixed: Floats = field(default_factory=lambda: np.zeros(0))
    os_order: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    os_source: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    os_fixed: Floats = field(default_factory=lambda: np.zeros(0))
    split: Floats = field(default_factory=lambda: np.zeros(0))
    """For each source beyond the first, by order."""
    stock: Floats = field(default_factory=lambda: np.zeros(0))
    """Quantity by supply, of all the problem's."""
    supply_source: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    kits: list[tuple[int, list[int]]] = field(default_factory=list)
    """(kits at most, their lines); a kit with a component that cannot be had at all has 0."""


@dataclass(slots=True)
class _Supplies:
    source: Ints
    quantity: Floats
    on: Ints
    cost: Floats
    step: Floats
    minimum: Floats
    best_before: Ints
    sure: Floats
    age: Floats
    scarcity: Floats
    by_item: dict[str, Ints]
    has_units: bool


def day_of(ordinal: int) -> date:
    """The date of an array's day."""
    return date.fromordinal(int(ordinal))


def urgent_first(grid: Grid, orders: Sequence[int]) -> list[int]:
    """Orders by priority, then by the day they are wanted, then by id."""

    def turn(number: int) -> tuple[int, bool, int, str]:
        order = grid.orders[number]
        day = order.need_on.toordinal() if order.need_on is not None else 0
        return -order.priority, order.need_on is None, day, order.order_id

    return sorted(orders, key=turn)


def _float(value: Decimal) -> float:
    """A decimal as a float that is never mistaken for zero, and not a number rather than an error."""
    if value.is_snan():
        return float("nan")
    number = float(value)
    return number if number or not value else math.copysign(5e-324, value)


def floats(values: Iterable[Decimal]) -> Floats:
    """Decimals as an array. What is not zero does not become zero, and what is no number raises nothing."""
    given = list(values)
    try:
        # A decimal becomes a float by way of its text, which is slow; most figures are the defaults.
        numbers = np.array(
            [0.0 if value is ZERO else 1.0 if value is ONE else float(value) for value in given], dtype=np.float64
        )
    except ValueError:
        return np.array([_float(value) for value in given], dtype=np.float64)
    if any(given[at] is not ZERO and given[at] for at in np.flatnonzero(numbers == 0).tolist()):
        return np.array([_float(value) for value in given], dtype=np.float64)
    return numbers


def _supplies(problem: Problem, found: Index, numbers: dict[str, int]) -> _Supplies:
    rows = problem.supplies
    multiple = floats(row.multiple for row in rows)
    scarcity = np.zeros(len(rows))
    if problem.scarcity:
        price = problem.scarcity
        scarcity = np.array([_float(price.get((row.source_id, row.item_key), Decimal(0))) for row in rows], np.float64)
    taken = _Supplies(
        source=np.array([numbers.get(row.source_id, -1) for row in rows], np.int64),
        quantity=floats(row.quantity for row in rows),
        on=np.array([row.on.toordinal() for row in rows], np.int64),
        cost=floats(row.unit_cost for row in rows),
        step=np.where(multiple > 0, multiple, float(STEP_MIN)),
        minimum=floats(row.minimum for row in rows),
        best_before=np.array(
            [NEVER if row.best_before_on is None else row.best_before_on.toordinal() for row in rows], np.int64
        ),
        sure=np.minimum(1.0, floats(row.confidence for row in rows)),
        age=np.maximum(0.0, np.array([row.age_seconds for row in rows], np.float64)),
        scarcity=scarcity,
        by_item={},
        has_units=any(row.unit for row in rows),
    )
    limit = float(LIMIT)
    good = (taken.source >= 0) & (taken.quantity > 0) & (np.abs(multiple) <= limit)
    good &= (multiple <= 0) | (multiple >= float(STEP_MIN))
    for figures in (taken.quantity, taken.cost, taken.minimum, taken.sure, taken.scarcity):
        good &= (figures >= 0) & (figures <= limit)
    for item_key, positions in found.supplies.items():
        at = np.array(positions, np.int64)
        taken.by_item[item_key] = at[good[at]]
    return taken


def build(problem: Problem, found: Index) -> Grid:
    """All candidates of the problem that keep the hard limits of a single candidate."""
    # What is absurd is left out by comparison; on the way there it may overflow.
    with np.errstate(all="ignore"):
        return _build(problem, found)


def _build(problem: Problem, found: Index) -> Grid:
    grid = Grid(orders=list(found.orders.values()), sources=list(found.sources.values()))
    numbers = {source.source_id: number for number, source in enumerate(grid.sources)}
    supplies = _supplies(problem, found, numbers)
    grid.stock, grid.supply_source = supplies.quantity, supplies.source
    os_of, services_of = _routes(problem, found, grid, numbers)
    _lines(problem, found, grid)
    pair_line, pair_supply, pair_os = _pairs(problem, grid, supplies, os_of)
    ships = np.array([source.ship_on.toordinal() for source in grid.sources], np.int64)
    ready = np.maximum(supplies.on[pair_supply], ships[supplies.source[pair_supply]])
    _parcels(grid, services_of, pair_os, ready)
    pair, parcel = _expand(grid, pair_os, ready)
    _columns(problem, grid, supplies, pair_line[pair], pair_supply[pair], parcel)
    return grid


def _routes(
    problem: Problem, found: Index, grid: Grid, numbers: dict[str, int]
) -> tuple[list[Ints | None], list[list[int]]]:
    """By order the number of its os at each source (-1: none), and by os its services."""
    os_of: list[Ints | None] = []
    services_of: list[list[int]] = []
    os_order, os_source = [], []
    by_order: dict[str, list[tuple[int, list[Service]]]] = {}
    for (order_id, source_id), services in found.services.items():
        if source_id in numbers:
            by_order.setdefault(order_id, []).append((numbers[source_id], services))
    faulty = [bool(source_fault(source)) for source in grid.sources]
    for number, order in enumerate(grid.orders):
        row = np.full(len(grid.sources), -1, np.int64)
        ways = [] if policy_fault(order.policy) else by_order.get(order.order_id, [])
        for at, services in ways:
            if faulty[at]:
                continue
            kept = [one for one in services if not service_fault(order, grid.sources[at], one)]
            if kept:
                row[at] = len(services_of)
                services_of.append([len(grid.services) + place for place in range(len(kept))])
                kept = _best(order, kept)
                services_of[-1] = services_of[-1][: len(kept)]
                grid.services.extend(kept)
                os_order.append(number)
                os_source.append(at)
        os_of.append(row)
    grid.os_order, grid.os_source = np.array(os_order, np.int64), np.array(os_source, np.int64)
    policies = [order.policy for order in grid.orders]
    grid.split = floats(one.split_cost for one in policies) * floats(one.weights.cost for one in policies)
    handling = floats(source.handling_per_order for source in grid.sources)
    weight = floats(order.policy.weights.cost for order in grid.orders)
    grid.os_fixed = handling[grid.os_source] * weight[grid.os_order]
    return os_of, services_of


def _best(order: OrderDemand, services: list[Service]) -> list[Service]:
    """The services without those that another beats or equals in everything."""
    if len(services) == 1:
        return services
    far = [DISTANCE_UNKNOWN * 100 if one.distance_km is None else one.distance_km for one in services]
    rank = [(one.cost_fixed, one.cost_per_kg, Decimal(one.transit_days), far[at]) for at, one in enumerate(services)]

    def beaten(at: int) -> bool:
        return any(
            all(mine >= theirs for mine, theirs in zip(rank[at], rank[other], strict=True))
            and (rank[at] != rank[other] or other < at)
            for other in range(len(rank))
            if other != at
        )

    return [one for at, one in enumerate(services) if not beaten(at)]


def _lines(problem: Problem, found: Index, grid: Grid) -> None:
    groups: dict[tuple[int, str], int] = {}
    wholes: dict[tuple[int, str], bool] = {}
    kits: dict[tuple[int, str], list[int]] = {}
    broken: set[tuple[int, str]] = set()
    orders, names, need, unfilled = [], [], [], []
    for number, order in enumerate(grid.orders):
        if policy_fault(order.policy):
            continue
        for line in found.lines[order.order_id].values():
            key = (number, together(order, line))
            if line_fault(line):
                broken.add(key)
                continue
            wholes[key] = wholes.get(key, False) or is_whole(order, line)
            if line.parent_line:
                kits.setdefault(key, []).append(len(grid.lines))
            grid.lines.append((number, line))
            orders.append(number)
            names.append(key)
            need.append(_float(line.quantity))
            base = order.policy.unfilled_cost * urgency(order)
            unfilled.append(_float(base + goods_value(problem, found, line) * order.policy.weights.cost))
    grid.need, grid.unfilled = np.array(need), np.array(unfilled)
    grid.line_order = np.array(orders, np.int64)
    numbered = [groups.setdefault(key, len(groups)) if wholes[key] else -1 for key in names]
    grid.line_group = np.array(numbered, np.int64)
    for key, members in kits.items():
        counts = {max(1, grid.lines[at][1].kits) for at in members}
        count = 0 if key in broken or len(counts) > 1 else counts.pop()
        grid.kits.append((count, members))


def _pairs(problem: Problem, grid: Grid, supplies: _Supplies, os_of: Sequence[Ints | None]) -> tuple[Ints, Ints, Ints]:
    """Every (line, supply, os) whose source serves the order."""
    line_parts, supply_parts, os_parts = [], [], []
    for number, (order, line) in enumerate(grid.lines):
        at = supplies.by_item.get(line.item_key)
        row = os_of[order]
        if at is None or row is None or not len(at):
            continue
        os = row[supplies.source[at]]
        keep = os >= 0
        if supplies.has_units and line.unit:
            keep &= np.array([problem.supplies[one].unit in ("", line.unit) for one in at], np.bool_)
        at = at[keep]
        supply_parts.append(at)
        os_parts.append(os[keep])
        line_parts.append(np.full(len(at), number, np.int64))
    if not line_parts:
        empty = np.zeros(0, np.int64)
        return empty, empty, empty
    return np.concatenate(line_parts), np.concatenate(supply_parts), np.concatenate(os_parts)


def _parcels(grid: Grid, services_of: list[list[int]], pair_os: Ints, ready: Ints) -> None:
    """A parcel for every day on which something becomes ready at a source, by every service from there."""
    keys = np.unique((pair_os << DAY_BITS) | ready)
    os, day = keys >> DAY_BITS, keys & ((1 << DAY_BITS) - 1)
    counts = np.array([len(services_of[one]) for one in os], np.int64)
    grid.parcel_os, grid.parcel_day = np.repeat(os, counts), np.repeat(day, counts)
    flat: list[Any] = [service for one in os for service in services_of[one]]
    grid.parcel_service = np.array(flat, np.int64)
    weights = [grid.orders[number].policy.weights for number in grid.os_order[grid.parcel_os]]
    grid.parcel_fixed = np.array(
        [
            _float(grid.services[service].cost_fixed) * _float(weight.cost) + _float(weight.parcels)
            for service, weight in zip(flat, weights, strict=True)
        ],
        np.float64,
    )


def _expand(grid: Grid, pair_os: Ints, ready: Ints) -> tuple[Ints, Ints]:
    """(pair, parcel) for every pair and every parcel of its os that leaves when it is ready, or later."""
    counts = np.bincount(grid.parcel_os, minlength=len(grid.os_order))
    starts = np.cumsum(counts) - counts
    times = counts[pair_os]
    pair = np.repeat(np.arange(len(pair_os)), times)
    begin = np.cumsum(times) - times
    parcel = starts[pair_os][pair] + np.arange(len(pair)) - begin[pair]
    keep = grid.parcel_day[parcel] >= ready[pair]
    return pair[keep], parcel[keep]


def _columns(problem: Problem, grid: Grid, supplies: _Supplies, line: Ints, supply: Ints, parcel: Ints) -> None:
    """Leave out what comes too late or too old, price the rest."""
    orders = grid.orders
    last = np.array([_ordinal(latest_arrival(order), NEVER) for order in orders], np.int64)
    transit = np.array([min(one.transit_days, DAY_MAX) for one in grid.services], np.int64)
    arrive = np.minimum(grid.parcel_day + transit[grid.parcel_service], DAY_MAX)
    shelf = np.array([one.shelf_life_days_min for _, one in grid.lines], np.int64)
    keep = arrive[parcel] <= last[grid.line_order[line]]
    left = supplies.best_before[supply] - arrive[parcel]
    keep &= (supplies.best_before[supply] == NEVER) | (left >= shelf[line])
    steps = np.floor(
        np.minimum(grid.need[line], supplies.quantity[supply]) / supplies.step[supply] * (1 + 1e-12) + 1e-9
    )
    keep &= (steps >= 1) & (supplies.minimum[supply] <= grid.need[line])
    line, supply, parcel, grid.most = line[keep], supply[keep], parcel[keep], steps[keep]
    grid.col_line, grid.col_supply, grid.col_parcel = line, supply, parcel
    grid.step, grid.worth = supplies.step[supply], supplies.cost[supply]
    grid.minimum = supplies.minimum[supply]
    grid.cost = _unit_costs(problem, grid, supplies, arrive)
    count = max(1, len(grid.parcel_os))
    keys, grid.col_lp = np.unique(line * count + parcel, return_inverse=True)
    grid.lp_line, grid.lp_parcel = keys // count, keys % count
    per_line = floats(source.handling_per_line for source in grid.sources)
    weight = floats(order.policy.weights.cost for order in orders)
    os = grid.parcel_os[grid.lp_parcel]
    grid.lp_fixed = per_line[grid.os_source[os]] * weight[grid.os_order[os]] if len(os) else np.zeros(0)


def _ordinal(day: date | None, otherwise: int) -> int:
    return otherwise if day is None else day.toordinal()


def _unit_costs(problem: Problem, grid: Grid, supplies: _Supplies, arrive: Ints) -> Floats:
    """`costing.unit_costs`, summed up, for every column."""
    line, supply, parcel = grid.col_line, grid.col_supply, grid.col_parcel
    if not len(line):
        return np.zeros(0)
    order = grid.line_order[line]
    source = supplies.source[supply]
    policies = [one.policy for one in grid.orders]
    goals = [one.weights for one in policies]
    weight = floats(one.cost for one in goals)[order]
    days = arrive[parcel]
    need_on = np.array([_ordinal(one.need_on, NEVER) for one in grid.orders], np.int64)
    urgent = np.array([urgency(one) for one in grid.orders], np.float64)
    late = floats(one.late_per_day for one in policies) * urgent
    kg = floats(one.weight_kg for _, one in grid.lines)
    per_kg = floats(one.cost_per_kg for one in grid.services)
    per_unit = floats(one.handling_per_unit for one in grid.sources)
    cost = weight * (supplies.cost[supply] + per_kg[grid.parcel_service[parcel]] * kg[line] + per_unit[source])
    cost += late[order] * np.maximum(0, days - need_on[order]) + supplies.scarcity[supply]
    cost += _risk(grid, supplies, order, source)
    far = floats(DISTANCE_UNKNOWN * 100 if one.distance_km is None else one.distance_km for one in grid.services)
    preferred = np.minimum(1.0, floats(one.preferred for one in grid.sources))
    share = floats(one.speed for one in goals)[order] * np.maximum(0, days - problem.today.toordinal())
    share += floats(one.vicinity for one in goals)[order] * far[grid.parcel_service[parcel]] / 100
    share += floats(one.preference for one in goals)[order] * (1 - preferred[source])
    return cost + share / grid.need[line]


def _risk(grid: Grid, supplies: _Supplies, order: Ints, source: Ints) -> Floats:
    line, supply = grid.col_line, grid.col_supply
    policies = [one.policy for one in grid.orders]
    sure = np.minimum(1.0, floats(one.confidence for one in grid.sources))[source] * supplies.sure[supply]
    half = np.array([max(0, one.age_half_seconds) for one in policies], np.float64)[order]
    aged = half / np.maximum(half + supplies.age[supply], 1e-300)
    sure *= np.where(half > 0, aged, 1.0)
    given = np.array([np.nan if one.loss_per_unit is None else _float(one.loss_per_unit) for one in policies])[order]
    fair = [fair_price(one) for _, one in grid.lines]
    prices = np.array([np.nan if price is None else _float(price) for price in fair])[line]
    worth = np.where(np.isnan(prices), supplies.cost[supply], prices)
    loss = np.where(np.isnan(given), worth, given)
    risk = floats(one.weights.risk for one in policies)[order]
    return np.asarray((1 - sure) * loss * risk)

"""What a unit of scarce or seasonal stock is worth where it lies: dual prices of a small LP over expected demand.

Fulfilling today's order with the last piece of a place costs what that piece would have saved there later. The LP
serves the demand that history lets expect until the next supply, per region and day, from the stock that is left, at
the cost of each way; the dual price of a stock's row is the worth of one unit of it. After Acimovic and Graves (2015),
"Making better fulfillment decisions on the fly in an online retail environment", and Jasin and Sinha (2015), "An
LP-based correlated rounding scheme for multi-item ecommerce order fulfillment".
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import highspy
import numpy as np

__all__ = ["DemandDay", "Outlook", "StockLeft", "Way", "expected_demand", "scarcity_prices"]

WEEK = 7
SMOOTHING = 4.0
"""Weight, in days of history, of the plain average in a weekday's: a weekday seen rarely is not believed."""
BELIEF = 20.0
"""Units of an item after which a region's share in it counts as much as its share in everything."""
YEAR = 364
"""52 whole weeks, so that weekdays meet."""
HORIZON_MAX = 365
PLACES = Decimal("0.000001")
SCENARIOS = 24
"""Outcomes of demand over which prices are averaged: one outcome alone has prices that jump."""
ROOTS = tuple(math.sqrt(prime) % 1 for prime in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53))
"""Steps of an even, repeatable sequence of outcomes (Kronecker's), one per region and span."""
LOGISTIC = 1.702
"""The logistic curve with this slope is within 0.01 of the normal one (Haley 1952)."""
COST_MAX = Decimal(10) ** 12


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandDay:
    """Units of an item that one region wanted on one day. Days that are not told had none."""

    item_key: str
    region: str
    on: date
    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class StockLeft:
    """What a source still has of an item, and when it gets more: until then it must last (None: to the horizon)."""

    source_id: str
    item_key: str
    quantity: Decimal
    next_supply_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What one unit costs from a source to a region, all told."""

    source_id: str
    region: str
    unit_cost: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """All that prices follow from. History reaches from `since` to the day before `today`."""

    today: date
    since: date
    horizon_days: int
    history: Sequence[DemandDay] = ()
    stock: Sequence[StockLeft] = ()
    ways: Sequence[Way] = ()
    unfilled_cost: Mapping[str, Decimal] = field(default_factory=dict)
    """By item: what a unit costs that nobody can deliver (lost margin, back order)."""
    unfilled_default: Decimal = Decimal(0)
    dispersion: float = 1.0
    """Variance of demand over its mean: 1 for single units at chance times, more where orders are larger."""


def expected_demand(outlook: Outlook) -> dict[tuple[str, str], list[float]]:
    """Units expected per (item, region) on each day of the horizon, `today` first.

    The average of a day, times the weekday's part in a week, times the season: how the same weeks of last year were
    above or below the year's average, where history reaches back so far. Days are an item's over all regions; a region
    has its share of the item, and as long as that is seldom seen, rather its share of everything.
    """
    days = max(1, (outlook.today - outlook.since).days)
    horizon = min(max(0, outlook.horizon_days), HORIZON_MAX)
    first, today = outlook.since.toordinal(), outlook.today.toordinal()
    by_item: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    by_region: dict[str, float] = defaultdict(float)
    by_both: dict[tuple[str, str], float] = defaultdict(float)
    for one in outlook.history:
        if outlook.since <= one.on < outlook.today and one.quantity.is_finite() and 0 < one.quantity <= COST_MAX:
            units = float(one.quantity)
            by_item[one.item_key][one.on.toordinal()] += units
            by_region[one.region] += units
            by_both[one.item_key, one.region] += units
    everywhere = sum(by_region.values())
    found = {}
    for item_key, told in by_item.items():
        units = sum(told.values())
        days_ahead = _days_ahead(told, first, today, horizon, units / days)
        for region, of_all in by_region.items():
            share = (by_both[item_key, region] + BELIEF * of_all / everywhere) / (units + BELIEF)
            found[item_key, region] = [share * one for one in days_ahead]
    return found


def _days_ahead(told: Mapping[int, float], first: int, today: int, horizon: int, mean: float) -> list[float]:
    """An item's units on each day to come, over all regions."""
    weekday = [0.0] * WEEK
    seen = [len(range(first + (place - first) % WEEK, today, WEEK)) for place in range(WEEK)]
    for day, quantity in told.items():
        weekday[day % WEEK] += quantity
    factor = [(weekday[at] + SMOOTHING * mean) / ((seen[at] + SMOOTHING) * mean) for at in range(WEEK)]
    season = _season(told, first, today, horizon, mean)
    return [mean * factor[(today + at) % WEEK] * season for at in range(horizon)]


def _season(told: Mapping[int, float], first: int, today: int, horizon: int, mean: float) -> float:
    """How the weeks of a year ago that match the horizon stood to the mean; 1 without a year of history."""
    start = today - YEAR
    if start < first or not horizon or mean <= 0:
        return 1.0
    then = sum(told.get(day, 0.0) for day in range(start, start + horizon)) / horizon
    return (then + mean * WEEK / (horizon + WEEK)) / (mean + mean * WEEK / (horizon + WEEK))


def scarcity_prices(outlook: Outlook) -> dict[tuple[str, str], Decimal]:
    """Worth per unit, by (source_id, item_key), of the stock that is expected to be used up; what is not there is 0.

    The price is what one more unit there would save in future (the stock's dual price), over what it would save at the
    place where it would save least: prices tell where to take from, not whether to serve.
    """
    demand = expected_demand(outlook)
    ways: dict[str, dict[str, float]] = defaultdict(dict)
    for way in outlook.ways:
        if way.unit_cost.is_finite() and 0 <= way.unit_cost <= COST_MAX:
            cost = float(way.unit_cost)
            ways[way.source_id][way.region] = min(cost, ways[way.source_id].get(way.region, cost))
    by_item: dict[str, list[StockLeft]] = defaultdict(list)
    for one in outlook.stock:
        if one.quantity.is_finite() and 0 <= one.quantity <= COST_MAX:
            by_item[one.item_key].append(one)
    prices: dict[tuple[str, str], Decimal] = {}
    for item_key, stock in sorted(by_item.items()):
        wanted = {region: days for (item, region), days in demand.items() if item == item_key}
        unfilled = outlook.unfilled_cost.get(item_key, outlook.unfilled_default)
        if wanted and unfilled.is_finite() and 0 <= unfilled <= COST_MAX:
            prices |= _item_prices(outlook, item_key, stock, wanted, ways, float(unfilled))
    return prices


def _item_prices(
    outlook: Outlook,
    item_key: str,
    stock: Sequence[StockLeft],
    wanted: Mapping[str, list[float]],
    ways: Mapping[str, Mapping[str, float]],
    unfilled: float,
) -> dict[tuple[str, str], Decimal]:
    """One item's LP. Days are gathered into the spans between next supplies, which is all that tells them apart."""
    ends = {one: _days_until(outlook, one.next_supply_on) for one in stock}
    cuts = sorted({0, *ends.values(), min(max(0, outlook.horizon_days), HORIZON_MAX)})
    spans = list(pairwise(cuts))
    columns: list[tuple[int, int, float]] = []
    rows = [(region, span, sum(wanted[region][span[0] : span[1]])) for region in sorted(wanted) for span in spans]
    for number, one in enumerate(stock):
        for place, (region, (_, end), _) in enumerate(rows):
            cost = ways.get(one.source_id, {}).get(region)
            if cost is not None and cost < unfilled and end <= ends[one]:
                columns.append((number, place, cost))
    if not columns or not any(one.quantity > 0 for one in stock):
        return {}
    demands = [
        [
            _quantile(units, outlook.dispersion, (scenario + 0.5) * ROOTS[at % len(ROOTS)] % 1)
            for at, (_, _, units) in enumerate(rows)
        ]
        for scenario in range(SCENARIOS)
    ]
    duals = _stock_duals([float(one.quantity) for one in stock], demands, columns, unfilled)
    # What every place would ask alike says that there is too little in all, not where to take it: it would only make
    # today's order wait for one that is worth no more.
    common = min(dual for one, dual in zip(stock, duals, strict=True) if one.quantity > 0)
    return {
        (one.source_id, item_key): price
        for one, dual in zip(stock, duals, strict=True)
        if (price := Decimal(dual - common).quantize(PLACES)) > 0
    }


def _quantile(mean: float, dispersion: float, share: float) -> float:
    """The demand that a share of all outcomes stays below: as if normal (by the logistic), and never below zero."""
    inside = min(max(share, 0.001), 0.999)
    return max(0.0, mean + math.log(inside / (1 - inside)) / LOGISTIC * math.sqrt(mean * max(0.0, dispersion)))


def _days_until(outlook: Outlook, next_supply_on: date | None) -> int:
    horizon = min(max(0, outlook.horizon_days), HORIZON_MAX)
    last = outlook.today + timedelta(days=horizon)
    return max(0, (min(last, next_supply_on or last) - outlook.today).days)


def _stock_duals(
    stock: Sequence[float],
    demands: Sequence[Sequence[float]],
    columns: Sequence[tuple[int, int, float]],
    unfilled: float,
) -> list[float]:
    """Dual prices of the stock rows, the mean over what demand may be: maximise what serving saves over leaving open.

    One unit less is what a decision of today is about: the LP is priced with half a unit less of everything, so that
    the last piece is not free where stock and expected demand just meet.
    """
    count = len(columns)
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    order = sorted(range(count), key=lambda at: columns[at][0])
    by_stock = [[at for at in order if columns[at][0] == number] for number in range(len(stock))]
    by_demand = [[at for at in order if columns[at][1] == number] for number in range(len(demands[0]))]
    rows = by_stock + by_demand
    starts = np.cumsum([0, *(len(row) for row in rows)]).astype(np.int32)
    solver.passModel(
        count,
        len(rows),
        int(starts[-1]),
        2,
        -1,
        0.0,
        np.array([unfilled - cost for _, _, cost in columns]),
        np.zeros(count),
        np.full(count, np.inf),
        np.full(len(rows), -np.inf),
        np.array([*(max(0.0, one - 0.5) for one in stock), *demands[0]], np.float64),
        starts,
        np.array([at for row in rows for at in row], np.int32),
        np.ones(int(starts[-1])),
        np.zeros(count, np.int32),
    )
    sums = [0.0] * len(stock)
    for demand in demands:
        for at, units in enumerate(demand, len(stock)):
            solver.changeRowBounds(at, -np.inf, units)
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return [0.0] * len(stock)
        for at, dual in enumerate(list(solver.getSolution().row_dual)[: len(stock)]):
            sums[at] += max(0.0, float(dual)) / len(demands)
    return sums

"""Source a problem: the plan of least total cost under the hard limits, or the fallback's. Never raises for data.

Parts that share nothing scarce are solved one by one. What a solver answers is turned back into exact quantities,
priced exactly, and checked against every hard limit by code that knows nothing of the solver; what does not pass is
replaced by the fallback's answer for that part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from node.core.sourcing.check import broken_limits
from node.core.sourcing.costing import Pick, Settled, settle
from node.core.sourcing.greedy import greedy, to_pick
from node.core.sourcing.grid import Floats, Grid, build
from node.core.sourcing.limits import Index, index, step_of
from node.core.sourcing.milp import solve_model
from node.core.sourcing.parts import Part, parts
from node.core.sourcing.problem import Plan, Problem
from node.core.sourcing.reasons import open_lines
from node.core.sourcing.rows import rows_of
from node.core.sourcing.single import plant_location

__all__ = ["fallback", "solve"]

RANK = ("optimal", "gap", "time-limit", "fallback")


@dataclass(slots=True)
class _Solved:
    picks: list[Pick]
    status: str
    bound: float
    seconds: float | None
    settled: Settled | None = None
    """Where the pieces have been priced already."""


def solve(problem: Problem) -> Plan:
    """The cheapest plan for the problem's orders together.

    `status` says how sure it is: "optimal" (proved, to what doubles can show), "gap" (within the problem's gap),
    "time-limit" (the best that was found), "fallback" (the greedy answer, for at least one part).
    """
    found = index(problem)
    grid = build(problem, found)
    left = problem.seconds
    solved = []
    for part in parts(grid, found):
        one = _solve_part(problem, found, grid, part, left)
        left = max(0.0, left - (one.seconds or 0.0))
        solved.append(one)
    return _plan(problem, found, grid, solved)


def fallback(problem: Problem) -> Plan:
    """The greedy plan: what `solve` gives where the solver fails; keeps all hard limits."""
    found = index(problem)
    grid = build(problem, found)
    everything = Part(list(range(len(grid.orders))), list(range(len(grid.lines))), list(range(len(grid.cost))))
    picks = _checked_greedy(problem, found, grid, everything)
    return _plan(problem, found, grid, [_Solved(picks, "fallback", float("-inf"), None)])


def _solve_part(problem: Problem, found: Index, grid: Grid, part: Part, seconds: float) -> _Solved:
    if not part.columns:
        return _Solved([], "optimal", float(grid.need[part.lines] @ grid.unfilled[part.lines]), None)
    alone = _alone(grid, part)
    if alone is not None:
        picks = _exact(problem, grid, alone)
        settled, faults = _judged(problem, found, grid, part, picks)
        if not faults:
            return _Solved(picks, "optimal", float(settled.cost), None, settled)
    if seconds > 0:
        answer = solve_model(grid, part.columns, part.lines, part.pools, gap=problem.gap, seconds=seconds)
        if answer.status:
            picks = _exact(problem, grid, answer.quantities)
            settled, faults = _judged(problem, found, grid, part, picks)
            if answer.status == "time-limit" and not faults:
                # What the solver had found when it was stopped may be no better than what comes by itself.
                other = _checked_greedy(problem, found, grid, part)
                if _judged(problem, found, grid, part, other)[0].cost < settled.cost:
                    picks = other
            if not faults:
                return _Solved(picks, answer.status, answer.bound, answer.seconds)
    picks = _checked_greedy(problem, found, grid, part)
    return _Solved(picks, "fallback", float("-inf"), None)


def _alone(grid: Grid, part: Part) -> Floats | None:
    """Quantities by column of one order with nothing scarce, or None where it takes the general model."""
    rows = rows_of(grid, part)
    served = plant_location(rows) if rows is not None else None
    if rows is None or served is None:
        return None
    given = {
        (line, rows.parcels[parcel]): share
        for at, shares in served.items()
        for line in rows.lines[at]
        for parcel, share in shares.items()
    }
    cheapest: dict[tuple[int, int], int] = {}
    pairs = zip(part.columns, grid.col_line[part.columns].tolist(), grid.col_parcel[part.columns].tolist(), strict=True)
    for at, line, parcel in pairs:
        share = given.get((line, parcel))
        if share is None or grid.most[at] * grid.step[at] < grid.need[line] * share * (1 - 1e-9):
            continue
        if (line, parcel) not in cheapest or grid.cost[at] < grid.cost[cheapest[line, parcel]]:
            cheapest[line, parcel] = at
    quantities = np.zeros(len(grid.cost))
    for key, at in cheapest.items():
        quantities[at] = grid.need[key[0]] * given[key]
    return quantities


def _judged(problem: Problem, found: Index, grid: Grid, part: Part, picks: Sequence[Pick]) -> tuple[Settled, list[str]]:
    """The priced pieces of a part, and the limits that they break."""
    orders = [grid.orders[number] for number in part.orders]
    settled = settle(problem, found, picks, orders)
    return settled, broken_limits(problem, found, settled.assignments, orders)


def _checked_greedy(problem: Problem, found: Index, grid: Grid, part: Part) -> list[Pick]:
    """The greedy pieces; none at all should they break a limit, for a plan that may not be carried out is none."""
    picks = greedy(problem, found, grid, part.columns, part.lines)
    return [] if _judged(problem, found, grid, part, picks)[1] else picks


def _exact(problem: Problem, grid: Grid, quantities: Floats) -> list[Pick]:
    """The solver's quantities as exact ones: whole steps, within the line's need and the pool's rest."""
    need: dict[int, Decimal] = {}
    stock: dict[int, Decimal] = {}
    picks = []
    for at in np.flatnonzero(quantities > 0).tolist():
        line, number = int(grid.col_line[at]), int(grid.col_supply[at])
        supply = problem.supplies[number]
        step = step_of(supply)
        wanted = Decimal(round(float(quantities[at]) / float(step))) * step
        most = min(need.get(line, grid.lines[line][1].quantity), stock.get(number, supply.quantity))
        quantity = min(wanted, most // step * step)
        if quantity <= 0:
            continue
        need[line] = need.get(line, grid.lines[line][1].quantity) - quantity
        stock[number] = stock.get(number, supply.quantity) - quantity
        picks.append(to_pick(grid, at, quantity))
    return picks


def _plan(problem: Problem, found: Index, grid: Grid, solved: Sequence[_Solved]) -> Plan:
    priced = solved[0].settled if len(solved) == 1 and len(grid.orders) == 1 else None
    if priced is None:
        priced = settle(problem, found, [pick for one in solved for pick in one.picks], grid.orders)
    worst = max((RANK.index(one.status) for one in solved), default=0)
    times = [one.seconds for one in solved if one.seconds is not None]
    method, status = ("fallback" if worst == RANK.index("fallback") else "exact"), RANK[worst]
    bound, gap = _bound(priced.cost, status, solved)
    return Plan(
        assignments=priced.assignments,
        unfilled=open_lines(problem, found, priced),
        cost=priced.cost,
        costs=priced.costs,
        method=method,
        status=status,
        gap=gap,
        bound=bound,
        seconds=sum(times) if times else None,
    )


def _bound(cost: Decimal, status: str, solved: Sequence[_Solved]) -> tuple[Decimal | None, float]:
    """What no plan costs less than, and the relative gap to it; (None, 1) where a part has shown none."""
    if status == "optimal":
        return cost, 0.0
    shown = sum(one.bound for one in solved)
    if not math.isfinite(shown):
        return None, 1.0
    bound = min(cost, Decimal(shown))
    return bound, float((cost - bound) / cost) if cost > 0 else 0.0

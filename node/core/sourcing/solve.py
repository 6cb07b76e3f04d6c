"""Source a problem: the plan of least total cost under the hard limits, or the fallback's. Never raises for data.

Parts that share nothing scarce are solved one by one. What a solver answers is turned back into exact quantities,
priced exactly, and checked against every hard limit by code that knows nothing of the solver; what does not pass is
replaced by the fallback's answer for that part.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from node.core.sourcing.waves import Alone, Wave, alone, fits, needed_columns

__all__ = ["fallback", "solve"]

NEAR = 1e-9
GREEDY_TOO = 2_000
"""With so few columns the greedy plan is tried as well."""
RANK = ("optimal", "gap", "time-limit", "fallback")


@dataclass(slots=True)
class _Solved:
    picks: list[Pick]
    status: str
    bound: float
    seconds: float | None
    settled: Settled | None = None
    """Where the pieces have been priced already."""


@dataclass(slots=True)
class _Draft:
    """A part on its way to its plan."""

    part: Part
    best: _Solved
    floor: float
    columns: list[int]
    """What a better plan may use."""
    status: str
    seconds: float | None = None
    """What the general solver took."""

    @property
    def slack(self) -> float:
        """What a better plan could save at most."""
        return max(0.0, self.best.bound - self.floor)


def solve(problem: Problem) -> Plan:
    """The cheapest plan for the problem's orders together.

    `status` says how sure it is: "optimal" (proved, to what doubles can show), "gap" (within the problem's gap),
    "time-limit" (the best that was found), "fallback" (the greedy answer, for at least one part).
    """
    found = index(problem)
    grid = build(problem, found)
    drafts = [_draft(problem, found, grid, part) for part in parts(grid, found)]
    left = problem.seconds
    while left > 0 and sum(one.slack for one in drafts) > problem.gap * sum(one.best.bound for one in drafts):
        waiting = [one for one in drafts if one.status == "time-limit" and one.seconds is None]
        if not waiting:
            break
        worst = max(waiting, key=lambda one: one.slack)
        _by_solver(problem, found, grid, worst, left)
        left -= worst.seconds or 0.0
    return _plan(
        problem,
        found,
        grid,
        [replace(one.best, status=one.status, bound=one.floor, seconds=one.seconds) for one in drafts],
    )


def fallback(problem: Problem) -> Plan:
    """The greedy plan: what `solve` gives where the solver fails; keeps all hard limits."""
    found = index(problem)
    grid = build(problem, found)
    everything = Part(list(range(len(grid.orders))), list(range(len(grid.lines))), list(range(len(grid.cost))))
    picks = _checked_greedy(problem, found, grid, everything)
    return _plan(problem, found, grid, [_Solved(picks, "fallback", float("-inf"), None)])


def _draft(problem: Problem, found: Index, grid: Grid, part: Part) -> _Draft:
    """A part's plan by the searches, and how near it is to the least."""
    if not part.columns:
        cost = float(grid.need[part.lines] @ grid.unfilled[part.lines])
        return _Draft(part, _Solved([], "optimal", cost, None), cost, [], "optimal")
    floor, best, columns = _without_solver(problem, found, grid, part, alone(grid, part))
    draft = _Draft(part, best, floor, columns, "time-limit")
    if draft.slack <= 10 * NEAR * (1 + abs(floor)):
        draft.status, draft.floor = "optimal", best.bound
    elif draft.slack <= problem.gap * best.bound:
        draft.status = "gap"
    return draft


def _by_solver(problem: Problem, found: Index, grid: Grid, draft: _Draft, seconds: float) -> None:
    """The general solver's plan for a part, where it is the better; and what it shows."""
    part = draft.part
    answer = solve_model(grid, draft.columns, part.lines, part.pools, gap=problem.gap, seconds=seconds)
    draft.seconds = answer.seconds
    if not answer.status:
        return
    one, faults = _valued(problem, found, grid, part, _exact(problem, grid, _by_column(answer.quantities)))
    if not faults:
        draft.status = answer.status
        draft.floor = max(draft.floor, min(draft.best.bound, one.bound, answer.bound))
        draft.best = one if one.bound <= draft.best.bound else draft.best


def _without_solver(
    problem: Problem, found: Index, grid: Grid, part: Part, first: Sequence[Alone]
) -> tuple[float, _Solved, list[int]]:
    """A floor, the best plan of the searches, and the columns that a better one may use."""
    floor = sum(one.located.floor for one in first)
    together = {at: quantity for one in first for at, quantity in one.located.quantities.items()}
    if fits(together, part.pools):
        plan, faults = _valued(problem, found, grid, part, _exact(problem, grid, together))
        if not faults:
            if plan.bound - floor > 10 * NEAR * (1 + abs(floor)):
                plan = min(plan, _fallback(problem, found, grid, part), key=lambda one: one.bound)
            kept = [needed_columns(grid, one, max(0.0, plan.bound - floor)) for one in first]
            return floor, plan, sorted(at for columns in kept for at in columns)
    if len(first) == 1:
        return floor, _fallback(problem, found, grid, part), part.columns
    wave = Wave(grid, part, first, problem.gap)
    wave.search()
    plan, faults = _valued(problem, found, grid, part, _exact(problem, grid, wave.quantities()))
    if faults or len(part.columns) <= GREEDY_TOO:
        other = _fallback(problem, found, grid, part)
        plan = other if faults or other.bound < plan.bound else plan
    return wave.floor, plan, wave.needed_columns() if not faults else part.columns


def _valued(problem: Problem, found: Index, grid: Grid, part: Part, picks: list[Pick]) -> tuple[_Solved, list[str]]:
    """Pieces as a plan of the part whose bound is its own cost, and the limits that they break."""
    settled, faults = _judged(problem, found, grid, part, picks)
    return _Solved(picks, "fallback", float(settled.cost), None, settled), faults


def _fallback(problem: Problem, found: Index, grid: Grid, part: Part) -> _Solved:
    return _valued(problem, found, grid, part, _checked_greedy(problem, found, grid, part))[0]


def _judged(problem: Problem, found: Index, grid: Grid, part: Part, picks: Sequence[Pick]) -> tuple[Settled, list[str]]:
    """The priced pieces of a part, and the limits that they break."""
    orders = [grid.orders[number] for number in part.orders]
    settled = settle(problem, found, picks, orders)
    return settled, broken_limits(problem, found, settled.assignments, orders)


def _checked_greedy(problem: Problem, found: Index, grid: Grid, part: Part) -> list[Pick]:
    """The greedy pieces; none at all should they break a limit, for a plan that may not be carried out is none."""
    picks = greedy(problem, found, grid, part.columns, part.lines)
    return [] if _judged(problem, found, grid, part, picks)[1] else picks


def _by_column(quantities: Floats) -> dict[int, float]:
    return {at: float(quantities[at]) for at in np.flatnonzero(quantities > 0).tolist()}


def _exact(problem: Problem, grid: Grid, quantities: Mapping[int, float]) -> list[Pick]:
    """The solver's quantities as exact ones: whole steps, within the line's need and the pool's rest."""
    need: dict[int, Decimal] = {}
    stock: dict[int, Decimal] = {}
    picks = []
    for at in sorted(at for at, quantity in quantities.items() if quantity > 0):
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
    if status == "time-limit" and gap <= problem.gap:
        status = "gap"  # a part is not near enough to its floor, and all parts together are
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

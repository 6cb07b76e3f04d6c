"""Orders that compete: solved alone as if each were first, then one after another, then what is left together.

Each order alone, with the shared pools left out, costs no more than in any plan for all: together these optima are a
floor, and where they do not take more than there is, they are the plan. Else the orders are solved in turn on what is
left, and what no better plan can use is taken out of the model that the solver gets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from node.core.sourcing.grid import Floats, Grid, urgent_first
from node.core.sourcing.milp import Coupling
from node.core.sourcing.parts import Part
from node.core.sourcing.rows import rows_of
from node.core.sourcing.single import Located, plant_location

__all__ = ["Alone", "alone", "fits", "in_turn", "needed_columns"]

NEAR = 1e-9


@dataclass(slots=True)
class Alone:
    """One order's best without regard to pools."""

    part: Part
    located: Located
    quantities: dict[int, float]
    """By column."""


def alone(grid: Grid, part: Part) -> list[Alone] | None:
    """The best for each of the part's orders, or None where one of them takes the general model."""
    found = []
    for one in _by_order(grid, part):
        rows = rows_of(grid, one)
        if rows is None:
            return None
        located = plant_location(rows)
        found.append(Alone(one, located, _quantities(grid, one, located)))
    return found


def _by_order(grid: Grid, part: Part) -> list[Part]:
    if len(part.orders) == 1:
        return [part]
    found = {order: Part([order]) for order in part.orders}
    for line in part.lines:
        found[int(grid.line_order[line])].lines.append(line)
    for column in part.columns:
        found[int(grid.line_order[grid.col_line[column]])].columns.append(column)
    return list(found.values())


def _quantities(grid: Grid, part: Part, located: Located) -> dict[int, float]:
    rows = located.rows
    given = {
        (line, rows.parcels[parcel]): share
        for at, shares in located.served.items()
        for line in rows.lines[at]
        for parcel, share in shares.items()
    }
    cheapest: dict[tuple[int, int], int] = {}
    pairs = zip(part.columns, grid.col_line[part.columns].tolist(), grid.col_parcel[part.columns].tolist(), strict=True)
    for at, line, parcel in pairs:
        share = given.get((line, parcel))
        if share is None or grid.most[at] * grid.step[at] < grid.need[line] * share * (1 - NEAR):
            continue
        if (line, parcel) not in cheapest or grid.cost[at] < grid.cost[cheapest[line, parcel]]:
            cheapest[line, parcel] = at
    return {at: float(grid.need[key[0]]) * given[key] for key, at in cheapest.items()}


def fits(quantities: Floats, pools: Sequence[Coupling]) -> bool:
    """Whether no pool gives more than it has."""
    return all(
        float(quantities[pool.columns] @ np.array(pool.coefficients)) <= pool.limit * (1 + NEAR) for pool in pools
    )


def in_turn(grid: Grid, part: Part, first: Sequence[Alone]) -> Floats | None:
    """Quantities by column when each order takes the best of what those before it have left; None when that fails.

    Only stock is followed: with scarce credit or capacity too, the answer is none.
    """
    if any(not _is_stock(grid, pool) for pool in part.pools):
        return None
    total = np.zeros(len(grid.cost))
    left = grid.stock.copy()
    by_order = {one.part.orders[0]: one for one in first}
    for order in urgent_first(grid, part.orders):
        one = by_order[order]
        taken = one.quantities
        if not _enough(grid, left, taken):
            columns = np.array(one.part.columns, np.int64)
            most = grid.most.copy()
            supply = grid.col_supply[columns]
            room = np.floor(np.minimum(grid.need[grid.col_line[columns]], left[supply]) / grid.step[columns] + NEAR)
            most[columns] = np.maximum(0.0, room)
            keep = columns[most[columns] >= 1].tolist()
            rest = Part([order], one.part.lines, keep)
            again = _best_of_rest(replace(grid, most=most), rest, left)
            if again is None:
                return None
            taken = again
        for at, quantity in taken.items():
            total[at] += quantity
            left[grid.col_supply[at]] -= quantity
    return total


def _best_of_rest(grid: Grid, part: Part, left: Floats) -> dict[int, float] | None:
    """One order's best from what is left; by the solver where its own lines compete for it."""
    again = alone(grid, part)
    if again is None:
        return None
    taken = again[0].quantities
    return taken if _enough(grid, left, taken) else _refilled(grid, part, taken, left)


def _refilled(grid: Grid, part: Part, wanted: dict[int, float], left: Floats) -> dict[int, float]:
    """An order whose lines want more than there is: line after line what is left, from opened parcels first."""
    opened = {int(grid.col_parcel[at]) for at in wanted}
    policy = grid.orders[part.orders[0]].policy
    rest = left.copy()
    taken: dict[int, float] = {}
    by_line: dict[int, list[int]] = {line: [] for line in part.lines}
    for at in part.columns:
        if policy.split_orders_max is None or int(grid.col_parcel[at]) in opened:
            by_line[int(grid.col_line[at])].append(at)
    for line, columns in by_line.items():
        need, found = float(grid.need[line]), {}
        if grid.line_group[line] >= 0:
            columns = [at for at in columns if at in wanted]
        for at in sorted(columns, key=lambda at: (int(grid.col_parcel[at]) not in opened, float(grid.cost[at]))):
            room = min(need, float(rest[grid.col_supply[at]]), float(grid.most[at] * grid.step[at]))
            quantity = float(np.floor(room / grid.step[at] + NEAR) * grid.step[at])
            if quantity > 0 and quantity >= grid.minimum[at]:
                found[at] = quantity
                need -= quantity
        short = need > NEAR * float(grid.need[line])
        if short and policy.complete:
            return {}
        if short and grid.line_group[line] >= 0:
            continue
        for at, quantity in found.items():
            taken[at] = quantity
            rest[grid.col_supply[at]] -= quantity
    return taken


def _is_stock(grid: Grid, pool: Coupling) -> bool:
    return len({int(one) for one in grid.col_supply[pool.columns]}) == 1 and set(pool.coefficients) == {1.0}


def _enough(grid: Grid, left: Floats, taken: dict[int, float]) -> bool:
    wanted: dict[int, float] = {}
    for at, quantity in taken.items():
        supply = int(grid.col_supply[at])
        wanted[supply] = wanted.get(supply, 0.0) + quantity
    return all(quantity <= left[supply] * (1 + NEAR) + NEAR for supply, quantity in wanted.items())


def needed_columns(grid: Grid, found: Sequence[Alone], slack: float) -> list[int]:
    """The columns that a plan can use which costs less than all orders alone and the slack."""
    kept: list[int] = []
    for one in found:
        rows = one.located.rows
        parcels = {parcel for parcel, use in zip(rows.parcels, one.located.needed(slack), strict=True) if use}
        kept.extend(at for at in one.part.columns if int(grid.col_parcel[at]) in parcels)
    return sorted(kept)

"""Cut a grid into parts that share nothing that could run short, so that each is solved alone and all still optimally.

Stock, credit and capacity bind orders together only where all that is wanted of them is more than there is.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from node.core.sourcing.grid import Floats, Grid, Ints, floats
from node.core.sourcing.limits import Index
from node.core.sourcing.milp import Coupling

__all__ = ["Part", "parts"]

INFINITE = Decimal("Infinity")
NEAR = 1e-9
"""Pools that are this near to their limit count as scarce: floats decide nothing on the edge."""


@dataclass(slots=True)
class Part:
    """Orders that compete, with their lines, columns and the pools they compete for."""

    orders: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    pools: list[Coupling] = field(default_factory=list)


def parts(grid: Grid, index: Index) -> list[Part]:
    """The parts, in the order of their first orders. Orders without lines are in none."""
    pools = _scarce_stock(grid) + _scarce_sources(grid, index)
    if len(grid.orders) == 1:
        return [Part([0], list(range(len(grid.lines))), list(range(len(grid.cost))), pools)] if grid.lines else []
    crowds = _crowded(grid)
    col_order = grid.line_order[grid.col_line]
    leader = list(range(len(grid.orders)))

    def root(one: int) -> int:
        while leader[one] != one:
            leader[one] = leader[leader[one]]
            one = leader[one]
        return one

    for first, *others in [*({int(order) for order in col_order[pool.columns]} for pool in pools), *crowds]:
        for other in others:
            leader[max(root(first), root(other))] = min(root(first), root(other))
    found: dict[int, Part] = defaultdict(Part)
    roots = [root(order) for order in range(len(grid.orders))]
    for line, order in enumerate(grid.line_order.tolist()):
        found[roots[order]].lines.append(line)
    for column, order in enumerate(col_order.tolist()):
        found[roots[order]].columns.append(column)
    for pool in pools:
        found[roots[int(col_order[pool.columns[0]])]].pools.append(pool)
    for part in found.values():
        part.orders = sorted({int(order) for order in grid.line_order[part.lines]})
    return [found[first] for first in sorted(found)]


def _wanted(grid: Grid, of: Ints, count: int, per_unit: Floats | None = None) -> Floats:
    """What all lines together could want of each pool; `of` is the pool of every column."""
    lines = max(1, len(grid.lines))
    keys = of * lines + grid.col_line
    if per_unit is None:
        keys = np.unique(keys)
        return np.bincount(keys // lines, weights=grid.need[keys % lines], minlength=count).astype(np.float64)
    order = np.lexsort((-per_unit, keys))
    keys, dearest = np.unique(keys[order], return_index=True)
    worth = grid.need[keys % lines] * per_unit[order][dearest]
    return np.bincount(keys // lines, weights=worth, minlength=count).astype(np.float64)


def _members(of: Ints, scarce: Ints) -> dict[int, list[int]]:
    """Columns by pool, of the scarce pools alone."""
    columns: dict[int, list[int]] = {int(pool): [] for pool in scarce}
    for at in np.flatnonzero(np.isin(of, scarce)).tolist():
        columns[int(of[at])].append(at)
    return columns


def _scarce_stock(grid: Grid) -> list[Coupling]:
    if not len(grid.cost):
        return []
    wanted = _wanted(grid, grid.col_supply, len(grid.stock))
    used = np.bincount(grid.col_supply, minlength=len(grid.stock))
    scarce = np.flatnonzero((used > 1) & (wanted > grid.stock * (1 - NEAR)))
    members = _members(grid.col_supply, scarce)
    return [Coupling(columns, [1.0] * len(columns), float(grid.stock[pool])) for pool, columns in members.items()]


def _crowded(grid: Grid) -> list[set[int]]:
    """The orders that could use a source of which it cannot send so many; the model counts them by itself."""
    found = []
    for number, source in enumerate(grid.sources):
        if source.orders_left is not None:
            orders = {int(order) for order in grid.os_order[grid.os_source == number]}
            if len(orders) > source.orders_left:
                found.append(orders)
    return found


def _scarce_sources(grid: Grid, index: Index) -> list[Coupling]:
    """Capacity by source, credit by partner."""
    found: list[Coupling] = []
    if not len(grid.cost):
        return found
    col_source = grid.os_source[grid.parcel_os[grid.col_parcel]]
    capacity = floats(INFINITE if one.capacity_left is None else one.capacity_left for one in grid.sources)
    if np.isfinite(capacity).any():
        wanted = _wanted(grid, col_source, len(grid.sources))
        scarce = np.flatnonzero(wanted > capacity * (1 - NEAR))
        for pool, columns in _members(col_source, scarce).items():
            if columns:
                found.append(Coupling(columns, [1.0] * len(columns), float(capacity[pool])))
    partners: dict[str, int] = {}
    number = np.array([partners.setdefault(one.partner_id, len(partners)) for one in grid.sources], np.int64)
    limits = floats(index.credit.get(partner_id, INFINITE) for partner_id in partners)
    if np.isfinite(limits).any():
        col_partner = number[col_source]
        wanted = _wanted(grid, col_partner, len(partners), grid.worth)
        scarce = np.flatnonzero(np.isfinite(limits) & (wanted > limits * (1 - NEAR)))
        for pool, columns in _members(col_partner, scarce).items():
            if columns:
                found.append(Coupling(columns, grid.worth[columns].tolist(), float(limits[pool])))
    return found

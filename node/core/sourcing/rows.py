"""One order alone as rows to cover and parcels to cover them with, where nothing but parcels couples its lines."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from node.core.sourcing.grid import Floats, Grid, Ints
from node.core.sourcing.parts import Part

__all__ = ["Mixed", "Rows", "rows_of"]

NEAR = 1e-9
INFINITE = float("inf")
MIXED_MAX = 8
"""From so many parcels at most, with costs per line, one line's best mixture is tried out."""


@dataclass(slots=True)
class Mixed:
    """A line that may come from several parcels, because some have only a part of it."""

    line: int
    need: float
    open_unit: float
    """Cost per unit left open."""
    gives: dict[int, tuple[float, float, float]] = field(default_factory=dict)
    """Parcel to (quantity at most, cost per unit, cost of taking any)."""

    def fill(self, opened: tuple[int, ...], *, fixed: bool = True) -> tuple[float, dict[int, float]]:
        """The least cost with these parcels open, and what each gives. Exact for one common step of all parcels.

        Without `fixed` it is a floor of the cost. Of more parcels than are tried out (`too_many`) the cheapest are.
        """
        have = sorted((self.gives[at][1], at) for at in opened if at in self.gives)
        have = [one for one in have if one[0] < self.open_unit]
        charged = fixed and any(self.gives[at][2] > 0 for _, at in have)
        have = have[:MIXED_MAX] if charged else have
        best: tuple[float, dict[int, float]] = (self.open_unit * self.need, {})
        for used in product((True, False), repeat=len(have)) if charged else [(True,) * len(have)]:
            left, cost, taken = self.need, 0.0, {}
            for (unit, at), use in zip(have, used, strict=True):
                quantity = min(left, self.gives[at][0]) if use else 0.0
                if quantity > 0:
                    taken[at] = quantity
                    cost += unit * quantity + (self.gives[at][2] if fixed else 0.0)
                    left -= quantity
            cost += left * self.open_unit
            if cost < best[0]:
                best = (cost, taken)
        return best

    def too_many(self, opened: tuple[int, ...]) -> bool:
        """Whether `fill` does not look at all of them, so that a better mixture may be missed."""
        have = [at for at in opened if at in self.gives and self.gives[at][1] < self.open_unit]
        return len(have) > MIXED_MAX and any(self.gives[at][2] > 0 for at in have)


@dataclass(slots=True)
class Rows:
    """What is to be covered (a line, or lines that come together), and what each parcel asks for it."""

    lines: list[list[int]] = field(default_factory=list)
    parcels: list[int] = field(default_factory=list)
    """Their numbers in the grid."""
    share: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    """By row and parcel, how much of the row the parcel has: 1 is all."""
    cost: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    """By row and parcel, that share of the row; infinite where a parcel has nothing of it."""
    open_cost: Floats = field(default_factory=lambda: np.zeros(0))
    """By row, to leave it open."""
    mixed: dict[int, Mixed] = field(default_factory=dict)
    """By row; the other rows come from one parcel each."""
    fixed: Floats = field(default_factory=lambda: np.zeros(0))
    """By parcel."""
    source: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """By parcel, 0 upwards."""
    source_fixed: Floats = field(default_factory=lambda: np.zeros(0))
    split: float = 0.0
    sources_max: int | None = None
    complete: bool = False
    constant: float = 0.0
    """What rows cost that nobody can cover at all; they are left out."""


def rows_of(grid: Grid, part: Part) -> Rows | None:
    """The part, one order's, as rows and parcels, or None where more than parcels and pools couples its lines.

    Its pools are not looked at: where they bind, what the rows cost is a floor.
    """
    if len(part.orders) != 1:
        return None
    order = part.orders[0]
    columns = np.array(part.columns, np.int64)
    os = grid.parcel_os[grid.col_parcel[columns]]
    if any(grid.sources[int(at)].order_minimum > 0 for at in np.unique(grid.os_source[os])):
        return None
    lines = np.array(part.lines, np.int64)
    kits = {line for _, members in grid.kits for line in members}
    if any(line in kits and grid.line_group[line] < 0 for line in part.lines):
        return None
    policy = grid.orders[order].policy
    rows = Rows(split=float(grid.split[order]), sources_max=policy.split_orders_max, complete=policy.complete)
    rows.parcels = np.unique(grid.col_parcel[columns]).tolist()
    parcels = np.array(rows.parcels, np.int64)
    known = _line_costs(grid, columns, lines, parcels)
    if known is None:
        return None
    share, per_line, mixed = known
    _group(grid, rows, lines, share, per_line)
    rows.fixed = grid.parcel_fixed[parcels]
    possible = [any(one) for one in np.isfinite(rows.cost).tolist()]
    rows.constant = float(sum(cost for cost, can in zip(rows.open_cost, possible, strict=True) if not can))
    if policy.complete and not all(possible):
        return Rows(constant=float(rows.open_cost.sum()))
    rows.lines = [members for members, can in zip(rows.lines, possible, strict=True) if can]
    rows.cost, rows.share, rows.open_cost = rows.cost[possible], rows.share[possible], rows.open_cost[possible]
    rows.mixed = {at: mixed[members[0]] for at, members in enumerate(rows.lines) if members[0] in mixed}
    used, rows.source = np.unique(grid.parcel_os[parcels], return_inverse=True)
    rows.source_fixed = grid.os_fixed[used]
    return rows


def _line_costs(
    grid: Grid, columns: Ints, lines: Ints, parcels: Ints
) -> tuple[Floats, Floats, dict[int, Mixed]] | None:
    """By line and parcel the share and its cost, and the lines that may be mixed; None for what is not so simple."""
    col_line = grid.col_line[columns]
    need = grid.need[col_line]
    gives = grid.most[columns] * grid.step[columns]
    full = np.abs(gives - need) <= NEAR * need
    alone = np.bincount(grid.col_lp[columns])[grid.col_lp[columns]] == 1
    if np.any(~full & ~alone):
        return None
    partly = ~full & (grid.line_group[col_line] < 0)
    mixed: dict[int, Mixed] = {}
    if partly.any():
        some = np.isin(col_line, col_line[partly])
        if not alone[some].all() or np.any(grid.minimum[columns[some]] > grid.step[columns[some]]):
            return None
        for at, give in zip(columns[some].tolist(), gives[some].tolist(), strict=True):
            line = int(grid.col_line[at])
            one = mixed.setdefault(line, Mixed(line, float(grid.need[line]), float(grid.unfilled[line])))
            parcel = int(np.searchsorted(parcels, grid.col_parcel[at]))
            one.gives[parcel] = (give, float(grid.cost[at]), float(grid.lp_fixed[grid.col_lp[at]]))
        steps = {int(line): set(grid.step[columns[col_line == line]].tolist()) for line in mixed}
        if any(len(found) > 1 or _odd(mixed[line].need, *found) for line, found in steps.items()):
            return None
    keep = full | partly
    columns, gives, need = columns[keep], gives[keep], need[keep]
    where = (np.searchsorted(lines, grid.col_line[columns]), np.searchsorted(parcels, grid.col_parcel[columns]))
    cost = grid.cost[columns] * gives + grid.lp_fixed[grid.col_lp[columns]]
    table = np.full((len(lines), len(parcels)), INFINITE)
    np.minimum.at(table, where, cost)
    share = np.zeros_like(table)
    share[where] = np.minimum(1.0, gives / need)
    return share, table, mixed


def _odd(need: float, step: float) -> bool:
    """Whether a need is no whole number of steps."""
    return abs(need / step - round(need / step)) > NEAR


def _group(grid: Grid, rows: Rows, lines: Ints, share: Floats, per_line: Floats) -> None:
    """One row for each line, or for the lines that come in one parcel."""
    groups: dict[tuple[str, int], list[int]] = defaultdict(list)
    empty = {line for count, members in grid.kits if count == 0 for line in members}
    for at, line in enumerate(lines.tolist()):
        group = int(grid.line_group[line])
        groups[("group", group) if group >= 0 else ("line", line)].append(at)
    open_cost = grid.need[lines] * grid.unfilled[lines]
    if all(len(members) == 1 for members in groups.values()):
        rows.lines, rows.cost, rows.open_cost = [[line] for line in lines.tolist()], per_line, open_cost
        rows.share = share
    else:
        rows.lines = [[int(lines[at]) for at in members] for members in groups.values()]
        rows.cost = np.array([per_line[members].sum(axis=0) for members in groups.values()])
        rows.share = np.array([share[members].min(axis=0) for members in groups.values()])
        rows.open_cost = np.array([open_cost[members].sum() for members in groups.values()])
    if empty:
        nobody = [at for at, members in enumerate(rows.lines) if empty.intersection(members)]
        rows.cost[nobody], rows.share[nobody] = INFINITE, 0.0

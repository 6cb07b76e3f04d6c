"""One order alone, to the proved optimum without a general solver: which parcels to open is all there is to decide.

When nothing couples an order's lines but the parcels they share, each line takes the cheapest of the opened parcels.
That is the simple plant location problem (Krarup and Pruzan 1983). A Lagrangian bound (lines' prices by subgradient
steps, Held, Wolfe and Crowder 1974) closes parcels that no better plan can open; what is left is tried out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from node.core.sourcing.grid import Floats, Grid, Ints
from node.core.sourcing.parts import Part

__all__ = ["Rows", "plant_location", "rows_of"]

NEAR = 1e-9
FREE_MAX = 9
"""So many parcels of which each may be open or not are tried out: two to their power."""
ROUNDS = 40
NODES_MAX = 60
INFINITE = float("inf")


@dataclass(slots=True)
class Rows:
    """What is to be covered (a line, or lines that come together), and what each parcel asks for it."""

    lines: list[list[int]] = field(default_factory=list)
    parcels: list[int] = field(default_factory=list)
    """Their numbers in the grid."""
    cost: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    """By row and parcel, all of the row; infinite where a parcel has not all of it."""
    open_cost: Floats = field(default_factory=lambda: np.zeros(0))
    """By row, to leave it open."""
    fixed: Floats = field(default_factory=lambda: np.zeros(0))
    """By parcel."""
    source: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """By parcel, 0 upwards."""
    source_fixed: Floats = field(default_factory=lambda: np.zeros(0))
    split: float = 0.0
    sources_max: int | None = None
    complete: bool = False


def rows_of(grid: Grid, part: Part) -> Rows | None:
    """The part as rows and parcels, or None where more than parcels couples its lines."""
    if len(part.orders) != 1 or part.pools or not part.columns:
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
    per_line = _line_costs(grid, columns, lines, parcels)
    if per_line is None:
        return None
    _group(grid, rows, lines, per_line)
    rows.fixed = grid.parcel_fixed[parcels]
    possible = [any(one) for one in np.isfinite(rows.cost).tolist()]
    if policy.complete and not all(possible):
        return Rows()
    rows.lines = [members for members, can in zip(rows.lines, possible, strict=True) if can]
    rows.cost, rows.open_cost = rows.cost[possible], rows.open_cost[possible]
    used, rows.source = np.unique(grid.parcel_os[parcels], return_inverse=True)
    rows.source_fixed = grid.os_fixed[used]
    return rows


def _line_costs(grid: Grid, columns: Ints, lines: Ints, parcels: Ints) -> Floats | None:
    """By line and parcel what all of the line costs there, or None where a part of a line could be worth taking."""
    need = grid.need[grid.col_line[columns]]
    gives = grid.most[columns] * grid.step[columns]
    full = np.abs(gives - need) <= NEAR * need
    if not np.all(full | (grid.line_group[grid.col_line[columns]] >= 0)):
        return None
    if np.any(~full & (np.bincount(grid.col_lp[columns])[grid.col_lp[columns]] > 1)):
        return None
    columns = columns[full]
    lp = grid.col_lp[columns]
    cost = grid.cost[columns] * grid.need[grid.col_line[columns]] + grid.lp_fixed[lp]
    table = np.full((len(lines), len(parcels)), INFINITE)
    at = (np.searchsorted(lines, grid.col_line[columns]), np.searchsorted(parcels, grid.col_parcel[columns]))
    np.minimum.at(table, at, cost)
    return table


def _group(grid: Grid, rows: Rows, lines: Ints, per_line: Floats) -> None:
    """One row for each line, or for the lines that come in one parcel."""
    groups: dict[tuple[str, int], list[int]] = defaultdict(list)
    empty = {line for count, members in grid.kits if count == 0 for line in members}
    for at, line in enumerate(lines.tolist()):
        group = int(grid.line_group[line])
        groups[("group", group) if group >= 0 else ("line", line)].append(at)
    open_cost = grid.need[lines] * grid.unfilled[lines]
    if all(len(members) == 1 for members in groups.values()):
        rows.lines, rows.cost, rows.open_cost = [[line] for line in lines.tolist()], per_line, open_cost
    else:
        rows.lines = [[int(lines[at]) for at in members] for members in groups.values()]
        rows.cost = np.array([per_line[members].sum(axis=0) for members in groups.values()])
        rows.open_cost = np.array([open_cost[members].sum() for members in groups.values()])
    if empty:
        rows.cost[[at for at, members in enumerate(rows.lines) if empty.intersection(members)]] = INFINITE


@dataclass(slots=True)
class _Best:
    cost: float
    opened: tuple[int, ...] = ()


class _Search:
    """Branch and bound over the parcels of one order."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.nothing = float(rows.open_cost.sum())
        # A complete order leaves nothing open: that costs more here than any plan, and is seen in the end.
        extra = 2 * (self.nothing + _finite_sum(rows)) if rows.complete else 0.0
        self.open_cost = rows.open_cost + extra
        self.best = _Best(float(self.open_cost.sum()))
        self.nodes = 0

    def cost(self, opened: Sequence[int]) -> float:
        """Of the plan with these parcels open; infinite when they are of too many sources."""
        rows, chosen = self.rows, list(opened)
        if not chosen:
            return float(self.open_cost.sum())
        sources = {int(rows.source[at]) for at in chosen}
        if rows.sources_max is not None and len(sources) > rows.sources_max:
            return INFINITE
        served = np.minimum(self.open_cost, rows.cost[:, chosen].min(axis=1)).sum()
        fixed = rows.fixed[chosen].sum() + sum(rows.source_fixed[one] for one in sources)
        return float(served + fixed + rows.split * (len(sources) - 1))

    def offer(self, opened: Sequence[int], cost: float) -> None:
        if cost < self.best.cost - NEAR * (1 + abs(cost)):
            self.best = _Best(cost, tuple(sorted(opened)))

    def start(self) -> None:
        """A good plan to begin with: add the parcel that saves most, as long as one saves; then swap."""
        count = len(self.rows.parcels)
        opened: list[int] = []
        served, cost = self.open_cost, self.best.cost
        while True:
            extra = self._extra(opened)
            gains = served.sum() - np.minimum(served[:, None], self.rows.cost).sum(axis=0) - extra
            at = int(gains.argmax())
            if gains[at] <= NEAR * (1 + abs(cost)):
                break
            opened.append(at)
            served, cost = np.minimum(served, self.rows.cost[:, at]), cost - float(gains[at])
        self.offer(opened, self.cost(opened))
        for _ in range(count):
            before = self.best.cost
            opened = list(self.best.opened)
            for out in self.best.opened:
                rest = [one for one in opened if one != out]
                self._swap(rest)
            if self.best.cost >= before:
                break

    def _extra(self, opened: list[int]) -> Floats:
        """What it costs to open each parcel besides the opened."""
        rows = self.rows
        known = {int(rows.source[at]) for at in opened}
        new = np.array([one not in known for one in range(len(rows.source_fixed))])
        extra = rows.fixed + np.where(new, rows.source_fixed + (rows.split if opened else 0.0), 0.0)[rows.source]
        if rows.sources_max is not None and len(known) >= rows.sources_max:
            extra = np.where(new[rows.source], INFINITE, extra)
        return np.asarray(extra)

    def _swap(self, rest: list[int]) -> None:
        """The rest alone, and the rest with the one parcel that is best beside it."""
        self.offer(rest, self.cost(rest))
        served = np.minimum(self.open_cost, self.rows.cost[:, rest].min(axis=1)) if rest else self.open_cost
        gains = served.sum() - np.minimum(served[:, None], self.rows.cost).sum(axis=0) - self._extra(rest)
        at = int(gains.argmax())
        self.offer([*rest, at], self.cost([*rest, at]))

    def floor(self, open_: Ints, free: Ints, price: Floats) -> tuple[float, Floats, Floats]:
        """The Lagrangian bound at these prices, what opening each free parcel adds, how often each row is taken."""
        rows = self.rows
        cost = rows.cost[:, free]
        gain = np.maximum(0.0, price[:, None] - cost)
        saved = gain.sum(axis=0) - rows.fixed[free]
        base = price.sum()
        taken = np.zeros(len(price))
        if len(open_):
            kept = np.maximum(0.0, price[:, None] - rows.cost[:, open_])
            base -= kept.sum() - rows.fixed[open_].sum()
            taken += (kept > 0).sum(axis=1)
        known = np.zeros(len(rows.source_fixed), np.bool_)
        known[rows.source[open_]] = True
        base += rows.source_fixed[known].sum() + rows.split * (int(known.sum()) - 1)
        charge = np.where(known, 0.0, rows.source_fixed + rows.split)
        per_source = np.bincount(rows.source[free], np.maximum(0.0, saved), len(charge)) - charge
        worth = np.where(known, per_source, np.maximum(0.0, per_source))
        if rows.sources_max is not None:
            room = min(max(0, rows.sources_max - int(known.sum())), len(known))
            fresh = np.where(known, 0.0, worth)
            worth = np.where(known, worth, 0.0)
            kept_fresh = np.sort(fresh)[::-1][:room].sum()
            bound = base - worth.sum() - kept_fresh
            allowed = fresh >= (np.sort(fresh)[::-1][room - 1] if room else INFINITE)
            chosen = (saved > 0) & (known | (allowed & (fresh > 0)))[rows.source[free]]
        else:
            bound = base - worth.sum()
            chosen = (saved > 0) & (known | (worth > 0))[rows.source[free]]
        taken += (gain[:, chosen] > 0).sum(axis=1)
        # What opening a parcel adds to the bound: its own loss, and its source's where that is closed.
        with_it = np.maximum(0.0, -saved) + np.maximum(0.0, -per_source[rows.source[free]])
        return float(bound), np.asarray(with_it), taken

    def node(self, open_: Ints, free: Ints, price: Floats, rounds: int) -> bool:
        """Search below a node; False when there was more to search than is sensible here."""
        self.nodes += 1
        if self.nodes > NODES_MAX:
            return False
        pace = 1.0
        best_bound, best_price = -INFINITE, price
        for _ in range(rounds):
            bound, with_it, taken = self.floor(open_, free, price)
            tolerance = NEAR * (1 + abs(self.best.cost))
            if bound > best_bound:
                best_bound, best_price = bound, price
            else:
                pace *= 0.7
            if best_bound >= self.best.cost - tolerance:
                return True
            keep = bound + with_it < self.best.cost - tolerance
            free = free[keep]
            if len(free) <= 4:
                break
            slope = 1 - taken
            length = float(slope @ slope)
            if length == 0:
                break
            price = np.minimum(self.open_cost, price + pace * (self.best.cost - bound) / length * slope)
        if len(free) <= FREE_MAX:
            self.try_out(open_, free)
            return True
        _, with_it, _ = self.floor(open_, free, best_price)
        at = int(with_it.argmin())
        rest = np.delete(free, at)
        return self.node(np.append(open_, free[at]), rest, best_price, ROUNDS // 2) and self.node(
            open_, rest, best_price, ROUNDS // 2
        )

    def try_out(self, open_: Ints, free: Ints) -> None:
        """Every choice among the free parcels, beside those that are open."""
        rows = self.rows
        served = self.open_cost[None, :]
        if len(open_):
            served = np.minimum(served, rows.cost[:, open_].min(axis=1)[None, :])
        known = set(rows.source[open_].tolist())
        fixed = np.array([rows.fixed[open_].sum() + sum(rows.source_fixed[one] for one in known)])
        counts = np.array([len(known)])
        masks = np.array([0])
        bits = {one: 1 << at for at, one in enumerate(set(rows.source[free].tolist()) - known)}
        for at in free.tolist():
            source = int(rows.source[at])
            bit = bits.get(source, 0)
            new = (masks & bit) == 0 if bit else np.zeros(len(masks), np.bool_)
            served = np.concatenate([served, np.minimum(served, rows.cost[:, at][None, :])])
            fixed = np.concatenate([fixed, fixed + rows.fixed[at] + np.where(new, rows.source_fixed[source], 0.0)])
            counts = np.concatenate([counts, counts + new])
            masks = np.concatenate([masks, masks | bit])
        total = served.sum(axis=1) + fixed + rows.split * np.maximum(0, counts - 1)
        if rows.sources_max is not None:
            total[counts > rows.sources_max] = INFINITE
        at = int(total.argmin())
        opened = [*open_.tolist(), *(one for place, one in enumerate(free.tolist()) if at >> place & 1)]
        self.offer(opened, self.cost(opened))


def _finite_sum(rows: Rows) -> float:
    cost = np.where(np.isfinite(rows.cost), rows.cost, 0.0)
    return float(cost.max(axis=1).sum() + rows.fixed.sum() + rows.source_fixed.sum() + rows.split * len(rows.source))


def plant_location(rows: Rows) -> dict[int, int] | None:
    """By row the number of its parcel among the rows' parcels, for the optimum; None when it was not proved in time.

    Rows that stay open are not there.
    """
    if not rows.lines:
        return {}
    search = _Search(rows)
    search.start()
    everything = np.arange(len(rows.parcels))
    cheapest = np.minimum(search.open_cost, rows.cost.min(axis=1))
    shared = (search.best.cost - cheapest.sum()) / max(1, len(cheapest))
    price = np.minimum(search.open_cost, cheapest + max(0.0, shared))
    if not search.node(np.zeros(0, np.int64), everything, price, ROUNDS):
        return None
    opened = list(search.best.opened)
    if not opened:
        return {}
    chosen = rows.cost[:, opened].argmin(axis=1)
    least = rows.cost[:, opened].min(axis=1)
    served = {at: opened[int(chosen[at])] for at in range(len(least)) if least[at] < search.open_cost[at]}
    if rows.complete and (len(served) < len(least) or search.best.cost >= search.nothing):
        return {}
    return served

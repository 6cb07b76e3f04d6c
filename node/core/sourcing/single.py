"""One order alone, to the proved optimum without a general solver: which parcels to open is all there is to decide.

With its parcels opened, each row takes the cheapest of them; rows that are mixed or coupled are filled exactly
(`filling`, `coupled`). Which parcels: prices (`dual`) close those that no better plan can open, and tell of every
choice what it costs at least; the choices that could be better are few, and are tried out. A limit of sources makes
them fewer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from node.core.sourcing.coupled import fill_row
from node.core.sourcing.dual import Dual, Look
from node.core.sourcing.filling import Filled
from node.core.sourcing.grid import Floats, Ints
from node.core.sourcing.rows import Rows

__all__ = ["Located", "Search", "plant_location"]

NEAR = 1e-9
INFINITE = float("inf")
ROUNDS_FIRST, ROUNDS = 60, 20
TRY_AFTER = 8
CELLS_MAX = 200_000
"""So many rows times choices of parcels are tried out at once."""
CHOICES_MAX = 1_000
EFFORT_MAX = 80_000_000
"""So many cells are looked at for one order; then the best found counts, and is not proved."""
FILLING = 10_000
"""The effort of filling one row, in cells."""

Bools = NDArray[np.bool_]


@dataclass(slots=True)
class _Best:
    cost: float
    opened: tuple[int, ...] = ()


class Search:
    """Branch and bound over the parcels of one order."""

    def __init__(self, rows: Rows, near: float = NEAR, effort: int = EFFORT_MAX) -> None:
        self.rows, self.near, self.effort_max = rows, near, effort
        tied = {number for members, _ in rows.clusters for number in members} | rows.mixed.keys()
        self.plain = np.array([at not in tied for at in range(len(rows.open_cost))], np.bool_)
        self.all_plain = not tied
        # All of a row, of which a parcel has a part: the rest left open. No less than the row costs then.
        self.row_cost = rows.cost
        if not self.all_plain:
            self.row_cost = rows.cost + (1 - rows.share) * np.where(self.plain, 0.0, rows.open_cost)[:, None]
        self.memory: dict[tuple[int, frozenset[int]], Filled] = {}
        self.reach = {
            at: frozenset(one.parcel for line in row.lines for one in line.columns) for at, row in rows.mixed.items()
        }
        self.best = _Best(float(rows.open_cost.sum()))
        self.relaxed = self.best.cost
        """Of a good plan, as if nothing coupled rows."""
        self.effort = 0
        self.exact = True
        self.floor = -INFINITE
        """No plan costs less; the root's bound, until all is tried."""
        self.price: Floats | None = None
        """Of rows, that show the root's bound."""
        self.pool: Floats = np.zeros(0)
        """The same of pools."""

    # --- what a choice of parcels costs ---------------------------------------------------------------------------

    def fixed(self, opened: Sequence[int]) -> float:
        """Of the parcels and their sources; infinite when those are too many."""
        rows = self.rows
        sources = sorted({int(rows.source[at]) for at in opened})
        if rows.sources_max is not None and len(sources) > rows.sources_max:
            return INFINITE
        charged = rows.fixed[list(opened)].sum() + rows.source_fixed[sources].sum()
        return float(charged + rows.split * max(0, len(sources) - 1))

    def cost(self, opened: Sequence[int]) -> float:
        """Of the plan with these parcels open."""
        rows, chosen = self.rows, list(opened)
        if not chosen:
            return float(rows.open_cost.sum())
        fixed = self.fixed(chosen)
        if fixed == INFINITE:
            return INFINITE
        served = np.minimum(rows.open_cost, rows.cost[:, chosen].min(axis=1))[self.plain].sum()
        return self._finished(chosen, float(served + fixed))

    def filled(self, opened: Iterable[int]) -> list[Filled]:
        """The fillings of rows that are mixed or coupled."""
        chosen = frozenset(opened)
        found = [self.mixture(at, chosen) for at in self.rows.mixed]
        return found + [cluster.filled(chosen) for _, cluster in self.rows.clusters]

    def mixture(self, at: int, opened: frozenset[int]) -> Filled:
        """The filling of one mixed row."""
        key = (at, opened & self.reach[at])
        if key not in self.memory:
            self.memory[key] = fill_row(self.rows.mixed[at], key[1])
            self.effort += FILLING
        return self.memory[key]

    def offer(self, opened: Sequence[int], cost: float | None = None) -> None:
        """Keep the plan if it is the best."""
        value = self.cost(opened) if cost is None else cost
        if value < self.best.cost - NEAR * (1 + abs(value)):
            self.best = _Best(value, tuple(sorted(opened)))

    # --- a good plan to begin with --------------------------------------------------------------------------------

    def start(self) -> None:
        """Add the parcel that saves most, as long as one saves; then swap."""
        opened: list[int] = []
        served, cost = self.rows.open_cost, self.best.cost
        while True:
            gains = self._gains(served, opened)
            at = int(gains.argmax())
            if gains[at] <= NEAR * (1 + abs(cost)):
                break
            opened.append(at)
            served, cost = np.minimum(served, self.row_cost[:, at]), cost - float(gains[at])
        self.relaxed = cost
        self.offer(opened)
        for _ in range(len(self.rows.parcels)):
            before = self.best
            for out in before.opened:
                rest = [one for one in before.opened if one != out]
                self.offer(rest)
                served = np.minimum(self.rows.open_cost, self.row_cost[:, rest].min(axis=1, initial=INFINITE))
                at = int(self._gains(served, rest).argmax())
                if at not in before.opened:
                    self.offer([*rest, at])
            if self.best is before:
                break

    def _gains(self, served: Floats, opened: Sequence[int]) -> Floats:
        """What each parcel saves besides the opened, less what it costs to open it."""
        rows = self.rows
        known = np.zeros(len(rows.source_fixed), np.bool_)
        known[rows.source[list(opened)]] = True
        extra = np.where(known, 0.0, rows.source_fixed + (rows.split if len(opened) else 0.0))
        if rows.sources_max is not None and int(known.sum()) >= rows.sources_max:
            extra = np.where(known, 0.0, INFINITE)
        self.effort += self.row_cost.size
        saved = np.maximum(served[:, None] - self.row_cost, 0.0).sum(axis=0)
        return np.asarray(saved - rows.fixed - extra[rows.source])

    # --- the proof ------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Search until nothing better is left, or the effort is spent."""
        self.start()
        dual = Dual(self.rows, min(self.best.cost, self.relaxed))
        proved = self.node(dual, np.zeros(0, np.int64), np.arange(len(self.rows.parcels)), ROUNDS_FIRST)
        least = self.best.cost - (self.tolerance() if self.near > NEAR else 0.0)
        self.floor = max(self.floor, least) if proved and self.exact else self.floor
        self.floor = min(self.floor, self.best.cost)

    def tolerance(self) -> float:
        """What a better plan is better by at least."""
        return self.near * (1 + abs(self.best.cost))

    def node(self, dual: Dual, open_: Ints, free: Ints, rounds: int) -> bool:
        """Search below a node; False when there is more to search than the effort allows."""
        root = self.floor == -INFINITE
        steps, price, pool = dual.steps(), dual.price, dual.pool
        for turn in range(rounds):
            look = dual.look(open_, free)
            self.effort += len(self.rows.open_cost) * (len(free) + len(open_)) + 1000
            if look.bound > steps.best:
                price, pool = dual.price, dual.pool
                self.offer([*open_.tolist(), *look.chosen.tolist()])
                if root:
                    self.floor, self.price, self.pool = max(self.floor, look.bound), price, pool
            if max(look.bound, steps.best) >= self.best.cost - self.tolerance():
                return True
            keep = look.bound + look.adds < self.best.cost - self.tolerance()
            due = turn % TRY_AFTER == TRY_AFTER - 1 or turn == rounds - 1
            if due and self.try_out(look, open_, free):
                return True
            if not dual.climb(look, self.best.cost, steps):
                if self.try_out(look, open_, free):
                    return True
                break
            free = free[keep]
        if self.effort > self.effort_max or not self.exact:
            return False
        if not len(free):
            return True
        return self._branch(dual, price, pool, open_, free)

    def _branch(self, dual: Dual, price: Floats, pool: Floats, open_: Ints, free: Ints) -> bool:
        """The parcel that saves most is closed, which is soon seen to be wrong, or open."""
        dual.price = price
        dual.set_pool(pool)
        at = int(dual.look(open_, free).saved.argmax())
        rest = np.delete(free, at)
        for opened in (np.append(open_, free[at]), open_):
            dual.price = price
            dual.set_pool(pool)
            if not self.node(dual, opened, rest, ROUNDS):
                return False
        return True

    def try_out(self, look: Look, open_: Ints, free: Ints) -> bool:
        """Every choice among the free parcels that could be better; False when there are too many."""
        most = CELLS_MAX // max(1, len(self.rows.open_cost))
        found = choices(
            self.rows, look, open_, free, self.best.cost - self.tolerance(), min(CHOICES_MAX, max(32, most))
        )
        if found is None:
            return False
        masks, floors = found
        turn = np.argsort(floors, kind="stable")
        for first in range(0, len(turn), 64):
            chunk = turn[first : first + 64]
            chunk = chunk[floors[chunk] < self.best.cost - self.tolerance()]
            if not len(chunk):
                break
            self._try_all(masks[chunk], floors[chunk], open_, free)
            if self.effort > self.effort_max or not self.exact:
                return False
        return True

    def _try_all(self, masks: Bools, floors: Floats, open_: Ints, free: Ints) -> None:
        """What these choices cost; exactly where all rows are plain, else those that still could be better."""
        rows = self.rows
        served = np.repeat(rows.open_cost[None, self.plain], len(masks), axis=0)
        if len(open_):
            served = np.minimum(served, rows.cost[:, open_].min(axis=1)[None, self.plain])
        for place, parcel in enumerate(free.tolist()):
            some = masks[:, place]
            if some.any():
                served[some] = np.minimum(served[some], rows.cost[self.plain, parcel])
        self.effort += served.size * max(1, int(masks.sum()) // max(1, len(masks))) + 1000
        least = served.sum(axis=1)
        opened = [[*open_.tolist(), *free[mask].tolist()] for mask in masks]
        total = least + np.array([self.fixed(one) for one in opened])
        for at in np.argsort(total, kind="stable").tolist():
            bound = max(float(total[at]), float(floors[at]))
            if total[at] >= self.best.cost - self.tolerance():
                break
            if bound >= self.best.cost - self.tolerance():
                continue
            if self.effort > self.effort_max:
                return
            self.offer(opened[at], float(total[at]) if self.all_plain else self._finished(opened[at], float(total[at])))

    def _finished(self, opened: Sequence[int], cost: float) -> float:
        """The cost with the rows that are not plain, as far as it takes to see that it is not the best."""
        chosen = frozenset(opened)
        for at in self.rows.mixed:
            one = self.mixture(at, chosen)
            self.exact &= one.exact
            cost += one.cost
            if cost >= self.best.cost:
                return cost
        for _, cluster in self.rows.clusters:
            before = cluster.fillings
            one = cluster.filled(chosen, self.best.cost - cost)
            self.effort += FILLING * (cluster.fillings - before)
            self.exact &= one.exact
            cost += one.cost
            if cost >= self.best.cost:
                return cost
        return cost

    # --- the answer -----------------------------------------------------------------------------------------------

    def quantities(self) -> dict[int, float]:
        """By column of the grid what the best plan takes; nothing where a complete order would not be complete."""
        rows, opened = self.rows, list(self.best.opened)
        if not opened:
            return {}
        least = rows.cost[:, opened].min(axis=1)
        chosen = np.array(opened)[rows.cost[:, opened].argmin(axis=1)]
        given = self.plain & (least < rows.open_cost)
        of_row = rows.of_row
        some = np.flatnonzero(given[of_row])
        columns = rows.column[some, chosen[of_row[some]]]
        found = dict(zip(columns.tolist(), rows.need[some].tolist(), strict=True))
        for one in self.filled(opened):
            found |= one.taken
        if rows.complete:
            if abs(sum(found.values()) - float(rows.need.sum())) > NEAR * float(rows.need.sum()):
                self.floor = min(self.floor, rows.nothing)
                return {}
            if self.best.cost >= rows.nothing:
                return {}
        return found


def choices(
    rows: Rows, look: Look, open_: Ints, free: Ints, less_than: float, most: int
) -> tuple[Bools, Floats] | None:
    """All choices of free parcels whose cost at the look's prices is less than this, with it; None for too many."""
    worth = np.bincount(rows.source[free], np.maximum(look.saved, 0.0), len(look.charge)) - look.charge
    known = np.zeros(len(look.charge), np.bool_)
    known[rows.source[open_]] = True
    rank = np.where(known, INFINITE, np.maximum(worth, 0.0))
    turn = np.lexsort((rows.source[free], -rank[rows.source[free]]))
    room = len(look.charge) if rows.sources_max is None else rows.sources_max - int(known.sum())
    masks, floors = np.zeros((1, len(free)), np.bool_), np.array([look.base])
    counts, inside = np.zeros(1, np.int64), np.zeros(1, np.bool_)
    fresh = [int(one) for one in dict.fromkeys(rows.source[free][turn].tolist()) if not known[one]]
    ahead = np.concatenate([[0.0], np.cumsum([max(0.0, float(worth[one])) for one in fresh])])
    passed, source = 0, -1
    left = float(np.maximum(look.saved[known[rows.source[free]]], 0.0).sum())
    for at in turn.tolist():
        if rows.source[free[at]] != source:
            source = int(rows.source[free[at]])
            inside = np.full(len(masks), known[source])
            passed += not known[source]
            if not known[source]:
                left = float(np.maximum(look.saved[rows.source[free] == source], 0.0).sum())
        saved = float(look.saved[at])
        left -= max(0.0, saved)
        new = masks.copy()
        new[:, at] = True
        masks = np.concatenate([masks, new])
        floors = np.concatenate([floors, floors - saved + np.where(inside, 0.0, look.charge[source])])
        counts = np.concatenate([counts, counts + ~inside])
        inside = np.concatenate([inside, np.ones(len(new), np.bool_)])
        further = ahead[np.minimum(passed + np.maximum(room - counts, 0), len(fresh))] - ahead[passed]
        keep = (floors - left - further < less_than) & (counts <= room)
        masks, floors, counts, inside = masks[keep], floors[keep], counts[keep], inside[keep]
        if len(masks) > most:
            return None
    return masks, floors


@dataclass(slots=True)
class Located:
    """A plan for some rows."""

    rows: Rows
    quantities: dict[int, float]
    """By column of the grid."""
    cost: float
    """Of this plan, with the rows' constant."""
    floor: float
    """No plan costs less: the cost, where it is proved to be the least."""
    price: Floats | None = None
    """Of rows, that show nearly as much."""
    pool: Floats | None = None
    """The same of the rows' pools."""

    def needed(self, slack: float) -> list[bool]:
        """By parcel, whether a plan with it can cost less than the floor and the slack."""
        if not len(self.rows.open_cost):
            return [True] * len(self.rows.parcels)
        target = self.floor - self.rows.constant + slack
        dual = Dual(self.rows, target)
        steps = dual.steps()
        none, every = np.zeros(0, np.int64), np.arange(len(self.rows.parcels))
        kept = np.ones(len(every), np.bool_)
        for _ in range(ROUNDS_FIRST):
            look = dual.look(none, every)
            kept &= look.bound + look.adds <= target + NEAR * (1 + abs(target))
            if not dual.climb(look, target, steps):
                break
        return [bool(one) for one in kept.tolist()]


def plant_location(rows: Rows, near: float = NEAR, effort: int = EFFORT_MAX) -> Located:
    """The plan of least cost but for a share of `near`, or the best that was found within the effort; and its floor."""
    if not len(rows.open_cost):
        return Located(rows, {}, rows.constant, rows.constant)
    search = Search(rows, near, effort)
    search.run()
    quantities = search.quantities()
    cost = search.best.cost if quantities else rows.nothing
    return Located(
        rows, quantities, rows.constant + cost, rows.constant + min(cost, search.floor), search.price, search.pool
    )

"""One order alone, to the proved optimum without a general solver: which parcels to open is all there is to decide.

When nothing couples an order's lines but the parcels they share, each line takes the cheapest of the opened parcels.
That is the simple plant location problem (Krarup and Pruzan 1983). A Lagrangian bound (lines' prices by subgradient
steps, Held, Wolfe and Crowder 1974) closes parcels that no better plan can open; what is left is tried out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from node.core.sourcing.grid import Floats, Ints
from node.core.sourcing.rows import Rows

__all__ = ["Located", "plant_location"]

NEAR = 1e-9
FREE_MAX = 9
"""So many parcels of which each may be open or not are tried out: two to their power."""
ROUNDS = 40
NODES_MAX = 60
INFINITE = float("inf")


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
        self.whole = np.array([at not in rows.mixed for at in range(len(rows.lines))], np.bool_)
        for at, one in rows.mixed.items():
            one.open_unit = float(self.open_cost[at]) / one.need
        # All of a row, of which a parcel has a part: the rest left open. No less than the row costs then.
        self.row_cost = rows.cost + (1 - rows.share) * np.where(self.whole, 0.0, self.open_cost)[:, None]
        self.memory: dict[tuple[int, tuple[int, ...]], float] = {}
        self.best = _Best(float(self.open_cost.sum()))
        self.nodes = 0
        self.exact = True
        self.floor_at_root = -INFINITE

    def cost(self, opened: Sequence[int]) -> float:
        """Of the plan with these parcels open; infinite when they are of too many sources."""
        rows, chosen = self.rows, list(opened)
        if not chosen:
            return float(self.open_cost.sum())
        sources = {int(rows.source[at]) for at in chosen}
        if rows.sources_max is not None and len(sources) > rows.sources_max:
            return INFINITE
        served = np.minimum(self.open_cost, rows.cost[:, chosen].min(axis=1))[self.whole].sum()
        served += sum(self.mixture(at, chosen) for at in rows.mixed)
        fixed = rows.fixed[chosen].sum() + sum(rows.source_fixed[one] for one in sources)
        return float(served + fixed + rows.split * (len(sources) - 1))

    def mixture(self, row: int, opened: Sequence[int]) -> float:
        """What a mixed row costs with these parcels open."""
        mixed = self.rows.mixed[row]
        key = (row, tuple(sorted(at for at in opened if at in mixed.gives)))
        if key not in self.memory:
            self.memory[key] = mixed.fill(key[1])[0]
            self.exact &= not mixed.too_many(key[1])
        return self.memory[key]

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
            gains = served.sum() - np.minimum(served[:, None], self.row_cost).sum(axis=0) - extra
            at = int(gains.argmax())
            if gains[at] <= NEAR * (1 + abs(cost)):
                break
            opened.append(at)
            served, cost = np.minimum(served, self.row_cost[:, at]), cost - float(gains[at])
        self.offer(opened, self.cost(opened))
        for _ in range(count):
            before = self.best.cost
            opened = list(self.best.opened)
            for out in self.best.opened:
                rest = [one for one in opened if one != out]
                self._swap(rest)
            if self.best.cost >= before:
                break

    def first_price(self) -> Floats:
        """Prices of rows to begin with: what each costs where it is cheapest, and an even share of what is fixed."""
        cheapest = np.minimum(self.open_cost, self.row_cost.min(axis=1))
        shared = (self.best.cost - cheapest.sum()) / max(1, len(cheapest))
        return np.asarray(np.minimum(self.open_cost, cheapest + max(0.0, shared)))

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
        served = np.minimum(self.open_cost, self.row_cost[:, rest].min(axis=1)) if rest else self.open_cost
        gains = served.sum() - np.minimum(served[:, None], self.row_cost).sum(axis=0) - self._extra(rest)
        at = int(gains.argmax())
        self.offer([*rest, at], self.cost([*rest, at]))

    def floor(self, open_: Ints, free: Ints, price: Floats) -> tuple[float, Floats, Floats, Ints]:
        """The Lagrangian bound at these prices, what opening each parcel adds, what is taken of each row, by whom."""
        rows = self.rows
        gain = np.maximum(0.0, price[:, None] * rows.share[:, free] - rows.cost[:, free])
        saved = gain.sum(axis=0) - rows.fixed[free]
        base = price.sum()
        taken = np.zeros(len(price))
        if len(open_):
            kept = np.maximum(0.0, price[:, None] * rows.share[:, open_] - rows.cost[:, open_])
            base -= kept.sum() - rows.fixed[open_].sum()
            taken += (rows.share[:, open_] * (kept > 0)).sum(axis=1)
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
        taken += (rows.share[:, free[chosen]] * (gain[:, chosen] > 0)).sum(axis=1)
        # What opening a parcel adds to the bound: its own loss, and its source's where that is closed.
        with_it = np.maximum(0.0, -saved) + np.maximum(0.0, -per_source[rows.source[free]])
        return float(bound), np.asarray(with_it), taken, free[chosen]

    def node(self, open_: Ints, free: Ints, price: Floats, rounds: int) -> bool:
        """Search below a node; False when there was more to search than is sensible here."""
        self.nodes += 1
        if self.nodes > NODES_MAX:
            return False
        pace = 1.0
        best_bound, best_price = -INFINITE, price
        for _ in range(rounds):
            bound, with_it, taken, chosen = self.floor(open_, free, price)
            tolerance = NEAR * (1 + abs(self.best.cost))
            if bound > best_bound:
                best_bound, best_price = bound, price
                if self.nodes == 1:
                    self.floor_at_root = min(bound, self.best.cost)
                opened = [*open_.tolist(), *chosen.tolist()]
                self.offer(opened, self.cost(opened))
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
        _, with_it, _, _ = self.floor(open_, free, best_price)
        at = int(with_it.argmin())
        rest = np.delete(free, at)
        return self.node(np.append(open_, free[at]), rest, best_price, ROUNDS // 2) and self.node(
            open_, rest, best_price, ROUNDS // 2
        )

    def try_out(self, open_: Ints, free: Ints) -> None:
        """Every choice among the free parcels, beside those that are open."""
        rows = self.rows
        served = self.open_cost[None, self.whole]
        if len(open_):
            served = np.minimum(served, rows.cost[:, open_].min(axis=1)[None, self.whole])
        known = set(rows.source[open_].tolist())
        fixed = np.array([rows.fixed[open_].sum() + sum(rows.source_fixed[one] for one in known)])
        counts = np.array([len(known)])
        masks = np.array([0])
        bits = {one: 1 << at for at, one in enumerate(set(rows.source[free].tolist()) - known)}
        for at in free.tolist():
            source = int(rows.source[at])
            bit = bits.get(source, 0)
            new = (masks & bit) == 0 if bit else np.zeros(len(masks), np.bool_)
            served = np.concatenate([served, np.minimum(served, rows.cost[self.whole, at][None, :])])
            fixed = np.concatenate([fixed, fixed + rows.fixed[at] + np.where(new, rows.source_fixed[source], 0.0)])
            counts = np.concatenate([counts, counts + new])
            masks = np.concatenate([masks, masks | bit])
        total = served.sum(axis=1) + fixed + rows.split * np.maximum(0, counts - 1)
        if rows.sources_max is not None:
            total[counts > rows.sources_max] = INFINITE
        everything = (*open_.tolist(), *free.tolist())
        least = sum(one.fill(everything, fixed=False)[0] for one in rows.mixed.values())
        for at in np.argsort(total).tolist():
            if total[at] + least >= self.best.cost:
                break
            opened = [*open_.tolist(), *(one for place, one in enumerate(free.tolist()) if at >> place & 1)]
            self.offer(opened, self.cost(opened))
            if not rows.mixed:
                break


def _finite_sum(rows: Rows) -> float:
    cost = np.where(np.isfinite(rows.cost), rows.cost, 0.0)
    return float(cost.sum() + rows.fixed.sum() + rows.source_fixed.sum() + rows.split * len(rows.source))


@dataclass(slots=True)
class Located:
    """A plan for some rows: by row the shares of it that parcels give. Rows that stay open are not there."""

    rows: Rows
    served: dict[int, dict[int, float]]
    cost: float
    """Of this plan, with the rows' constant."""
    floor: float
    """No plan costs less: the cost, where it is proved to be the least."""

    def needed(self, slack: float) -> list[bool]:
        """By parcel, whether a plan with it can cost less than the floor and the slack."""
        if not self.rows.lines:
            return [True] * len(self.rows.parcels)
        search = _Search(self.rows)
        target = self.floor - self.rows.constant + slack
        price, pace, kept = search.first_price(), 1.0, np.ones(len(self.rows.parcels), np.bool_)
        best = -INFINITE
        for _ in range(ROUNDS):
            bound, with_it, taken, _ = search.floor(np.zeros(0, np.int64), np.arange(len(kept)), price)
            kept &= bound + with_it <= target + NEAR * (1 + abs(target))
            pace = pace if bound > best else pace * 0.7
            best = max(best, bound)
            slope = 1 - taken
            length = float(slope @ slope)
            if length == 0:
                break
            price = np.minimum(search.open_cost, price + pace * max(0.0, target - bound) / length * slope)
        return [bool(one) for one in kept.tolist()]


def plant_location(rows: Rows) -> Located:
    """The plan of least cost, or the best that was found within the nodes that are sensible here, with its floor."""
    if not rows.lines:
        return Located(rows, {}, rows.constant, rows.constant)
    search = _Search(rows)
    search.start()
    proved = search.node(np.zeros(0, np.int64), np.arange(len(rows.parcels)), search.first_price(), ROUNDS)
    served = _served(search)
    cost = search.best.cost if served else search.nothing
    floor = cost if proved and search.exact else min(cost, search.floor_at_root)
    return Located(rows, served, rows.constant + cost, rows.constant + floor)


def _served(search: _Search) -> dict[int, dict[int, float]]:
    rows, opened = search.rows, list(search.best.opened)
    if not opened:
        return {}
    chosen = rows.cost[:, opened].argmin(axis=1)
    least = rows.cost[:, opened].min(axis=1)
    served = {
        at: {opened[int(chosen[at])]: 1.0}
        for at in range(len(least))
        if search.whole[at] and least[at] < search.open_cost[at]
    }
    for at, mixed in rows.mixed.items():
        taken = mixed.fill(tuple(sorted(opened)))[1]
        if taken:
            served[at] = {parcel: quantity / mixed.need for parcel, quantity in taken.items()}
    whole = sum(sum(shares.values()) > 1 - NEAR for shares in served.values())
    if rows.complete and (whole < len(least) or search.best.cost >= search.nothing):
        return {}
    return served
